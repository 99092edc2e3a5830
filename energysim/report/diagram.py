"""A network's architecture as a picture: boxes in order of execution, branches side by side. Plain SVG text.

A box's bar is the layer's share of the MACs of the largest layer of all networks drawn. Colours follow the reader's
light or dark theme (`prefers-color-scheme`); kinds are told apart by their words and borders too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from energysim.graph.layers import Layer, LayerGraph, LayerKind
from energysim.units import format_count

_BOX_W, _BOX_H, _GAP_X, _GAP_Y, _MARGIN, _HEAD = 210, 40, 16, 22, 20, 64
_NAME_LETTERS, _OP_LETTERS = 20, 14

_STYLE = """
svg { font-family: system-ui, sans-serif; font-size: 11px; --page: #fff; --ink: #1b2027; --dim: #5b6470; --mac: #dfe9f8;
  --vector: #f6efe2; --bar: #2f6fd0; --line: #7d8793; }
@media (prefers-color-scheme: dark) { svg { --page: #14171c; --ink: #e7eaef; --dim: #a3acb8; --mac: #22344f;
  --vector: #3a3222; --bar: #5e97ee; --line: #8a94a0; } }
.page { fill: var(--page); } text { fill: var(--ink); } .dim { fill: var(--dim); }
.head { font-size: 15px; font-weight: 600; }
.mac { fill: var(--mac); stroke: var(--bar); } .vector { fill: var(--vector); stroke: var(--line); }
.unmodelled { fill: none; stroke: var(--ink); stroke-dasharray: 4 2; } .bar { fill: var(--bar); }
.edge { fill: none; stroke: var(--line); } .outside { fill: none; stroke: var(--ink); }
"""


@dataclass(frozen=True)
class _Box:
    """Where a layer stands: ``row`` counts from the input, ``column`` from the middle line."""

    layer: Layer
    row: int
    column: int


def architecture_svg(graphs: Sequence[LayerGraph]) -> str:
    """The networks side by side."""
    placed = [_placed(graph) for graph in graphs]
    widths = [max((box.column for box in boxes), default=0) + 1 for boxes in placed]
    rows = max((box.row for boxes in placed for box in boxes), default=0) + 1
    largest = max((layer.macs for graph in graphs for layer in graph.layers), default=0)
    x = _MARGIN
    body = []
    for graph, boxes, columns in zip(graphs, placed, widths, strict=True):
        body += _network(graph, boxes, x, largest)
        x += columns * (_BOX_W + _GAP_X) + 2 * _GAP_X
    width, height = x - _GAP_X, _HEAD + (rows + 2) * (_BOX_H + _GAP_Y) + _MARGIN
    frame = f'<rect class="page" width="{width}" height="{height}"/>'
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    )
    return "\n".join([opening, f"<style>{_STYLE}</style>", frame, *body, "</svg>"])


def _placed(graph: LayerGraph) -> list[_Box]:
    """A row below the lowest producer, in the first column that is free there."""
    rows: dict[str, int] = {}
    taken: set[tuple[int, int]] = set()
    boxes = []
    for layer in graph.layers:
        above = [rows[edge] for edge in layer.inputs if edge in rows]
        if layer.kind is LayerKind.VIEW:
            rows.update(dict.fromkeys(layer.outputs, max(above, default=-1)))
            continue
        row = max(above, default=-1) + 1
        column = 0
        while (row, column) in taken:
            column += 1
        taken.add((row, column))
        rows.update(dict.fromkeys(layer.outputs, row))
        boxes.append(_Box(layer, row, column))
    return boxes


def _network(graph: LayerGraph, boxes: Sequence[_Box], x: int, largest: int) -> list[str]:
    totals = f"{graph.parameters:,} parameters, {graph.macs:,} MACs"
    body = [f'<text class="head" x="{x}" y="28">{escape(graph.name)}</text>', _text(x, 46, totals, "dim")]
    at = {box.layer.name: (x + box.column * (_BOX_W + _GAP_X), _top(box.row + 1)) for box in boxes}
    sources = _sources(graph)
    last = max((box.row for box in boxes), default=-1)
    body += [
        _outside(x, _top(0), "input", graph, graph.inputs),
        _outside(x, _top(last + 2), "output", graph, graph.outputs),
    ]
    for box in boxes:
        to_x, to_y = at[box.layer.name]
        for producer in dict.fromkeys(sources[edge] for edge in box.layer.inputs if edge in sources):
            from_x, from_y = (x, _top(0)) if producer is None else at[producer]
            body.append(_edge(from_x, from_y, to_x, to_y))
    for edge in graph.outputs:
        producer = sources.get(edge)
        if producer is not None:
            body.append(_edge(*at[producer], x, _top(last + 2)))
    return body + [line for box in boxes for line in _box(graph, box, *at[box.layer.name], largest)]


def _sources(graph: LayerGraph) -> dict[str, str | None]:
    """The drawn layer behind every feature-map edge, None for the network's input; views are passed through."""
    found: dict[str, str | None] = dict.fromkeys(graph.inputs)
    for layer in graph.layers:
        behind = next((found[edge] for edge in layer.inputs if edge in found), None)
        found.update(dict.fromkeys(layer.outputs, behind if layer.kind is LayerKind.VIEW else layer.name))
    return found


def _box(graph: LayerGraph, box: _Box, x: int, y: int, largest: int) -> list[str]:
    layer = box.layer
    css = {LayerKind.MAC: "mac", LayerKind.VECTOR: "vector"}.get(layer.kind, "unmodelled")
    shape = "x".join(str(size) for edge in layer.outputs[:1] for size in graph.edges[edge].shape[1:])
    parameters = sum(graph.edges[edge].words for edge in layer.parameters)
    facts = [f"{format_count(layer.macs)} MACs"] if layer.macs else []
    facts += [f"{format_count(parameters)} parameters"] if parameters else []
    full = f"{layer.name}: {layer.op} {' + '.join(layer.folded)}\n{layer.macs:,} MACs, {parameters:,} parameters"
    lines = [
        f"<g><title>{escape(full)}</title>",
        f'<rect class="{css}" x="{x}" y="{y}" width="{_BOX_W}" height="{_BOX_H}" rx="4"/>',
        _text(x + 8, y + 15, _short(layer.name, _NAME_LETTERS)),
        _text(x + _BOX_W - 8, y + 15, f"{_short(layer.op, _OP_LETTERS)}", "dim", "end"),
        _text(x + 8, y + 31, ", ".join(facts), "dim"),
        _text(x + _BOX_W - 8, y + 31, shape, "", "end"),
    ]
    if layer.macs:
        lines.append(
            f'<rect class="bar" x="{x}" y="{y + _BOX_H - 3}" width="{_BOX_W * layer.macs / largest:.1f}" height="3"/>'
        )
    return [*lines, "</g>"]


def _outside(x: int, y: int, name: str, graph: LayerGraph, edges: Sequence[str]) -> str:
    shapes = ", ".join("x".join(map(str, graph.edges[edge].shape)) for edge in edges)
    frame = f'<rect class="outside" x="{x}" y="{y}" width="{_BOX_W}" height="{_BOX_H}" rx="20"/>'
    return frame + _text(x + _BOX_W // 2, y + 24, f"{name} {shapes}", "", "middle")


def _edge(from_x: int, from_y: int, to_x: int, to_y: int) -> str:
    x1, y1, x2, y2 = from_x + _BOX_W // 2, from_y + _BOX_H, to_x + _BOX_W // 2, to_y
    if x1 == x2 and y2 - y1 > _GAP_Y:  # past the boxes between, on their right
        side = from_x + _BOX_W + _GAP_X * 0.7
        down = f"M{x1 + 60} {y1} C{side} {y1 + 16} {side} {y1 + 16} {side} {y1 + 34}"
        path = f"{down} V{y2 - 34} C{side} {y2 - 16} {side} {y2 - 16} {x2 + 60} {y2}"
    else:
        middle = (y1 + y2) / 2
        path = f"M{x1} {y1} C{x1} {middle} {x2} {middle} {x2} {y2}"
    return f'<path class="edge" d="{path}"/>'


def _top(row: int) -> int:
    return _HEAD + row * (_BOX_H + _GAP_Y)


def _text(x: float, y: float, text: str, css: str = "", anchor: str = "start") -> str:
    return f'<text class="{css}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else "…" + text[-letters + 1 :]
