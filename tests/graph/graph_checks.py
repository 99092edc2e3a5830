"""What holds of every layer graph, and a problem executed element by element."""

from __future__ import annotations

import itertools
from math import prod

import numpy as np

from energysim.graph.layers import LayerGraph, LayerKind, TensorKind
from energysim.graph.problem import Tensor, TensorProblem


def check_graph(graph: LayerGraph) -> None:
    """Edges exist, every input of a layer has been written before, and inputs reach all outputs that depend on them."""
    names = [layer.name for layer in graph.layers]
    assert len(set(names)) == len(names)
    written = set(graph.inputs)
    for layer in graph.layers:
        for edge in (*layer.inputs, *layer.outputs, *layer.parameters):
            assert edge in graph.edges, (layer.name, edge)
        for edge in layer.inputs:
            assert edge in written, f"{layer.name} reads {edge} before it is written"
        for edge in layer.parameters:
            assert graph.edges[edge].kind in (TensorKind.PARAMETER, TensorKind.CONSTANT)
        assert layer.inputs, layer.name
        assert layer.outputs, layer.name
        written.update(layer.outputs)
        check_layer_words(graph, layer.name)
    for edge in graph.edges.values():
        assert edge.storage in graph.edges
        assert edge.words == prod(edge.shape)
    for edge_name in graph.outputs:
        assert edge_name in written or graph.edges[edge_name].kind is TensorKind.CONSTANT
    read = {edge for layer in graph.layers for edge in layer.inputs} | set(graph.outputs)
    for layer in graph.layers:
        assert any(edge in read for edge in layer.outputs), f"nothing reads {layer.name}"
    assert set(graph.producers) == written - set(graph.inputs)


def check_layer_words(graph: LayerGraph, name: str) -> None:
    """A MAC layer's problem spans exactly the words of the edges behind its tensors."""
    layer = graph.layer(name)
    if layer.kind is not LayerKind.MAC:
        assert layer.problem is None
        return
    problem, operands = layer.problem, dict(layer.operands)
    assert problem is not None
    assert set(operands) == {tensor.name for tensor in problem.tensors}
    for tensor in problem.tensors:
        assert prod(extents(problem, tensor)) == graph.edges[operands[tensor.name]].words, (name, tensor.name)
    assert operands["ofmap"] == layer.outputs[0]
    assert {operands["ifmap"], operands["weights"]} <= {*layer.inputs, *layer.parameters}


def extents(problem: TensorProblem, tensor: Tensor) -> tuple[int, ...]:
    """The size of each axis: stated, or one more than the largest coordinate that the loops reach."""
    bounds = problem.bounds
    return tuple(
        rank.extent
        if rank.extent is not None
        else 1 + rank.offset + sum(coefficient * (bounds[dim] - 1) for dim, coefficient in rank.terms)
        for rank in tensor.ranks
    )


def execute(problem: TensorProblem, weights: np.ndarray, ifmap: np.ndarray) -> np.ndarray:
    """Run the loop nest point by point on operands shaped like the problem's ranks; padding reads zero."""
    weights_tensor, ifmap_tensor, ofmap_tensor = (problem.tensor(name) for name in ("weights", "ifmap", "ofmap"))
    result = np.zeros(extents(problem, ofmap_tensor))
    names = [dim for dim, _ in problem.dims]
    for point in itertools.product(*(range(bound) for _, bound in problem.dims)):
        at = dict(zip(names, point, strict=True))
        where = [_coordinates(tensor, at) for tensor in (weights_tensor, ifmap_tensor, ofmap_tensor)]
        if all(coordinates is not None for coordinates in where):
            result[where[2]] += weights[where[0]] * ifmap[where[1]]
    return result


def _coordinates(tensor: Tensor, at: dict[str, int]) -> tuple[int, ...] | None:
    found = []
    for rank in tensor.ranks:
        coordinate = rank.offset + sum(coefficient * at[dim] for dim, coefficient in rank.terms)
        if coordinate < 0 or (rank.extent is not None and coordinate >= rank.extent):
            return None
        found.append(coordinate)
    return tuple(found)
