"""What is on chip when: time against bytes, one bar per tensor (or per piece of it), as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from energysim.schedule.allocator import Allocation, Piece, Placement
from energysim.schedule.live import Content

_FILL = {Content.TILE: "#4c78a8", Content.HALO: "#f2a33a", Content.WEIGHTS: "#8d9aa5", Content.MAP: "#54a24b"}
_LEFT, _TOP, _RIGHT, _BOTTOM = 90, 30, 20, 120
_CHARACTER = 6.2  # width of a character of the 10 px labels


def allocation_svg(allocation: Allocation, steps: Sequence[str], width: int = 960, height: int = 420) -> str:
    """A self-contained SVG image. ``steps``: names of the steps from 0, shown on the time axis; the dashed line is the
    peak of the live bytes, the top of the frame the capacity (or less, where that leaves most of the frame empty)."""
    across = width / max(1, len(steps))
    top = max(1, min(allocation.capacity_bytes, 2 * allocation.used_bytes))

    def y(address: int) -> float:
        return _TOP + height * (1 - address / top)

    bars = [
        _bar(item, piece, _LEFT + item.live.first * across, across, y(piece.end), height * piece.size / top)
        for item in allocation.placements
        for piece in item.pieces
    ]
    bound = y(allocation.lower_bound_bytes)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + width + _RIGHT} {_TOP + height + _BOTTOM}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect x="{_LEFT}" y="{_TOP}" width="{width}" height="{height}" fill="none" stroke="#333"/>',
        *bars,
        f'<line x1="{_LEFT}" x2="{_LEFT + width}" y1="{bound:.1f}" y2="{bound:.1f}" stroke="#c33" '
        'stroke-dasharray="4 3"/>',
        *(_axis_label(address, y(address)) for address in sorted({0, allocation.lower_bound_bytes, top})),
        *(_step_label(name, _LEFT + (index + 0.5) * across, _TOP + height) for index, name in enumerate(steps)),
        *_legend(allocation),
        "</svg>",
    ]
    return "\n".join(lines)


def _bar(item: Placement, piece: Piece, x: float, across: float, y: float, height: float) -> str:
    live = item.live
    width = (live.last - live.first + 1) * across
    tip = f"{live.name} ({live.content}): {piece.size:,} B at {piece.address:,}, steps {live.first} to {live.last}"
    fits = height >= 11 and width >= _CHARACTER * len(live.name)
    label = f'<text x="{x + 3:.1f}" y="{y + 10:.1f}" fill="#fff">{escape(live.name)}</text>' if fits else ""
    return (
        f"<g aria-label={quoteattr(tip)}><title>{escape(tip)}</title>"
        f'<rect x="{x:.1f}" y="{y:.2f}" width="{width:.1f}" height="{height:.2f}" fill="{_FILL[live.content]}" '
        f'stroke="#fff" stroke-width="0.6"/>{label}</g>'
    )


def _axis_label(address: int, y: float) -> str:
    return f'<text x="{_LEFT - 6}" y="{y + 3:.1f}" text-anchor="end">{address:,} B</text>'


def _step_label(name: str, x: float, y: float) -> str:
    return f'<text transform="translate({x:.1f},{y + 8}) rotate(60)">{escape(name)}</text>'


def _legend(allocation: Allocation) -> list[str]:
    shown = [content for content in Content if any(item.live.content is content for item in allocation.placements)]
    items = []
    for index, content in enumerate(shown):
        x = _LEFT + 110 * index
        items.append(f'<rect x="{x}" y="10" width="12" height="12" fill="{_FILL[content]}"/>')
        items.append(f'<text x="{x + 17}" y="20">{content}</text>')
    return items
