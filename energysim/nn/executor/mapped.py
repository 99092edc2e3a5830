"""One layer carried out exactly as its mapping says: the loops above the on-chip memories, step by step, on slices.

At every step the tiles of all operands are on chip; the multiply-accumulates of the step read them there and add to the
partial sums there. What a loop nest further in does is arithmetic on data that has already arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from energysim.arch.spec import ArchSpec
from energysim.graph.problem import Tensor as Operand
from energysim.graph.problem import TensorProblem
from energysim.mapping.nest import Mapping
from energysim.nn.executor.boundary import Boundary, LoopNest, coordinates, extent_of, tensor_of
from energysim.nn.executor.program import ExecutionError

MOST_STEPS = 200_000
"""Steps of the outermost loops that are worth waiting for (about a minute)."""


@dataclass(frozen=True)
class NestRun:
    """``words``: per tensor, (reads, updates) of DRAM; ``result`` in the layout of the result's ranks."""

    result: Tensor
    words: dict[str, tuple[int, int]]
    macs: int


def run_nest(
    problem: TensorProblem,
    arch: ArchSpec,
    mapping: Mapping,
    operands: dict[str, Tensor],
    outside: dict[str, Tensor] | None = None,
) -> NestRun:
    """Execute a mapped problem; ``operands`` by tensor name, each in the layout of its ranks.

    ``outside`` (same layout): which words are in DRAM; of a tensor that it does not name, all.

    Raises ExecutionError where a tensor has no on-chip memory, or the loops above the chip take too many steps.
    """
    nest = LoopNest(problem, mapping)
    dtype = next(iter(operands.values())).dtype
    output = problem.output
    operands = {**operands, output.name: tensor_of(_shape(output, problem), dtype)}
    boundaries = {
        tensor.name: Boundary(
            tensor, problem, arch, mapping, nest, operands[tensor.name].contiguous(), (outside or {}).get(tensor.name)
        )
        for tensor in problem.tensors
    }
    above = max(boundary.above for boundary in boundaries.values())
    time, space = nest.chosen(above, False), nest.chosen(above, True)
    _check_steps(nest, time)
    offsets = _offsets(nest, space, nest.inside(above))
    macs = 0
    last: dict[str, tuple[int, ...] | None] = dict.fromkeys(boundaries)
    for digits in nest.digits(time):
        base = nest.base(time, digits)
        if not nest.exists(base):
            continue
        for name, boundary in boundaries.items():
            prefix = digits[: sum(index < boundary.above for index in time)]
            if not boundary.starts_inside and last[name] != prefix:
                boundary.step(prefix)
                last[name] = prefix
        values = {dim: base[dim] + offset for dim, offset in offsets.items()}
        values = {dim: places[places < nest.bounds[dim]] for dim, places in values.items()}
        _accumulate(problem, boundaries, values)
        macs += prod(places.numel() for places in values.values())
    for boundary in boundaries.values():
        boundary.finish()
    result = boundaries[output.name]
    data = result.chip if result.starts_inside else result.dram
    words = {name: (boundary.reads, boundary.updates) for name, boundary in boundaries.items()}
    return NestRun(data.reshape(result.shape), words, macs)


def streamed_words(problem: TensorProblem, arch: ArchSpec, mapping: Mapping, tensor: Operand, outermost: int) -> int:
    """Words of one operand that node ``outermost`` serves while the loops of a mapping run: its transfers alone.

    Raises ExecutionError as :func:`run_nest` does.
    """
    nest = LoopNest(problem, mapping)
    boundary = Boundary(tensor, problem, arch, mapping, nest, torch.zeros(_shape(tensor, problem)), outermost=outermost)
    if boundary.starts_inside:
        return 0
    _check_steps(nest, boundary.time)
    for digits in nest.digits(boundary.time):
        if nest.exists(nest.base(boundary.time, digits)):
            boundary.step(digits)
    return boundary.reads


def _check_steps(nest: LoopNest, time: list[int]) -> None:
    steps = prod(nest.loops[index].bound for index in time)
    if steps > MOST_STEPS:
        raise ExecutionError(f"{steps:,} steps above the chip", hint=f"up to {MOST_STEPS:,} are executed")


def _shape(tensor: Operand, problem: TensorProblem) -> tuple[int, ...]:
    return tuple(extent_of(rank, problem.bounds) for rank in tensor.ranks)


def _offsets(nest: LoopNest, space: list[int], inside: dict[str, int]) -> dict[str, Tensor]:
    """Per dimension, every iteration that all children together work on in one step, relative to the first."""
    offsets = {dim: torch.arange(size) for dim, size in inside.items()}
    for index in space:
        loop = nest.loops[index]
        steps = torch.arange(loop.bound) * nest.strides[index]
        offsets[loop.dim] = (steps[:, None] + offsets[loop.dim][None, :]).reshape(-1)
    return {dim: torch.sort(places).values for dim, places in offsets.items()}


def _accumulate(problem: TensorProblem, boundaries: dict[str, Boundary], values: dict[str, Tensor]) -> None:
    """Add the products of one step to the partial sums on chip."""
    letters = {dim: chr(ord("a") + index) for index, (dim, _) in enumerate(problem.dims)}
    terms, blocks = [], []
    for tensor in problem.inputs:
        index, exists = _gathered(tensor, boundaries[tensor.name].shape, values)
        chip = boundaries[tensor.name].chip
        block = torch.zeros(index.shape, dtype=chip.dtype)  # padding
        block[exists] = chip[index[exists]]
        blocks.append(block)
        terms.append("".join(letters[dim] for rank in tensor.ranks for dim, _ in rank.terms))
    output = problem.output
    result = "".join(letters[dim] for rank in output.ranks for dim, _ in rank.terms)
    present = set("".join(terms))
    for dim, letter in letters.items():
        if letter not in present:  # a dimension that only the result has
            blocks.append(torch.ones(values[dim].numel(), dtype=blocks[0].dtype))
            terms.append(letter)
    made = torch.einsum(f"{','.join(terms)}->{result}", *blocks)
    index, exists = _gathered(output, boundaries[output.name].shape, values)
    boundaries[output.name].chip.index_put_((index[exists],), made[exists], accumulate=True)


def _gathered(tensor: Operand, shape: tuple[int, ...], values: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Flat indices of a tensor's words, one axis per term of its ranks, and which of them are words, not padding."""
    index, exists = torch.zeros((), dtype=torch.int64), torch.ones((), dtype=torch.bool)
    for rank, size in zip(tensor.ranks, shape, strict=True):
        places = coordinates(rank, values)
        inside = (places >= 0) & (places < size)
        axes = (...,) + (None,) * len(rank.terms)
        index = index[axes] * size + places.clamp(0, max(0, size - 1))
        exists = exists[axes] & inside
    return index, exists
