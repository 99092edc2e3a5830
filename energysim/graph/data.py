"""A layer graph as plain data."""

from __future__ import annotations

from typing import Any

from energysim.graph.layers import Edge, Layer, LayerGraph, LayerKind


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
        "unmodelled": [{"op": op, "count": n, "words": words} for op, (n, words) in unmodelled(graph).items()],
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
        "parameter_words": parameter_words(graph, layer),
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


def parameter_words(graph: LayerGraph, layer: Layer) -> int:
    return sum(graph.edges[name].words for name in layer.parameters)


def unmodelled(graph: LayerGraph) -> dict[str, tuple[int, int]]:
    """Operator -> how many times and how many words these read and write."""
    moved = dict.fromkeys(graph.unmodelled, 0)
    for layer in graph.layers:
        if layer.kind is LayerKind.UNMODELLED:
            moved[layer.op] += sum(
                graph.edges[name].words for name in (*layer.inputs, *layer.parameters, *layer.outputs)
            )
    return {op: (count, moved[op]) for op, count in graph.unmodelled.items()}
