"""One tensor of a mapped layer between DRAM and the chip, step by step, with real data.

The rule of reuse is that of ``docs/counts.md``, written here for execution: an on-chip child goes on holding what its
previous tile shares with the next one where the step says so, and fetches the rest; results that leave are added to
what DRAM has. Nothing of the closed forms in :mod:`energysim.mapping` is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from math import prod

import torch
from torch import Tensor

from energysim.arch.spec import ArchSpec, Array
from energysim.graph.problem import Rank, TensorProblem
from energysim.graph.problem import Tensor as Operand
from energysim.mapping.nest import Loop
from energysim.mapping.nest import Mapping as LoopMapping
from energysim.nn.executor.program import ExecutionError

Digits = tuple[int, ...]


class LoopNest:
    """The loops of a mapping as digits: which value each dimension has at which combination of iterations."""

    def __init__(self, problem: TensorProblem, mapping: LoopMapping) -> None:
        self.bounds = problem.bounds
        self.loops = mapping.loops
        self.strides: list[int] = [0] * len(self.loops)
        running = dict.fromkeys(self.bounds, 1)
        for index in range(len(self.loops) - 1, -1, -1):
            loop = self.loops[index]
            self.strides[index] = running[loop.dim]
            running[loop.dim] *= loop.bound

    def above(self, node: int) -> int:
        """How many loops stand above a node."""
        return sum(loop.node < node for loop in self.loops)

    def inside(self, above: int) -> dict[str, int]:
        """Iterations of every dimension inside a tile below the first ``above`` loops."""
        sizes = dict.fromkeys(self.bounds, 1)
        for loop in self.loops[above:]:
            sizes[loop.dim] *= loop.bound
        return sizes

    def chosen(self, above: int, spatial: bool) -> list[int]:
        return [index for index in range(above) if (self.loops[index].axis is not None) == spatial]

    def reach(self, index: int, first: bool) -> int:
        """Iterations that a loop runs at most; ``first``: no loop outside it is over its dimension."""
        return self.loops[index].last if first else self.loops[index].bound

    def full(self, index: int) -> int:
        outermost = all(loop.dim != self.loops[index].dim for loop in self.loops[:index])
        return self.reach(index, outermost)

    def digits(self, chosen: list[int]) -> Iterator[Digits]:
        yield from product(*(range(self.loops[index].bound) for index in chosen))

    def base(self, chosen: list[int], digits: Digits) -> dict[str, int]:
        """First value of every dimension; a combination exists where each is below its bound."""
        value = dict.fromkeys(self.bounds, 0)
        for index, digit in zip(chosen, digits, strict=True):
            value[self.loops[index].dim] += digit * self.strides[index]
        return value

    def exists(self, base: dict[str, int]) -> bool:
        return all(base[dim] < bound for dim, bound in self.bounds.items())


def coordinates(rank: Rank, values: Mapping[str, Tensor]) -> Tensor:
    """Coordinates of a rank, one axis per term, for the given values of its dimensions.

    Outside ``[0, extent)`` they are padding; without an extent every coordinate exists, and the first is 0 here.
    """
    made = torch.tensor(0 if rank.extent is None else rank.offset)
    for dim, coefficient in rank.terms:
        made = made[..., None] + coefficient * values[dim]
    return made


def extent_of(rank: Rank, bounds: dict[str, int]) -> int:
    """Size of a tensor along a rank: the stated one, or all that the loops reach."""
    if rank.extent is not None:
        return rank.extent
    return sum(coefficient * (bounds[dim] - 1) for dim, coefficient in rank.terms) + 1


class Boundary:
    """``dram`` is the tensor in the layout of its ranks; ``chip`` has the same layout, not-a-number where a word is not
    on chip. ``reads`` and ``updates``: words that DRAM served and received; those not ``outside`` are in an on-chip
    buffer instead and cost nothing. ``outermost`` is DRAM's node: a stack's tiles find their feature maps further out,
    on chip, where its weights have no room (:class:`energysim.schedule.homes.Homes`)."""

    def __init__(
        self,
        operand: Operand,
        problem: TensorProblem,
        arch: ArchSpec,
        mapping: LoopMapping,
        nest: LoopNest,
        dram: Tensor,
        outside: Tensor | None = None,
        outermost: int = 0,
    ) -> None:
        levels = [node for node, kept in enumerate(mapping.kept) if operand.name in kept and node >= outermost]
        self.operand, self.nest, self.dram, self.arch = operand, nest, dram.reshape(-1), arch
        self.shape = tuple(extent_of(rank, problem.bounds) for rank in operand.ranks)
        self.starts_inside = levels[0] > outermost
        self.reads = self.updates = 0
        self.outside = torch.ones(dram.shape, dtype=torch.bool) if outside is None else outside
        self.outside = self.outside.reshape(-1)
        self.chip = dram.reshape(-1).clone() if self.starts_inside else torch.full_like(self.dram, torch.nan)
        if self.starts_inside:
            self.above = 0
            return
        if len(levels) == 1:
            raise ExecutionError(
                f"{operand.name} goes from {arch.nodes[outermost].name!r} straight to the compute unit",
                hint="the executor copies tiles; keep the tensor in an on-chip memory",
            )
        self.above = nest.above(levels[1])
        self.sizes = nest.inside(self.above)
        self.space, self.time = nest.chosen(self.above, True), nest.chosen(self.above, False)
        self.seats = [(seat, nest.base(self.space, seat)) for seat in nest.digits(self.space)]
        self.dims = [dim for rank in operand.ranks for dim, _ in rank.terms]
        # With perfect factors nobody is ever idle, and a step that only others feel can be passed over.
        self.perfect = all(loop.bound == loop.last for loop in nest.loops)
        self.moving = [at for at, index in enumerate(self.time) if nest.loops[index].dim in self.dims]
        self.place: Digits | None = None
        self.held: dict[Digits, tuple[tuple[int, int], ...]] = {}
        self.touched = torch.zeros(self.dram.shape, dtype=torch.bool)
        self.words = lru_cache(maxsize=1 << 10)(self._words)
        self.window = self._window()

    def _tile(self, base: dict[str, int]) -> tuple[tuple[int, int], ...]:
        """The tile as (first iteration, iterations) of each dimension that moves the tensor."""
        return tuple((base[dim], min(self.sizes[dim], self.nest.bounds[dim] - base[dim])) for dim in self.dims)

    def _words(self, tile: tuple[tuple[int, int], ...]) -> Tensor:
        """Sorted flat indices of the words that exist and that some iteration of the tile uses."""
        values = {dim: torch.arange(start, start + size) for dim, (start, size) in zip(self.dims, tile, strict=True)}
        flat = torch.zeros(1, dtype=torch.int64)
        for rank, size in zip(self.operand.ranks, self.shape, strict=True):
            places = torch.unique(coordinates(rank, values))
            places = places[(places >= 0) & (places < size)]
            flat = (flat[:, None] * size + places[None, :]).reshape(-1)
        return flat

    def _moved(self, old: Digits, new: Digits) -> tuple[int, ...]:
        """How far the tile moves along each rank between two steps, whether or not these exist."""
        before, after = self.nest.base(self.time, old), self.nest.base(self.time, new)
        return tuple(
            sum(coefficient * (after[dim] - before[dim]) for dim, coefficient in rank.terms)
            for rank in self.operand.ranks
        )

    def _window(self) -> tuple[int, ...]:
        """The move of the innermost loop that moves the tensor."""
        still = (0,) * len(self.time)
        for position in range(len(self.time) - 1, -1, -1):
            one = tuple(int(at == position) for at in range(len(self.time)))
            if self.nest.full(self.time[position]) > 1 and any(self._moved(still, one)):
                return self._moved(still, one)
        return (0,) * len(self.operand.ranks)

    def _keeps(self, time: Digits) -> bool:
        """Whether this step, named by the loop that advances while all inside it go back, keeps what is shared."""
        if not any(time):
            return False
        turn = max(at for at, digit in enumerate(time) if digit)
        rest = (self.nest.full(index) - 1 for index in self.time[turn + 1 :])
        moved = self._moved((*time[:turn], time[turn] - 1, *rest), time)
        return not any(moved) or moved == self.window

    def step(self, time: Digits) -> None:
        """The chip's children take the tiles of the step ``time`` (a digit per temporal loop above them)."""
        place = tuple(time[at] for at in self.moving)
        if self.perfect and place == self.place:
            return
        self.place = place
        origin = self.nest.base(self.time, time)
        needs = {}
        for seat, offset in self.seats:
            base = {dim: origin[dim] + offset[dim] for dim in origin}
            if self.nest.exists(base):
                needs[seat] = self._tile(base)
        keeps = self._keeps(time)
        if keeps and all(self.held.get(seat) == tile for seat, tile in needs.items()):
            return
        self._count(needs, keeps)
        before = self._union(self.held)
        self.held.update(needs)
        after = self._union(self.held)
        stay = before[torch.isin(before, after)] if keeps else before[:0]
        gone = before[~torch.isin(before, stay)]
        new = after[~torch.isin(after, stay)]
        if self.operand.is_output:
            self._write_back(gone)
            self.chip[new] = 0.0
        else:
            self.chip[gone] = torch.nan
            self.chip[new] = self.dram[new]

    def finish(self) -> None:
        """What is left of the results goes to DRAM."""
        if self.operand.is_output and not self.starts_inside:
            self._write_back(self._union(self.held))
            self.reads = self.updates - int((self.touched & self.outside).sum())

    def _write_back(self, words: Tensor) -> None:
        self.dram[words] += self.chip[words]
        self.chip[words] = torch.nan

    def _union(self, tiles: dict[Digits, tuple[tuple[int, int], ...]]) -> Tensor:
        parts = [self.words(tile) for tile in sorted(set(tiles.values()))]
        if len(parts) == 1:
            return parts[0]
        return torch.unique(torch.cat(parts)) if parts else torch.zeros(0, dtype=torch.int64)

    def _count(self, needs: dict[Digits, tuple[tuple[int, int], ...]], keeps: bool) -> None:
        """Words that cross: of each child what it does not hold, equal needs of sharing children once."""
        moving: dict[Digits, tuple[bytes, int]] = {}
        known: dict[tuple[object, object], tuple[bytes, int]] = {}
        for seat, tile in needs.items():
            key = (tile, self.held.get(seat) if keeps else None)
            if key not in known:
                words = self.words(tile)
                if key[1] is not None:
                    words = words[~torch.isin(words, self.words(self.held[seat]))]
                if self.operand.is_output:
                    self.touched[words] = True
                known[key] = words.numpy().tobytes(), int(self.outside[words].sum())
            moving[seat] = known[key]
        sent = sum(self._sent(group) for group in self._apart(moving).values())
        if self.operand.is_output:
            self.updates += sent
        else:
            self.reads += sent

    def _shares(self, loop: Loop) -> bool:
        array = self.arch.nodes[loop.node]
        assert isinstance(array, Array)
        return array.reduction if self.operand.is_output else array.multicast

    def _apart(self, moving: dict[Digits, tuple[bytes, int]]) -> dict[Digits, dict[Digits, tuple[bytes, int]]]:
        """Children by their digits in arrays that serve each child by itself; inside, by the digits of the others."""
        shares = [self._shares(self.nest.loops[index]) for index in self.space]
        groups: dict[Digits, dict[Digits, tuple[bytes, int]]] = {}
        for seat, need in moving.items():
            alone = tuple(digit for digit, share in zip(seat, shares, strict=True) if not share)
            together = tuple(digit for digit, share in zip(seat, shares, strict=True) if share)
            groups.setdefault(alone, {})[together] = need
        return groups

    def _sent(self, needs: dict[Digits, tuple[bytes, int]]) -> int:
        """Array by array from the inside: sub-trees with the same set of different needs share one transfer."""
        nodes = [self.nest.loops[i].node for i in self.space if self._shares(self.nest.loops[i])]
        demands: dict[Digits, tuple[object, int]] = {seat: need for seat, need in needs.items() if need[1]}
        while nodes:
            depth = nodes.index(nodes[-1])
            nodes = nodes[:depth]
            merged: dict[Digits, dict[object, int]] = {}
            for seat, (need, words) in demands.items():
                merged.setdefault(seat[:depth], {})[need] = words
            demands = {seat: (frozenset(found), sum(found.values())) for seat, found in merged.items()}
        return sum(words for _, words in demands.values())


def tensor_of(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Room for a result in DRAM, all zero: the first update of a word needs no read."""
    return torch.zeros(prod(shape), dtype=dtype).reshape(shape)
