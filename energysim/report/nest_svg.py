"""A mapping as a picture: one band per level, its loops as boxes, its tiles as bars of the capacity. Plain SVG text.

Colours follow the reader's light or dark theme (`prefers-color-scheme`); viewers without themes show the light one.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import prod
from typing import TYPE_CHECKING

from energysim.arch.spec import Array, Memory, Node
from energysim.graph.problem import TensorProblem
from energysim.mapping.nest import Loop
from energysim.mapping.tiles import Tile, tiles_of
from energysim.units import format_bits, format_energy, format_time

if TYPE_CHECKING:
    from energysim.simulation.mapped_layer import MappedProblem

_WIDTH, _MARGIN = 1040, 20
_LOOPS_X, _TILES_X = 210, 620
_BOX_W, _BOX_H, _GAP, _PER_ROW = 60, 42, 6, 6
_ROW_H, _BAND_PAD, _BAND_GAP = 22, 10, 6
_BAR_X, _BAR_W = 850, 110

# class -> (light, dark)
_FILLS = {
    "page": ("#ffffff", "#14171c"),
    "memory": ("#eef1f5", "#20252d"),
    "array": ("#f3eefb", "#2a2338"),
    "compute": ("#f7f1e6", "#2f2a1f"),
    "box": ("#ffffff", "#323a46"),
    "space": ("#7b4fc9", "#8f68dc"),
    "ink": ("#1b2027", "#e7eaef"),
    "dim": ("#5b6470", "#a3acb8"),
    "paper": ("#ffffff", "#ffffff"),
    "track": ("#d5dae1", "#3a424e"),
    "weights": ("#2f6fd0", "#5e97ee"),
    "ifmap": ("#23875a", "#43b180"),
    "ofmap": ("#c2601a", "#e88a45"),
}


def nest_svg(mapped: MappedProblem, title: str) -> str:
    """The picture of a mapped problem, about 1000 pixels wide; outermost level at the top."""
    tiles = tiles_of(mapped.problem, mapped.arch, mapped.mapping, mapped.counts)
    body: list[str] = [
        _text(_MARGIN, 34, _short(title, 100), "ink title"),
        _text(_MARGIN, 56, _summary(mapped), "dim"),
        _text(_LOOPS_X, 84, "loops, outermost first", "dim small"),
        _text(_TILES_X, 84, "largest tile of one instance, share of its capacity", "dim small"),
    ]
    y = 92
    for index, node in enumerate(mapped.arch.nodes):
        loops = [loop for loop in mapped.mapping.loops if loop.node == index]
        here = [tile for tile in tiles if tile.node == index]
        height = _band_height(loops, here)
        instances = mapped.arch.instances(index)
        body += _band(y, height, node, instances, loops, here, mapped.problem)
        y += height + _BAND_GAP
    height = y + _MARGIN - _BAND_GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img" aria-label="{escape(title)}">',
            f"<title>{escape(title)}</title>",
            f"<style>{_style()}</style>",
            f'<rect class="page" width="{_WIDTH}" height="{height}"/>',
            *body,
            "</svg>",
        ]
    )


def _style() -> str:
    light = "".join(f".{name}{{fill:{colours[0]}}}" for name, colours in _FILLS.items())
    dark = "".join(f".{name}{{fill:{colours[1]}}}" for name, colours in _FILLS.items())
    return (
        "text{font-family:system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:13px}"
        ".title{font-size:18px;font-weight:600}.name{font-size:14px;font-weight:600}.small{font-size:11px}"
        ".mid{text-anchor:middle}.end{text-anchor:end}.box{stroke:#8b95a3;stroke-width:1}"
        f"{light}@media (prefers-color-scheme:dark){{{dark}}}"
    )


def _summary(mapped: MappedProblem) -> str:
    found = mapped.found
    proof = "optimal" if found.optimal else f"optimum at most {found.gap:.2%} lower"
    return (
        f"{mapped.counts.macs:,} MACs  ·  {mapped.counts.cycles:,.0f} cycles "
        f"({format_time(mapped.latency.latency_s)}, bound by {mapped.latency.bottleneck})  ·  "
        f"{format_energy(mapped.cost.energy_pj)}  ·  objective {found.objective}: {proof}"
    )


def _band_height(loops: Sequence[Loop], tiles: Sequence[Tile]) -> int:
    rows = max(1, -(-len(loops) // _PER_ROW))
    return 2 * _BAND_PAD + max(rows * (_BOX_H + _GAP) - _GAP, len(tiles) * _ROW_H)


def _band(
    y: int,
    height: int,
    node: Node,
    instances: int,
    loops: Sequence[Loop],
    tiles: Sequence[Tile],
    problem: TensorProblem,
) -> list[str]:
    kind = "memory" if isinstance(node, Memory) else "array" if isinstance(node, Array) else "compute"
    parts = [
        f'<rect class="{kind}" x="{_MARGIN}" y="{y}" width="{_WIDTH - 2 * _MARGIN}" height="{height}" rx="6"/>',
        f"<g>{_tooltip(node.name)}{_text(_MARGIN + 12, y + _BAND_PAD + 16, _short(node.name, 20), 'ink name')}</g>",
        _text(_MARGIN + 12, y + _BAND_PAD + 34, _about(node, instances), "dim small"),
    ]
    for number, loop in enumerate(loops):
        row, column = divmod(number, _PER_ROW)
        parts.append(_loop_box(_LOOPS_X + column * (_BOX_W + _GAP), y + _BAND_PAD + row * (_BOX_H + _GAP), loop))
    if not loops and kind != "compute":
        parts.append(_text(_LOOPS_X, y + _BAND_PAD + 26, "no loops", "dim small"))
    if isinstance(node, Array):
        parts.append(_use_of(node, loops, y + _BAND_PAD))
    for number, tile in enumerate(tiles):
        parts.append(_tile_row(y + _BAND_PAD + number * _ROW_H, tile, problem.tensor(tile.tensor).role.value))
    if isinstance(node, Memory) and not tiles:
        parts.append(_text(_TILES_X, y + _BAND_PAD + 15, "keeps nothing", "dim small"))
    return parts


def _about(node: Node, instances: int) -> str:
    count = f"{instances:,} x " if instances > 1 else ""
    if isinstance(node, Memory):
        return f"{count}{'unbounded' if node.capacity_bits is None else format_bits(node.capacity_bits)}"
    if isinstance(node, Array):
        return f"{f'{instances:,} arrays of ' if instances > 1 else ''}{node.x} x {node.y}"
    return f"{instances:,} multiply-accumulate unit{'s' if instances > 1 else ''}"


def _loop_box(x: int, y: int, loop: Loop) -> str:
    """The dimension over its bound; a loop in space is filled and says its axis. ``7|3``: 3 rounds at the very end."""
    bound = f"{loop.bound}" if loop.last == loop.bound else f"{loop.bound}|{loop.last}"
    where = "in time" if loop.axis is None else f"in space along {loop.axis.upper()}"
    spatial = loop.axis is not None
    ink, dim = ("paper", "paper") if spatial else ("ink", "dim")
    small = " small" if len(bound) > 6 else ""
    axis = "" if loop.axis is None else _text(x + _BOX_W - 8, y + 13, loop.axis.upper(), "paper small mid")
    return (
        f"<g>{_tooltip(f'for {loop.dim} in range({bound}), {where}')}"
        f'<rect class="{"space" if spatial else "box"}" x="{x}" y="{y}" width="{_BOX_W}" height="{_BOX_H}" rx="5"/>'
        f"{_text(x + _BOX_W // 2, y + 18, _short(loop.dim, 6), f'{ink} name mid')}"
        f"{_text(x + _BOX_W // 2, y + 35, bound, f'{dim} mid{small}')}{axis}</g>"
    )


def _use_of(array: Array, loops: Sequence[Loop], y: int) -> str:
    used = [prod(loop.bound for loop in loops if loop.axis == axis) for axis in ("x", "y")]
    share = prod(used) / (array.x * array.y)
    text = _text(_TILES_X, y + 26, f"{used[0]} x {used[1]} of {array.x} x {array.y} in use", "ink")
    return text + _bar(y + 16, share, "space")


def _tile_row(y: int, tile: Tile, role: str) -> str:
    shape = " x ".join(map(str, tile.shape))
    held = f"{tile.words:,} word{'' if tile.words == 1 else 's'}, {format_bits(tile.bits)}"
    bar = _text(_BAR_X, y + 15, "unbounded", "dim small") if tile.share is None else _bar(y + 5, tile.share, role)
    return (
        f"<g>{_tooltip(f'{tile.tensor}: {shape}, {held}')}"
        f'<rect class="{role}" x="{_TILES_X}" y="{y + 6}" width="10" height="10" rx="2"/>'
        f"{_text(_TILES_X + 16, y + 15, _short(tile.tensor, 10), 'ink')}"
        f"{_text(_BAR_X - 12, y + 15, held, 'dim small end')}{bar}</g>"
    )


def _bar(y: int, share: float, kind: str) -> str:
    filled = max(1.0, min(1.0, share) * _BAR_W)
    return (
        f'<rect class="track" x="{_BAR_X}" y="{y}" width="{_BAR_W}" height="12" rx="3"/>'
        f'<rect class="{kind}" x="{_BAR_X}" y="{y}" width="{filled:.1f}" height="12" rx="3"/>'
        f"{_text(_BAR_X + _BAR_W + 8, y + 10, f'{share:.1%}', 'ink small')}"
    )


def _text(x: int, y: int, content: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(content)}</text>'


def _tooltip(content: str) -> str:
    return f"<title>{escape(content)}</title>"


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
