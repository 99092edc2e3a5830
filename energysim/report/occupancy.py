"""On-chip memory over time, as text for a terminal (as a picture: `plots/occupancy.py`)."""

from __future__ import annotations

from collections.abc import Sequence

from energysim.schedule.allocator import Allocation
from energysim.schedule.live import Content, live_at
from energysim.simulation.occupancy import Occupancy
from energysim.units import format_bytes

_LETTERS = {Content.MAP: "M", Content.TILE: "T", Content.HALO: "H", Content.WEIGHTS: "W"}


def occupancy_text(occupancies: Sequence[Occupancy], columns: int = 48) -> str:
    """A line per layer: the bytes live while it runs, and the memory from address 0 to the highest in use in
    ``columns`` characters, each showing what lies there."""
    lines = []
    for item in occupancies:
        lines += [_title(item), "M map kept for a later layer, T tile, H halo kept for later tiles, W weights, . free"]
        widest = max((len(name) for name in item.steps), default=0)
        for step, name in enumerate(item.steps):
            live = sum(entry.size_bytes for entry in live_at([p.live for p in item.allocation.placements], step))
            bar = _line(item.allocation, step, columns)
            lines.append(f"{name:<{widest}}  {format_bytes(live):>10}  |{bar}|".rstrip())
        lines.append("")
    return "\n".join(lines)


def _title(item: Occupancy) -> str:
    allocation = item.allocation
    return (
        f"{item.variant}: {item.memory}, at most {format_bytes(allocation.lower_bound_bytes)} live of "
        f"{format_bytes(allocation.capacity_bytes)}"
    )


def _line(allocation: Allocation, step: int, columns: int) -> str:
    """Each character shows what most of its bytes hold; a tensor smaller than a character may not show."""
    scale = max(1, allocation.used_bytes) / columns
    shares = [dict.fromkeys(_LETTERS.values(), 0.0) for _ in range(columns)]
    for placement in allocation.placements:
        if placement.live.first <= step <= placement.live.last:
            letter = _LETTERS[placement.live.content]
            for piece in placement.pieces:
                for column in range(int(piece.address / scale), min(columns, int((piece.end - 1) / scale) + 1)):
                    left, right = max(piece.address, column * scale), min(piece.end, (column + 1) * scale)
                    shares[column][letter] += right - left
    return "".join(_character(share, scale) for share in shares)


def _character(share: dict[str, float], scale: float) -> str:
    letter = max(share, key=lambda key: share[key])
    return letter if sum(share.values()) >= scale / 2 else "."
