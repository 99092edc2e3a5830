"""Executes a mapped loop nest element by element and counts the words that cross every boundary.

Written from the rules in docs/counts.md with sets of words and nothing else: no closed forms, no 1-d factorization, no
code shared with the engine but the dataclasses. Only good for a few thousand MACs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from energysim.arch.spec import ArchSpec, Array
from energysim.graph.problem import Rank, Tensor, TensorProblem
from energysim.mapping.counts import Convention
from energysim.mapping.nest import Loop, Mapping

Digits = tuple[int, ...]
Words = frozenset[tuple[int, ...]]


@dataclass(frozen=True)
class Executed:
    """(reads, fills, updates, largest tile) per (level, tensor); steps of the busiest unit; words of each tensor."""

    counts: dict[tuple[str, str], tuple[int, int, int, int]]
    steps: int
    macs: int
    words: dict[str, int]


def iterations(loops: tuple[Loop, ...]) -> Iterator[Digits]:
    """All index vectors. A loop runs ``last`` times while all outer loops over its dimension are in their last one."""

    def visit(depth: int, digits: Digits, final: frozenset[str]) -> Iterator[Digits]:
        if depth == len(loops):
            yield digits
            return
        loop = loops[depth]
        tail = loop.dim in final
        times = loop.last if tail else loop.bound
        for index in range(times):
            inner = final if tail and index == times - 1 else final - {loop.dim}
            yield from visit(depth + 1, (*digits, index), inner)

    yield from visit(0, (), frozenset(loop.dim for loop in loops))


def values(loops: tuple[Loop, ...], digits: Digits) -> dict[str, int]:
    """The value of every dimension at an index vector."""
    value: dict[str, int] = defaultdict(int)
    for loop, digit in zip(loops, digits, strict=True):
        value[loop.dim] = value[loop.dim] * loop.bound + digit
    return value


def _coordinate(rank: Rank, value: dict[str, int]) -> int:
    return rank.offset + sum(coefficient * value.get(dim, 0) for dim, coefficient in rank.terms)


class _Tiles:
    """The tiles of a tensor at a node: by spatial and temporal index of the loops above the node."""

    def __init__(
        self, tensor: Tensor, loops: tuple[Loop, ...], points: list[Digits], above: int, convention: Convention
    ) -> None:
        touched: dict[tuple[Digits, Digits], set[tuple[int, ...]]] = defaultdict(set)
        for digits in points:
            space = tuple(d for d, loop in zip(digits[:above], loops[:above], strict=True) if loop.axis)
            time = tuple(d for d, loop in zip(digits[:above], loops[:above], strict=True) if not loop.axis)
            value = values(loops, digits)
            touched[space, time].add(tuple(_coordinate(rank, value) for rank in tensor.ranks))
        self.at: dict[tuple[Digits, Digits], Words] = {}
        for key, words in touched.items():
            if convention is Convention.TIMELOOP:
                sides = [range(min(side), max(side) + 1) for side in zip(*words, strict=True)]
                self.at[key] = frozenset(product(*sides))
            else:
                self.at[key] = frozenset(word for word in words if _exists(tensor, word))
        self.times = sorted({time for _, time in self.at})
        self.seats = sorted({space for space, _ in self.at})


def _exists(tensor: Tensor, word: tuple[int, ...]) -> bool:
    return all(
        rank.extent is None or 0 <= coordinate < rank.extent
        for rank, coordinate in zip(tensor.ranks, word, strict=True)
    )


class _Controller:
    """Decides for every step whether the words still held are kept.

    Perfect nests: Timeloop's own state machine of strides. Imperfect nests: the same decision from the full bounds.
    """

    def __init__(self, tensor: Tensor, loops: tuple[Loop, ...], above: int) -> None:
        self.tensor = tensor
        self.loops = loops
        self.time = [i for i in range(above) if loops[i].axis is None]
        self.perfect = all(loop.bound == loop.last for loop in loops)
        self.held: Digits | None = None
        self.stride: tuple[int, ...] | None = None
        first_of = {loop.dim: i for i, loop in reversed(list(enumerate(loops)))}
        self.full = [loops[i].last if first_of[loops[i].dim] == i else loops[i].bound for i in self.time]
        self.window = (0,) * len(tensor.ranks)
        for position in range(len(self.time) - 1, -1, -1):
            one = tuple(int(p == position) for p in range(len(self.time)))
            if self.full[position] > 1 and any(self._moved((0,) * len(one), one)):
                self.window = self._moved((0,) * len(one), one)
                break

    def _moved(self, old: Digits, new: Digits) -> tuple[int, ...]:
        places = []
        for time in (old, new):
            digits = [0] * len(self.loops)
            for index, digit in zip(self.time, time, strict=True):
                digits[index] = digit
            value = values(self.loops, tuple(digits))
            places.append([_coordinate(rank, value) for rank in self.tensor.ranks])
        return tuple(b - a for a, b in zip(*places, strict=True))

    def keeps(self, time: Digits) -> bool:
        if not any(time):
            self.held = time
            return False
        if not self.perfect:
            turn = max(i for i, digit in enumerate(time) if digit)
            before = (*time[:turn], time[turn] - 1, *(bound - 1 for bound in self.full[turn + 1 :]))
            moved = self._moved(before, time)
            return not any(moved) or moved == self.window
        assert self.held is not None
        moved = self._moved(self.held, time)
        self.held = time
        if not any(moved):
            return True
        if self.stride is None or moved == self.stride:
            self.stride = moved
            return True
        self.stride = None
        return False


def _sent(needs: dict[Digits, Words], loops: list[Loop], shares: list[bool]) -> int:
    """Words leaving the parents: children (keyed by spatial digits) with equal needs share, array by array."""
    groups: dict[Digits, dict[Digits, Words]] = defaultdict(dict)
    for seat, need in needs.items():
        alone = tuple(d for d, share in zip(seat, shares, strict=True) if not share)
        together = tuple(d for d, share in zip(seat, shares, strict=True) if share)
        groups[alone][together] = need
    arrays = [loop.node for loop, share in zip(loops, shares, strict=True) if share]
    total = 0
    for group in groups.values():
        demands: dict[Digits, object] = {seat: need for seat, need in group.items() if need}
        words: dict[object, int] = {need: len(need) for need in group.values()}
        depth = len(arrays)
        while depth:
            start = next(i for i, node in enumerate(arrays) if node == arrays[depth - 1])
            parents: dict[Digits, set[object]] = defaultdict(set)
            for seat, demand in demands.items():
                parents[seat[:start]].add(demand)
            demands = {}
            for seat, asked in parents.items():
                demands[seat] = frozenset(asked)
                words[demands[seat]] = sum(words[demand] for demand in asked)
            depth = start
        total += sum(words[demand] for demand in demands.values())
    return total


def execute(problem: TensorProblem, arch: ArchSpec, mapping: Mapping, convention: Convention) -> Executed:
    loops = mapping.loops
    points = list(iterations(loops))
    compute = len(arch.nodes) - 1
    counts: dict[tuple[str, str], tuple[int, int, int, int]] = {}
    totals: dict[str, int] = {}
    for tensor in problem.tensors:
        levels = [node for node, kept in enumerate(mapping.kept) if tensor.name in kept]
        received_above = 0
        for order, level in enumerate(levels):
            here = _Tiles(tensor, loops, points, _above(loops, level), convention)
            child = levels[order + 1] if order + 1 < len(levels) else compute
            below = _Tiles(tensor, loops, points, _above(loops, child), convention)
            sent, received = _cross(tensor, arch, loops, level, child, below)
            first = sum(
                len(frozenset().union(*(words for (seat, _), words in here.at.items() if seat == where)))
                for where in here.seats
            )
            largest = max(len(words) for words in here.at.values())
            if tensor.is_output:
                fills = 0 if order == 0 else max(0, received_above - first)
                counts[arch.nodes[level].name, tensor.name] = (max(0, sent - first), fills, sent, largest)
            else:
                counts[arch.nodes[level].name, tensor.name] = (sent, received_above if order else 0, 0, largest)
            received_above = received
        whole = _Tiles(tensor, loops, points, 0, convention)
        totals[tensor.name] = len(next(iter(whole.at.values())))
    steps = len({tuple(d for d, loop in zip(p, loops, strict=True) if not loop.axis) for p in points})
    return Executed(counts, steps, len(points), totals)


def _above(loops: tuple[Loop, ...], node: int) -> int:
    return sum(loop.node < node for loop in loops)


def _cross(
    tensor: Tensor, arch: ArchSpec, loops: tuple[Loop, ...], parent: int, child: int, tiles: _Tiles
) -> tuple[int, int]:
    above = _above(loops, child)
    spatial = [loop for loop in loops[:above] if loop.axis]
    shares = []
    for loop in spatial:
        array = arch.nodes[loop.node]
        assert isinstance(array, Array)
        shares.append(loop.node > parent and (array.reduction if tensor.is_output else array.multicast))
    controller = _Controller(tensor, loops, above)
    held: dict[Digits, Words] = {seat: frozenset() for seat in tiles.seats}
    sent = received = 0
    for time in tiles.times:
        keeps = child != len(arch.nodes) - 1 and controller.keeps(time)
        needs: dict[Digits, Words] = {}
        for seat in tiles.seats:
            if (seat, time) in tiles.at:
                tile = tiles.at[seat, time]
                needs[seat] = tile - held[seat] if keeps else tile
                held[seat] = tile
        sent += _sent(needs, spatial, shares)
        received += sum(len(need) for need in needs.values())
    return sent, received
