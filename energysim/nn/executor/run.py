"""A whole schedule on a network: stacks one after the other, views in between, every tensor compared on the way."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from energysim.graph.layers import Layer, LayerKind
from energysim.nn.executor.mapped_layer import LayerMapping, run_mapped_layer
from energysim.nn.executor.mapped_tiles import TileMappings, run_tiles_from_dram
from energysim.nn.executor.memory import Dram
from energysim.nn.executor.operators import folded
from energysim.nn.executor.program import ExecutableProgram, ExecutionError
from energysim.nn.executor.stack import results_of, run_stack
from energysim.nn.executor.trace import StackTrace
from energysim.schedule.values import Schedule, Stack


@dataclass(frozen=True)
class Execution:
    """``outputs`` of the network; ``stacks`` in order; ``edges``: every feature map that was in DRAM at the end."""

    outputs: tuple[Tensor, ...]
    stacks: tuple[StackTrace, ...]
    edges: dict[str, Tensor]

    @property
    def loaded_words(self) -> int:
        return sum(sum(trace.loaded.values()) + sum(trace.weights.values()) for trace in self.stacks)

    @property
    def stored_words(self) -> int:
        return sum(sum(trace.stored.values()) for trace in self.stacks)

    @property
    def macs_executed(self) -> int:
        return sum(sum(trace.macs.values()) for trace in self.stacks)


def run_schedule(
    program: ExecutableProgram, schedule: Schedule, mapped: Mapping[str, LayerMapping | TileMappings] | None = None
) -> Execution:
    """Execute ``schedule`` tile by tile. A layer with a mapping in ``mapped`` is a stack of its own and runs as that
    says; of a layer with mappings of its tiles, these say how it moves what the stack does not hold on chip.

    Raises ExecutionError where it leaves out or repeats a layer, reads what no stack has written, or needs a word that
    is no longer on chip.
    """
    graph = program.graph
    times = Counter(name for stack in schedule.stacks for name in stack.layers)
    if times and max(times.values()) > 1:
        raise ExecutionError(f"the schedule runs layer {times.most_common(1)[0][0]!r} more than once")
    missing = {layer.name for layer in graph.layers if layer.kind is not LayerKind.VIEW} - times.keys()
    if missing:
        raise ExecutionError(f"the schedule runs no layer {', '.join(sorted(missing)[:3])}")
    resident = {
        item.edge: (_channels(graph.edges[item.edge].shape) if item.channels is None else item.channels)
        for item in schedule.retained
    }
    dram = Dram()
    for edge, tensor in zip(graph.inputs, program.inputs, strict=True):
        dram.put(edge, tensor, resident.get(edge, 0))
    views = [layer for layer in graph.layers if layer.kind is LayerKind.VIEW]
    traces = []
    with torch.no_grad():
        views = _look(program, views, dram)
        for stack in schedule.stacks:
            layers = [graph.layer(name) for name in stack.layers]
            for edge in results_of(program, layers):
                dram.allocate(edge, graph.edges[edge].shape, _dtype(program, edge), resident.get(edge, 0))
            _check_inputs(layers, dram)
            traces.append(_run(program, stack, layers, mapped or {}, dram))
            views = _look(program, views, dram)
    outputs = tuple(dram.tensors[edge] for edge in graph.outputs)
    return Execution(outputs, tuple(traces), dram.tensors)


def _run(
    program: ExecutableProgram,
    stack: Stack,
    layers: list[Layer],
    mapped: Mapping[str, LayerMapping | TileMappings],
    dram: Dram,
) -> StackTrace:
    hows = {layer.name: mapped[layer.name] for layer in layers if layer.name in mapped}
    streaming = {name: how for name, how in hows.items() if isinstance(how, TileMappings) and how.only_weights}
    if len(streaming) == len(hows):
        return run_stack(program, stack, dram, streaming)
    if len(layers) > 1:
        raise ExecutionError(f"layer {layers[0].name!r} has a mapping of its own and is part of a stack")
    how = hows[layers[0].name]
    if isinstance(how, TileMappings):
        return run_tiles_from_dram(program, stack, layers[0], how, dram)
    return run_mapped_layer(program, stack, layers[0], how, dram)


def _channels(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) > 1 else 1


def _dtype(program: ExecutableProgram, edge: str) -> torch.dtype:
    plain = program.plain(edge)
    return program.inputs[0].dtype if plain is None else plain.dtype


def _check_inputs(layers: list[Layer], dram: Dram) -> None:
    inside = {edge for layer in layers for edge in layer.outputs}
    for layer in layers:
        for edge in layer.inputs:
            if edge not in inside and edge not in dram.tensors:
                raise ExecutionError(f"layer {layer.name!r} reads {edge!r}, which no stack before it has written")


def _look(program: ExecutableProgram, views: list[Layer], dram: Dram) -> list[Layer]:
    """Make every view whose source is in DRAM; return those that have to wait."""
    waiting = []
    for layer in views:
        if any(edge not in dram.tensors for edge in layer.inputs):
            waiting.append(layer)
            continue
        for edge in layer.outputs:
            dram.view(edge, layer.inputs[0], functools.partial(_show, program, layer, edge))
    return waiting


def _show(program: ExecutableProgram, layer: Layer, edge: str, source: Tensor) -> Tensor:
    """A view's result for a tensor of its source's shape and any type."""
    names = program.edges_of(layer)
    tensors = {name: source for name, of in names.items() if of == layer.inputs[0]}
    folded(program.calls(layer), tensors, program)
    return next(tensors[name] for name, of in names.items() if of == edge)
