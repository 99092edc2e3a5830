"""A layer graph as a table."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from energysim.graph.data import parameter_words, unmodelled
from energysim.graph.layers import LayerGraph, LayerKind


def print_graph(graph: LayerGraph, console: Console, views: bool = False) -> None:
    """Layers, totals, what is not modelled and what was assumed. Views, which move no word, only on request."""
    table = Table(title=f"{graph.name}: {_shapes(graph, graph.inputs)} to {_shapes(graph, graph.outputs)}")
    for heading in ("layer", "operator", "ifmap", "ofmap"):
        table.add_column(heading, overflow="fold")
    for heading in ("MACs", "parameters"):
        table.add_column(heading, justify="right")
    table.add_column("folded in", overflow="fold")
    shown = [layer for layer in graph.layers if views or layer.kind is not LayerKind.VIEW]
    for layer in shown:
        table.add_row(
            layer.name,
            layer.op,
            _shapes(graph, layer.inputs),
            _shapes(graph, layer.outputs),
            f"{layer.macs:,}" if layer.macs else "",
            f"{parameter_words(graph, layer):,}" if layer.parameters else "",
            ", ".join(layer.folded),
        )
    console.print(table)
    hidden = len(graph.layers) - len(shown)
    views_text = f" (and {hidden} views, which move no word)" if hidden else ""
    console.print(f"{len(shown)} layers{views_text}, {graph.macs:,} MACs, {graph.parameters:,} parameters")
    fixed = sorted(width for width in graph.widths if width is not None)
    if fixed:
        rest = "; the rest as wide as the device's" if None in graph.widths else ""
        console.print(f"quantized to words of {', '.join(map(str, fixed))} bits{rest}")
    for op, (count, words) in unmodelled(graph).items():
        console.print(f"not modelled: {op}, {count} x, {words:,} words moved")
    for note in graph.notes:
        console.print(f"note: {note}")


def _shapes(graph: LayerGraph, edges: tuple[str, ...]) -> str:
    return ", ".join("x".join(str(size) for size in graph.edges[name].shape) or "1" for name in edges)
