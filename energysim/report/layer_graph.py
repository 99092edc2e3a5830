"""A layer graph as a table and as plain data."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from energysim.graph.layers import Edge, Layer, LayerGraph, LayerKind


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
            f"{_parameters(graph, layer):,}" if layer.parameters else "",
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
    for op, (count, words) in _unmodelled(graph).items():
        console.print(f"not modelled: {op}, {count} x, {words:,} words moved")
    for note in graph.notes:
        console.print(f"note: {note}")


def graph_data(graph: LayerGraph) -> dict[str, Any]:
    """The graph for JSON: totals, every layer with its problem's dimensions, every edge."""
    return {
        "name": graph.name,
        "macs": graph.macs,
        "parameters": graph.parameters,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "layers": [_layer_data(graph, layer) for layer in graph.layers],
        "edges": [_edge_data(edge) for edge in graph.edges.values()],
        "unmodelled": [{"op": op, "count": n, "words": words} for op, (n, words) in _unmodelled(graph).items()],
        "notes": list(graph.notes),
    }


def _layer_data(graph: LayerGraph, layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "op": layer.op,
        "kind": layer.kind.value,
        "inputs": list(layer.inputs),
        "outputs": list(layer.outputs),
        "parameters": list(layer.parameters),
        "parameter_words": _parameters(graph, layer),
        "macs": layer.macs,
        "ops": layer.ops,
        "dims": dict(layer.problem.dims) if layer.problem is not None else None,
        "operands": dict(layer.operands),
        "folded": list(layer.folded),
        "module": layer.module,
    }


def _edge_data(edge: Edge) -> dict[str, Any]:
    data = {"name": edge.name, "shape": list(edge.shape), "kind": edge.kind.value, "storage": edge.storage}
    return data if edge.bits is None else {**data, "bits": edge.bits}


def _shapes(graph: LayerGraph, edges: tuple[str, ...]) -> str:
    return ", ".join("x".join(str(size) for size in graph.edges[name].shape) or "1" for name in edges)


def _parameters(graph: LayerGraph, layer: Layer) -> int:
    return sum(graph.edges[name].words for name in layer.parameters)


def _unmodelled(graph: LayerGraph) -> dict[str, tuple[int, int]]:
    """Operator -> how many times and how many words these read and write."""
    moved = dict.fromkeys(graph.unmodelled, 0)
    for layer in graph.layers:
        if layer.kind is LayerKind.UNMODELLED:
            moved[layer.op] += sum(
                graph.edges[name].words for name in (*layer.inputs, *layer.parameters, *layer.outputs)
            )
    return {op: (count, moved[op]) for op, count in graph.unmodelled.items()}
