"""Tiles of a layer that run by mappings of their own: from DRAM and back, or on chip but for weights that stream in.

Which problem a tile is follows from the coordinates that its pixels read, found by walking over taps; the closed form
in :mod:`energysim.schedule.tile_problems` has to come to the same problem, or there is no mapping for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from energysim.arch.spec import ArchSpec
from energysim.graph.layers import Layer
from energysim.graph.problem import Rank, Role, TensorProblem
from energysim.mapping.nest import Mapping as LoopMapping
from energysim.nn.executor.mapped import run_nest, streamed_words
from energysim.nn.executor.mapped_layer import operands_of
from energysim.nn.executor.memory import Dram
from energysim.nn.executor.operators import Reads, Span, call_is_transposed, folded, local_reads
from energysim.nn.executor.program import ExecutableProgram, ExecutionError
from energysim.nn.executor.trace import StackTrace
from energysim.schedule.intervals import cut
from energysim.schedule.values import Stack


@dataclass(frozen=True)
class TileMappings:
    """The mapping of every distinct tile of a layer onto ``arch``; the problems have words of ``bits``.

    ``outermost``: DRAM's node in ``arch``. 0: a tile starts and ends in DRAM. Else its feature maps are on chip,
    further out, and only its weights come from DRAM. Without any mapping (a layer without MACs), the layer's
    parameters come from DRAM with every tile.
    """

    arch: ArchSpec
    mappings: Mapping[TensorProblem, LoopMapping]
    bits: int
    outermost: int = 0
    _streamed: dict[TensorProblem, int] = field(default_factory=dict, compare=False, repr=False)

    @property
    def only_weights(self) -> bool:
        """Whether mappings decide about weights alone."""
        return self.outermost > 0 or not self.mappings

    def of(self, layer: Layer, problem: TensorProblem) -> tuple[TensorProblem, LoopMapping]:
        """Raises ExecutionError where no mapping is known for a tile of ``layer``."""
        wide = problem.with_bits(dict.fromkeys(Role, self.bits))
        if wide not in self.mappings:
            raise ExecutionError(f"a tile of layer {layer.name!r} is a problem that no mapping is known for")
        return wide, self.mappings[wide]

    def weight_words(self, layer: Layer, problem: TensorProblem) -> int:
        """What one tile's weights stream from DRAM; equal tiles stream alike, so each kind is walked through once."""
        if problem not in self._streamed:
            wide, mapping = self.of(layer, problem)
            self._streamed[problem] = sum(
                streamed_words(wide, self.arch, mapping, tensor, self.outermost)
                for tensor in wide.inputs
                if tensor.is_parameter
            )
        return self._streamed[problem]


@dataclass(frozen=True, slots=True)
class TileWork:
    """A tile's problem with one image (None where no ifmap pixel reaches it), and the ifmap rectangle behind it."""

    problem: TensorProblem | None
    rows: Span
    columns: Span


def tile_work(layer: Layer, reads: tuple[Reads, Reads], rows: Span, columns: Span, transposed: bool) -> TileWork:
    """The work behind the ofmap rectangle ``rows`` x ``columns`` of a convolution."""
    problem = layer.problem
    assert problem is not None
    windowed = problem.tensor("ofmap" if transposed else "ifmap")
    bounds = {windowed.ranks[0].terms[0][0]: 1}
    ranks: list[Rank] = list(windowed.ranks[:-2])
    behind = []
    for rank, side, (lo, hi) in zip(windowed.ranks[-2:], reads, (rows, columns), strict=True):
        places = side(range(lo, hi))
        first, stop = (min(places), max(places) + 1) if places else (0, 0)
        behind.append((first, stop))
        (position, stride), _ = rank.terms
        if transposed:
            bounds[position] = stop - first
            ranks.append(Rank(rank.terms, first * stride + rank.offset - lo, hi - lo))
        else:
            bounds[position] = hi - lo
            ranks.append(Rank(rank.terms, lo * stride + rank.offset - first, stop - first))
    if 0 in bounds.values():
        return TileWork(None, behind[0], behind[1])
    tensors = tuple(replace(t, ranks=tuple(ranks)) if t is windowed else t for t in problem.tensors)
    dims = tuple((dim, bounds.get(dim, bound)) for dim, bound in problem.dims)
    return TileWork(TensorProblem(dims, tensors), behind[0], behind[1])


def run_tiles_from_dram(
    program: ExecutableProgram, stack: Stack, layer: Layer, how: TileMappings, dram: Dram
) -> StackTrace:
    """Run a layer tile by tile, each tile by its mapping between DRAM and DRAM.

    Raises ExecutionError where the layer is no convolution over a plane, or a tile has no mapping.
    """
    reads = local_reads(layer, program)
    if layer.problem is None or reads is None or stack.tile is None:
        raise ExecutionError(f"layer {layer.name!r} has no tiles that could be mapped")
    call, (source,), (output,) = program.calls(layer)[0], layer.inputs, layer.outputs
    names = {edge: name for name, edge in program.edges_of(layer).items()}
    trace = StackTrace(stack)
    result = torch.full_like(dram.tensors[output], torch.nan)
    sides = [cut(size, tile) for size, tile in zip(result.shape[2:], stack.tile, strict=True)]
    bias = call.optional("bias")
    for image, rows, columns in _tiles(result.shape[0], *sides):
        work = tile_work(layer, reads[source], rows, columns, call_is_transposed(call))
        made = torch.zeros(1, result.shape[1], rows[1] - rows[0], columns[1] - columns[0], dtype=result.dtype)
        if work.problem is not None:
            block = dram.tensors[source][image : image + 1, :, slice(*work.rows), slice(*work.columns)]
            problem, mapping = how.of(layer, work.problem)
            run = run_nest(problem, how.arch, mapping, operands_of(call, problem, {names[source]: block}, program))
            made = run.result.reshape(made.shape)
            _count(trace, layer, problem, run.words, run.macs)
        else:  # no MAC, but the tile (zeros, or the bias) is stored like any other
            trace.stored[output] += made.numel()
        if bias is not None:
            made = made + program.stored(bias)[:, None, None]
        tensors: dict[str, Tensor] = {call.outputs[0].name: made}
        folded(program.calls(layer)[1:], tensors, program)
        result[image, :, slice(*rows), slice(*columns)] = tensors[names[output]][0]
    dram.fill(output, result)
    trace.of_one_layer()
    return trace


def _tiles(images: int, down: Iterable[Span], across: Iterable[Span]) -> Iterable[tuple[int, Span, Span]]:
    across = tuple(across)
    for image in range(images):
        for rows in down:
            for columns in across:
                yield image, rows, columns


def _count(
    trace: StackTrace, layer: Layer, problem: TensorProblem, words: dict[str, tuple[int, int]], macs: int
) -> None:
    edges = dict(layer.operands)
    trace.macs[layer.name] += macs
    for tensor in problem.tensors:
        reads, updates = words[tensor.name]
        if tensor.is_parameter:
            trace.weights[layer.name] += reads
        else:
            trace.loaded[edges[tensor.name]] += reads
            trace.stored[edges[tensor.name]] += updates
