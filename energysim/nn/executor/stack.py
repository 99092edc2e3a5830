"""One stack of layers run depth first: tile by tile and, within a tile, layer by layer.

Each image has its own chip state. A feature map from outside is fetched just before its first reader in the tile, an
inner one is dropped after its last reader, except for what later tiles still use and the overlap mode keeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor

from energysim.graph.layers import Layer, TensorKind
from energysim.nn.executor.mapped_tiles import TileMappings, tile_work
from energysim.nn.executor.memory import Dram, Index, OnChip
from energysim.nn.executor.operators import Reads, Span, call_is_transposed, folded, local_reads, run_region
from energysim.nn.executor.program import ExecutableProgram, ExecutionError
from energysim.nn.executor.tiling import AxisTiles, Local, Places, runs, tile_axis
from energysim.nn.executor.trace import StackTrace
from energysim.schedule.values import Overlap, Stack


def run_stack(
    program: ExecutableProgram, stack: Stack, dram: Dram, streaming: Mapping[str, TileMappings] | None = None
) -> StackTrace:
    """Run ``stack`` on what is in ``dram``; its results are there afterwards. ``streaming``: the layers whose weights
    have no home on chip, with the mappings that say how often they come.

    Raises ExecutionError where a layer of several, or of a tiled stack, is not local in the plane.
    """
    layers = [program.graph.layer(name) for name in stack.layers]
    reads = [local_reads(layer, program) for layer in layers]
    trace = StackTrace(stack)
    loaded, stored = Counter(dram.loaded), Counter(dram.stored)
    found = [entry for entry in reads if entry is not None]
    if len(found) == len(layers):
        _Tiled(program, stack, layers, found, dram, trace, streaming or {}).run()
    elif len(layers) == 1 and stack.tile is None:
        _run_whole(program, layers[0], dram, trace)
    else:
        name = next(layer.name for layer, entry in zip(layers, reads, strict=True) if entry is None)
        raise ExecutionError(f"layer {name!r} is not local in its plane and runs only alone, without tiles")
    trace.loaded.update(dram.loaded - loaded)
    trace.stored.update(dram.stored - stored)
    if len(layers) == 1:
        trace.of_one_layer()
    return trace


def results_of(program: ExecutableProgram, layers: list[Layer]) -> list[str]:
    """Feature maps that somebody outside reads (a view too), that leave the network, or that nobody reads."""
    inside = {layer.name for layer in layers}
    graph = program.graph
    return [
        edge
        for layer in layers
        for edge in layer.outputs
        if graph.edges[edge].kind is TensorKind.OUTPUT
        or not graph.consumers.get(edge)
        or any(reader not in inside for reader in graph.consumers[edge])
    ]


def weight_words(program: ExecutableProgram, layer: Layer) -> dict[str, int]:
    """Words of each parameter that has to be fetched; biases and folded BatchNorm terms of a MAC layer are not moved
    (nothing counts them, and every table says so)."""
    names = list(layer.parameters)
    if layer.problem is not None:
        names = [edge for tensor, edge in layer.operands if layer.problem.tensor(tensor).is_parameter]
    return {name: program.graph.edges[name].words for name in names}


def _run_whole(program: ExecutableProgram, layer: Layer, dram: Dram, trace: StackTrace) -> None:
    """A layer that is not local: what it reads of every operand once, every result written once."""
    everything: Index = (...,)
    tensors: dict[str, Tensor] = {}
    names = program.edges_of(layer)
    for value, edge in names.items():
        if edge in layer.inputs:
            at = _under_windows(program, layer, edge) or everything
            tensors[value] = torch.empty_like(dram.tensors[edge])
            if tensors[value].is_floating_point():
                tensors[value].fill_(torch.nan)
            tensors[value][at] = dram.load(edge, at)
    folded(program.calls(layer), tensors, program)
    for value, edge in names.items():
        if edge in layer.outputs:
            dram.store(edge, everything, tensors[value])
    trace.weights[layer.name] += sum(weight_words(program, layer).values())
    if layer.macs:
        trace.macs[layer.name] += layer.macs


def _under_windows(program: ExecutableProgram, layer: Layer, edge: str) -> Index | None:
    """The words under a pooling layer's windows; None where the layer has none."""
    if layer.window is None or layer.problem is not None:
        return None
    window, sizes = layer.window, program.graph.edges[edge].shape[-len(layer.window.kernel) :]
    counts = program.graph.edges[layer.outputs[0]].shape[-len(sizes) :]
    places = [
        sorted(
            {
                at
                for x in range(counts[axis])
                for tap in range(window.kernel[axis])
                if 0 <= (at := x * window.stride[axis] - window.padding[axis][0] + tap * window.dilation[axis]) < size
            }
        )
        for axis, size in enumerate(sizes)
    ]
    return (..., *torch.meshgrid(*(torch.tensor(side) for side in places), indexing="ij"))


class _Tiled:
    def __init__(
        self,
        program: ExecutableProgram,
        stack: Stack,
        layers: list[Layer],
        reads: list[dict[str, tuple[Reads, Reads]]],
        dram: Dram,
        trace: StackTrace,
        streaming: Mapping[str, TileMappings],
    ) -> None:
        self.program, self.stack, self.layers, self.dram, self.trace = program, stack, layers, dram, trace
        self.streaming = streaming
        edges = dict.fromkeys(edge for layer in layers for edge in (*layer.inputs, *layer.outputs))
        self.shapes = {edge: program.graph.edges[edge].shape for edge in edges}
        self.outputs = results_of(program, layers)
        self.reads = {layer.name: entry for layer, entry in zip(layers, reads, strict=True)}
        self.rows, self.columns = (self._axis(reads, axis) for axis in (0, 1))
        self.last_reader = {edge: i for i, layer in enumerate(layers) for edge in (*layer.inputs, *layer.outputs)}
        self.on_chip: dict[str, OnChip] = {}
        self.resident: set[str] = set()
        self.image = 0

    def _axis(self, reads: list[dict[str, tuple[Reads, Reads]]], axis: int) -> AxisTiles:
        steps = [
            Local(layer.outputs[0], tuple((edge, pair[axis]) for edge, pair in entry.items()))
            for layer, entry in zip(self.layers, reads, strict=True)
        ]
        tile = None if self.stack.tile is None else self.stack.tile[axis]
        keeps = self.stack.overlap is Overlap.CACHE or (axis == 1 and self.stack.overlap is Overlap.CACHE_COLUMNS)
        return tile_axis(
            steps, {edge: shape[2 + axis] for edge, shape in self.shapes.items()}, self.outputs, tile, keeps
        )

    def run(self) -> None:
        for image in range(self.shapes[self.outputs[-1]][0]):
            self.image = image
            self.on_chip = {edge: OnChip(edge, shape[1:], self._dtype(edge)) for edge, shape in self.shapes.items()}
            for row in range(self.rows.count):
                for column in range(self.columns.count):
                    self._tile(row, column)

    def _dtype(self, edge: str) -> torch.dtype:
        plain = self.program.plain(edge)
        return self.program.inputs[0].dtype if plain is None else plain.dtype

    def _tile(self, row: int, column: int) -> None:
        for step, layer in enumerate(self.layers):
            self._bring_weights(layer)
            for edge in layer.inputs:
                if edge in self.rows.fetched and all(edge not in earlier.inputs for earlier in self.layers[:step]):
                    self._fetch(layer, edge, self.rows.fetched[edge][row], self.columns.fetched[edge][column])
            self._compute(
                layer, self.rows.computed[layer.outputs[0]][row], self.columns.computed[layer.outputs[0]][column]
            )
            if layer.outputs[0] in self.outputs:
                self._store(layer, row, column)
            self.trace.peak_words = max(self.trace.peak_words, sum(held.words for held in self.on_chip.values()))
            for edge, reader in self.last_reader.items():
                if reader == step:
                    self.on_chip[edge].keep(self._kept(edge, row, column))

    def _bring_weights(self, layer: Layer) -> None:
        if layer.name in self.streaming:
            return
        for name, words in weight_words(self.program, layer).items():
            if not self.stack.weights_resident or name not in self.resident:
                self.trace.weights[layer.name] += words
            self.resident.add(name)

    def _fetch(self, layer: Layer, edge: str, rows: Places, columns: Places) -> None:
        if rows and columns:
            down, across = sorted(rows), sorted(columns)
            before = self.dram.loaded[edge]
            data = self.dram.load(edge, self._at(down, across))
            self.trace.layer_loads[layer.name] += self.dram.loaded[edge] - before
            self.on_chip[edge].put(down, across, data)

    def _at(self, rows: list[int], columns: list[int]) -> Index:
        return self.image, slice(None), torch.tensor(rows)[:, None], torch.tensor(columns)[None, :]

    def _compute(self, layer: Layer, rows: Places, columns: Places) -> None:
        def fetch(edge: str, across_rows: Span, across_columns: Span, fill: float) -> Tensor:
            return self.on_chip[edge].read(across_rows, across_columns, fill)

        for down in runs(rows):
            for across in runs(columns):
                made = run_region(layer, self.program, down, across, fetch)
                self.on_chip[layer.outputs[0]].put(list(range(*down)), list(range(*across)), made[0])
                self._count_macs(layer, down, across)
                if layer.name in self.streaming:
                    self._stream_weights(layer, down, across)

    def _stream_weights(self, layer: Layer, down: Span, across: Span) -> None:
        if layer.problem is None:
            self.trace.weights[layer.name] += sum(weight_words(self.program, layer).values())
            return
        transposed = call_is_transposed(self.program.calls(layer)[0])
        work = tile_work(layer, self.reads[layer.name][layer.inputs[0]], down, across, transposed)
        if work.problem is not None:
            self.trace.weights[layer.name] += self.streaming[layer.name].weight_words(layer, work.problem)

    def _count_macs(self, layer: Layer, down: Span, across: Span) -> None:
        """Padding counts as work, as in the layer's problem, whose loops run over pixels of the ofmap, or of the ifmap
        where that is scattered."""
        if layer.problem is not None:
            bounds = layer.problem.bounds
            pixels = (down[1] - down[0]) * (across[1] - across[0])
            if call_is_transposed(self.program.calls(layer)[0]):
                pixels = _pixels(self.reads[layer.name][layer.inputs[0]], down, across)
            self.trace.macs[layer.name] += pixels * (layer.macs // (bounds["N"] * bounds["P"] * bounds["Q"]))

    def _store(self, layer: Layer, row: int, column: int) -> None:
        (edge,) = layer.outputs
        down, across = sorted(self.rows.stored[edge][row]), sorted(self.columns.stored[edge][column])
        if down and across:
            held = self.on_chip[edge]
            held.require(down, across)
            at = torch.tensor(down)[:, None], torch.tensor(across)[None, :]
            before = self.dram.stored[edge]
            self.dram.store(edge, self._at(down, across), held.tensor[:, at[0], at[1]])
            self.trace.layer_stores[layer.name] += self.dram.stored[edge] - before

    def _kept(self, edge: str, row: int, column: int) -> Tensor:
        """Mask of what later tiles use of what was on chip, as far as the overlap mode keeps it."""
        height, width = self.shapes[edge][2:]
        keep = torch.zeros(height, width, dtype=torch.bool)
        if self.stack.overlap is not Overlap.RECOMPUTE:
            keep |= _mask(self.rows.used[edge][row], height)[:, None] & _mask(
                self.columns.used_later(edge, column), width
            )
        if self.stack.overlap is Overlap.CACHE:
            keep |= _mask(self.rows.used_later(edge, row), height)[:, None]
        return keep


def _mask(places: Places, size: int) -> Tensor:
    mask = torch.zeros(size, dtype=torch.bool)
    mask[sorted(places)] = True
    return mask


def _pixels(reads: tuple[Reads, Reads], down: Span, across: Span) -> int:
    """Ifmap pixels from the first to the last that reach a rectangle of the ofmap, per axis."""
    sides = [sorted(side(range(*span))) for side, span in zip(reads, (down, across), strict=True)]
    return prod(side[-1] - side[0] + 1 if side else 0 for side in sides)
