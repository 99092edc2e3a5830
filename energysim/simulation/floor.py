"""What no schedule can move less of: weights, network input and network output, once each.

Words that nothing needs do not count. A stack computes no more of a feature map than its readers need: where a pooling
window leaves out the last row, its producer never reads what only that row depends on. So what the results need is
followed backwards through the layers, as sets of rows and of columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from energysim.cost.layers import read_words, touched_words
from energysim.graph.layers import Layer, LayerGraph, LayerKind
from energysim.schedule.axes import AxisMap
from energysim.schedule.intervals import Interval, bits
from energysim.schedule.spatial import axis_maps

Needed = tuple[int, int]
"""Rows and columns of a feature map as bit masks (bit x = coordinate x); what is needed holds their product."""


def floor_bytes(graph: LayerGraph, word_bits: int) -> float:
    """Bytes that cross DRAM in every schedule of ``graph``; words whose width it leaves open have ``word_bits``.

    Biases and folded BatchNorm terms are left out, as in the counts. A bound: where several layers read different
    parts of a feature map, only the largest of these parts is taken to be needed.
    """
    words = {**_weights(graph), **_results(graph)}
    for name, count in _inputs(graph):
        words[name] = max(words.get(name, 0), count)
    return sum(count * (graph.edges[name].bits or word_bits) for name, count in words.items()) / 8


def _weights(graph: LayerGraph) -> dict[str, int]:
    found: dict[str, int] = {}
    for layer in graph.layers:
        edges = layer.parameters
        if layer.problem is not None:
            edges = tuple(edge for tensor, edge in layer.operands if layer.problem.tensor(tensor).is_parameter)
        if layer.kind is not LayerKind.VIEW:
            found.update({edge: graph.edges[edge].words for edge in edges})
    return found


def _results(graph: LayerGraph) -> dict[str, int]:
    """Outputs of the network. One that shows words of an input is there already; of a transposed convolution only what
    its products reach is written."""
    found = {}
    for name in graph.outputs:
        edge = graph.edges[graph.edges[name].storage]
        if edge.name in graph.producers:
            layer = graph.layer(graph.producers[edge.name])
            tensor = next((t for t, operand in layer.operands if operand == edge.name), None)
            if layer.problem is None or tensor is None:
                found[edge.name] = edge.words
            else:
                found[edge.name] = touched_words(layer.problem, tensor)
    return found


def _inputs(graph: LayerGraph) -> Iterator[tuple[str, int]]:
    """(network input, words of it that a layer reads) for every layer that reads one, or a view of one."""
    inputs, wanted = frozenset(graph.inputs), dict[str, list[Needed]]()
    for layer in reversed(graph.layers):
        if layer.kind is LayerKind.VIEW:
            continue
        maps = axis_maps(layer, graph)
        behind: dict[str, Needed] = {}
        if maps is not None:
            needed = _most(wanted.get(layer.outputs[0], ()), layer.outputs[0], graph)
            behind = {edge: (_behind(needed[0], rows), _behind(needed[1], cols)) for edge, (rows, cols) in maps.items()}
        for edge in dict.fromkeys(layer.inputs):
            if graph.edges[edge].storage in inputs:
                yield graph.edges[edge].storage, _words_read(layer, edge, behind.get(edge), graph)
            else:
                wanted.setdefault(edge, []).append(behind.get(edge) or _whole(edge, graph))


def _most(found: Sequence[Needed], edge: str, graph: LayerGraph) -> Needed:
    """What is computed of a feature map at least: all, where it leaves the network or a view shows it."""
    readers = graph.consumers.get(edge, ())
    if edge in graph.outputs or not readers or any(graph.layer(name).kind is LayerKind.VIEW for name in readers):
        return _whole(edge, graph)
    return max(found, key=lambda needed: needed[0].bit_count() * needed[1].bit_count())


def _whole(edge: str, graph: LayerGraph) -> Needed:
    shape = graph.edges[edge].shape
    rows, columns = shape[2:] if len(shape) == 4 else (1, 1)
    return bits(Interval(0, rows)), bits(Interval(0, columns))


def _behind(needed: int, axis: AxisMap) -> int:
    """Coordinates of the ifmap that the coordinates ``needed`` of the ofmap read."""
    found, start = 0, 0
    while needed:
        start += (skip := (needed & -needed).bit_length() - 1)
        needed >>= skip
        size = (~needed & (needed + 1)).bit_length() - 1  # ones from here on
        found |= axis.touched(Interval(start, start + size))
        start, needed = start + size, needed >> size
    return found


def _words_read(layer: Layer, edge: str, needed: Needed | None, graph: LayerGraph) -> int:
    """Words of a network input under a layer; ``needed``: where it is local in the plane."""
    if needed is not None:
        return prod(graph.edges[edge].shape[:2]) * needed[0].bit_count() * needed[1].bit_count()
    tensor = next((t for t, operand in layer.operands if operand == edge), None)
    if layer.problem is None or tensor is None:
        return read_words(layer, graph, edge)
    return min(touched_words(layer.problem, tensor), graph.edges[graph.edges[edge].storage].words)
