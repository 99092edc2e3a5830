"""From a layer of the graph to what its cost depends on: streams of a vector layer, op classes, bytes."""

from __future__ import annotations

from math import prod

from energysim.arch.spec import ArchSpec
from energysim.cost.energy import Operand
from energysim.engines.streaming import Stream
from energysim.graph.layers import Layer, LayerGraph, LayerKind
from energysim.graph.problem import Role, TensorProblem
from energysim.mapping.counts import Counts

# Passes over a row on chip: softmax takes the maximum, the sum of exponentials, and divides; a normalization takes the
# moments and then scales. The row crosses the outermost memory once.
_PASSES = {"softmax": 3, "layer_norm": 2, "group_norm": 2, "instance_norm": 2}


def op_class(layer: Layer) -> str:
    """The class that a device's efficiency is stated for: conv, depthwise, linear, matmul or vector."""
    if layer.kind is not LayerKind.MAC or layer.problem is None:
        return "vector"
    if layer.op.startswith("conv"):
        bounds = layer.problem.bounds
        grouped = bounds.get("G", 1) > 1 and bounds.get("C", 1) == 1
        return "depthwise" if grouped else "conv"
    return "linear" if layer.op.startswith("linear") else "matmul"


def streams_of(layer: Layer, graph: LayerGraph, bits: int) -> tuple[Stream, ...]:
    """What a layer without MACs moves. A broadcast view moves the words behind it, not its shape.

    ``bits``: width of words whose width the network leaves open. Of several operands of one kind the widest sets it.
    """
    passes = _PASSES.get(layer.op, 1)
    taps = 1 if layer.window is None else prod(layer.window.kernel)
    outputs = sum(graph.edges[name].words for name in layer.outputs)
    streams: list[Stream] = []
    inputs = sum(read_words(layer, graph, name) for name in layer.inputs)
    if inputs:
        touches = outputs * taps if taps > 1 else inputs * passes
        streams.append(Stream(Role.IFMAP, inputs, _widest(graph, layer.inputs, bits), max(inputs, touches)))
    parameters = sum(graph.edges[name].words for name in layer.parameters)
    if parameters:
        streams.append(Stream(Role.WEIGHTS, parameters, _widest(graph, layer.parameters, bits), parameters))
    streams.append(Stream(Role.OFMAP, outputs, _widest(graph, layer.outputs, bits), outputs))
    return tuple(streams)


def _widest(graph: LayerGraph, edges: tuple[str, ...], bits: int) -> int:
    return max(graph.edges[name].bits or bits for name in edges)


def read_words(layer: Layer, graph: LayerGraph, name: str) -> int:
    """Words of a feature map that a layer without MACs reads: of a broadcast view those behind it, of a sliding window
    only those that lie under it (a stride may skip the others)."""
    edge = graph.edges[name]
    words = min(edge.words, graph.edges[edge.storage].words)
    if layer.window is None or layer.problem is not None or words < edge.words:
        return words
    axes = len(layer.window.kernel)
    result = graph.edges[layer.outputs[0]].shape[-axes:]
    window = layer.window
    sides = zip(edge.shape[-axes:], result, window.kernel, window.stride, window.padding, window.dilation, strict=True)
    for size_in, size_out, kernel, stride, (before, _), dilation in sides:
        under = {x * stride - before + tap * dilation for x in range(size_out) for tap in range(kernel)}
        words = words // size_in * sum(0 <= at < size_in for at in under)
    return words


def stream_operands(bits: int) -> dict[str, Operand]:
    """Streaming counts carry the role as the tensor's name."""
    return {role.value: Operand(role, bits) for role in Role}


def operands_of(streams: tuple[Stream, ...]) -> dict[str, Operand]:
    """The same, each role with the width of its own stream."""
    return {item.role.value: Operand(item.role, item.bits) for item in streams}


def live_share(layer: Layer, graph: LayerGraph, gates: frozenset[str]) -> float:
    """Share of the MACs whose gated operands (roles) are not zero.

    Zeros of two operands are taken as independent; padding's zeros are not counted, weights of any layout are.
    """
    if layer.problem is None:
        return 1.0
    edges = [edge for tensor, edge in layer.operands if layer.problem.tensor(tensor).role.value in gates]
    return prod(graph.edges[edge].density for edge in edges)


def problem_operands(problem: TensorProblem) -> dict[str, Operand]:
    return {tensor.name: Operand(tensor.role, tensor.bits) for tensor in problem.tensors}


def dram_bytes(counts: Counts, operands: dict[str, Operand], arch: ArchSpec) -> tuple[float, float]:
    """Bytes read from and written to the outermost memory."""
    outermost = arch.memories[0]
    read = written = 0.0
    for access in counts.accesses:
        if access.level == outermost.name:
            operand = operands[access.tensor]
            width = outermost.bits_of(operand.bits, operand.role is Role.OFMAP) / 8
            read += access.reads * width
            written += access.updates * width
    return read, written


def layer_floor_bytes(layer: Layer, graph: LayerGraph, bits: int) -> float:
    """Weights, ifmaps and ofmaps of one layer, once each: what it moves at least where all of them lie in DRAM.

    What stays on chip between layers is not moved, so that a stack's layers may be below it. Biases and folded
    BatchNorm terms are left out, as in the counts.
    """
    if layer.problem is None:
        return sum(stream.words * stream.bits for stream in streams_of(layer, graph, bits)) / 8
    return (
        sum(touched_words(layer.problem, tensor) * (graph.edges[edge].bits or bits) for tensor, edge in layer.operands)
        / 8
    )


def touched_words(problem: TensorProblem, tensor: str) -> int:
    """Words of a tensor that exist and that some iteration touches: no mapping moves fewer."""
    words = 1
    for rank in problem.tensor(tensor).ranks:
        reach = {rank.offset}
        for dim, coefficient in rank.terms:
            reach = {at + coefficient * step for at in reach for step in range(problem.bounds[dim])}
        words *= len(reach) if rank.extent is None else sum(0 <= at < rank.extent for at in reach)
    return words
