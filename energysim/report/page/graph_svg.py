"""The layer graph of a result as an SVG of the page: layers in execution order, skip connections as lanes on the left.

Colours are the page's; the script fills in what depends on the variant: shares of energy, and which layers are fused.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from energysim.report.page.lanes import Lane, Rows, rows_of

_PITCH, _BOX_H, _BOX_W, _LANE, _FUSED = 30, 24, 560, 7, 10
_SHARE_W, _MARGIN = 240, 8
_OP_END, _NAME_LETTERS, _OP_LETTERS = 430, 44, 20


def graph_svg(graph: Mapping[str, Any]) -> str:
    rows = rows_of(graph)
    left = _MARGIN + (rows.width + 2) * _LANE
    width = left + _FUSED + _BOX_W + _SHARE_W + _MARGIN
    height = len(rows.names) * _PITCH + 2 * _MARGIN
    layers = {layer["name"]: layer for layer in graph["layers"]}
    edges = {edge["name"]: edge for edge in graph["edges"]}
    box_x = left + _FUSED
    parts = [_link(row, box_x) for row in sorted(rows.linked)]
    parts += [line for lane in rows.lanes for line in _lane(lane, left)]
    parts += [_outside(rows, row, graph, edges, box_x) for row in (0, len(rows.names) - 1)]
    parts += [_node(layers[name], row, edges, box_x) for row, name in enumerate(rows.names) if name is not None]
    title = f"{graph['name']}: {len(rows.names) - 2} layers in execution order"
    return "\n".join(
        [
            f'<svg class="graph" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="group" '
            f'aria-label="{escape(title)}" data-roving>',
            *parts,
            "</svg>",
        ]
    )


def _top(row: int) -> int:
    return _MARGIN + row * _PITCH


def _link(row: int, x: int) -> str:
    return f'<path class="edge" d="M{x + 20} {_top(row - 1) + _BOX_H}V{_top(row)}"/>'


def _lane(lane: Lane, left: int) -> list[str]:
    """From the lower corner of the producer down to the upper corners of its consumers."""
    x = left - (lane.place + 1) * _LANE
    start, middle = _top(lane.start) + _BOX_H - 5, [_top(end) + 6 for end in lane.ends]
    trunk = f"M{left + _FUSED} {start}H{x + 3}Q{x} {start} {x} {start + 3}V{middle[-1] - 3}"
    ends = [f"M{x} {y - 3}Q{x} {y} {x + 3} {y}H{left + _FUSED}" for y in middle]
    dots = [f'<circle class="joint" cx="{left + _FUSED}" cy="{y}" r="2"/>' for y in middle]
    return [f'<path class="edge skip" d="{trunk}{"".join(ends)}"/>', *dots]


def _outside(rows: Rows, row: int, graph: Mapping[str, Any], edges: Mapping[str, Mapping[str, Any]], x: int) -> str:
    name, ends = ("input", graph["inputs"]) if row == 0 else ("output", graph["outputs"])
    shapes = ", ".join(_shape(edges[edge]) for edge in ends)
    y = _top(row)
    frame = f'<rect class="outside" x="{x}" y="{y}" width="{_BOX_W}" height="{_BOX_H}" rx="12"/>'
    return frame + _text(x + 14, y, f"{name} {shapes}", "dim")


def _node(layer: Mapping[str, Any], row: int, edges: Mapping[str, Mapping[str, Any]], x: int) -> str:
    name, y = layer["name"], _top(row)
    shape = ", ".join(_shape(edges[edge]) for edge in layer["outputs"][:1])
    about = f"{name}: {layer['op']} to {shape}" + (f", {layer['macs']:,} MACs" if layer["macs"] else "")
    share_x = x + _BOX_W + 10
    return (
        f'<g class="node {escape(layer["kind"])}" data-layer="{escape(name)}" role="button" '
        f'aria-label="{escape(about)}" data-tip="{escape(about)}">'
        f'<rect class="fused" x="{x - _FUSED + 2}" y="{y - 3}" width="4" height="{_PITCH}"/>'
        f'<rect class="box" x="{x}" y="{y}" width="{_BOX_W}" height="{_BOX_H}" rx="4"/>'
        f"{_text(x + 10, y, _short(name, _NAME_LETTERS), '')}"
        f"{_text(x + _OP_END, y, _short(layer['op'], _OP_LETTERS), 'dim', 'end')}"
        f"{_text(x + _BOX_W - 10, y, shape, '', 'end')}"
        f'<rect class="share" x="{share_x}" y="{y + 8}" width="0" height="8" rx="2" data-full="{_SHARE_W - 60}"/>'
        f"{_text(share_x, y, '', 'dim percent')}</g>"
    )


def _shape(edge: Mapping[str, Any]) -> str:
    return "x".join(map(str, edge["shape"])) or "1"


def _text(x: int, y: int, text: str, css: str, anchor: str = "start") -> str:
    kind = f' class="{css}"' if css else ""
    at = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text{kind} x="{x}" y="{y + 16}"{at}>{escape(text)}</text>'


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else "…" + text[-letters + 1 :]
