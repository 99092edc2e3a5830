"""Words that cross a boundary of the memory hierarchy, from the loops of one mapping.

A boundary lies between a memory that keeps a tensor (the parent) and the next node inwards that keeps it, or the
compute unit (the child). At every step of the temporal loops above the child, each child needs one tile. The rule of
reuse, spatial sharing and its source (Timeloop's nest analysis) are written down in ``docs/counts.md``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from energysim.arch.spec import ArchSpec, Array
from energysim.graph.problem import Tensor, TensorProblem
from energysim.mapping.counts import Convention
from energysim.mapping.footprint import PRIVATE, TEMPORAL, Axis, axis_of, tile_words, total_words, visited_words, walk
from energysim.mapping.nest import Loop, Mapping


class Traffic(NamedTuple):
    """Words across one boundary, totals of the run: ``sent`` by all parents, ``received`` by all children.

    A word that serves several children at once is sent once and received by each (for results: summed on the way up).
    """

    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """A tensor in numbers: its ranks, and for every dimension the rank and term that it moves."""

    tensor: Tensor
    axes: tuple[Axis, ...]
    dims: tuple[tuple[str, ...], ...]
    place: dict[str, tuple[int, int]]


@lru_cache(maxsize=1 << 10)
def tensor_plan(tensor: Tensor, dims: tuple[tuple[str, int], ...], convention: Convention) -> TensorPlan:
    bounds = dict(dims)
    return TensorPlan(
        tensor=tensor,
        axes=tuple(axis_of(rank, bounds, convention) for rank in tensor.ranks),
        dims=tuple(tuple(dim for dim, _ in rank.terms) for rank in tensor.ranks),
        place={dim: (i, j) for i, rank in enumerate(tensor.ranks) for j, (dim, _) in enumerate(rank.terms)},
    )


class Nest:
    """The loops of a mapping with what they imply: tile sizes, sharing arrays, positions. Built once per evaluation."""

    def __init__(self, problem: TensorProblem, arch: ArchSpec, mapping: Mapping) -> None:
        self.arch = arch
        self.bounds = problem.bounds
        self.loops = _normal(mapping.loops)
        self.imperfect = frozenset([loop.dim for loop in self.loops if loop.bound != loop.last])
        nodes = len(arch.nodes)
        # above[y]: how many loops stand above node y; tiles[y]: iterations of every dimension inside node y's tile.
        self.above = [0] * nodes
        for loop in self.loops:
            self.above[loop.node] += 1
        count = 0
        for node in range(nodes):
            self.above[node], count = count, count + self.above[node]
        inner = dict.fromkeys(self.bounds, 1)
        self.tiles: list[dict[str, int]] = [inner] * nodes
        index = len(self.loops)
        for node in range(nodes - 1, -1, -1):
            first = self.above[node]
            if first < index:
                inner = dict(inner)
                for loop in self.loops[first:index]:
                    inner[loop.dim] *= loop.bound
                index = first
            self.tiles[node] = inner
        if self.imperfect:
            self.tiles = [{d: min(t, self.bounds[d]) for d, t in tiles.items()} for tiles in self.tiles]

    def shares(self, node: int, is_output: bool) -> bool:
        array = self.arch.nodes[node]
        assert isinstance(array, Array)
        return array.reduction if is_output else array.multicast

    def positions(self, dim: str, above: int, chosen: frozenset[int]) -> int:
        """Existing combinations of the chosen loops over ``dim`` (indices) while its other loops are at their first.

        Only loops before index ``above`` count. Mixed radix: a combination exists while its base is below the bound.
        """
        below, tight = 0, 1
        for index in range(above):
            loop = self.loops[index]
            if loop.dim != dim:
                continue
            if index in chosen:
                below = below * loop.bound + tight * (loop.last - 1)
            elif tight and loop.last > 1:
                below, tight = below + 1, 0
        return below + tight

    def count(self, above: int, chosen: list[int]) -> int:
        """Existing combinations of the chosen loops over all their dimensions."""
        number = 1
        for index in chosen:
            loop = self.loops[index]
            if loop.dim not in self.imperfect:
                number *= loop.bound
        if self.imperfect:
            picked = frozenset(chosen)
            for dim in sorted({self.loops[index].dim for index in chosen} & self.imperfect):
                number *= self.positions(dim, above, picked)
        return number

    def instances(self, node: int) -> float:
        """Instances of a node in use; an average where spatial factors are imperfect."""
        number = 1.0
        for index in range(self.above[node]):
            loop = self.loops[index]
            if loop.axis is None:
                continue
            if loop.dim in self.imperfect:
                outer = self.positions(loop.dim, index, frozenset(range(index)))
                number *= self.positions(loop.dim, index + 1, frozenset(range(index + 1))) / outer
            else:
                number *= loop.bound
        return number

    def peak_instances(self, node: int) -> int:
        """Instances of a node that work at the same time at most."""
        number = 1
        for loop in self.loops[: self.above[node]]:
            if loop.axis is not None:
                number *= loop.bound
        return number


def _normal(loops: tuple[Loop, ...]) -> tuple[Loop, ...]:
    """Without loops that run once; the outermost loop of a dimension always runs its ``last`` iterations."""
    if all(loop.bound == loop.last != 1 for loop in loops):
        return loops
    seen: set[str] = set()
    result: list[Loop] = []
    for loop in loops:
        bound = loop.bound if loop.dim in seen else loop.last
        if bound > 1:
            seen.add(loop.dim)
            result.append(dataclasses.replace(loop, bound=bound))
    return tuple(result)


def tile_size(nest: Nest, plan: TensorPlan, node: int) -> int:
    """Words of the largest tile of a tensor at a node."""
    tiles = nest.tiles[node]
    words = 1
    for axis, dims in zip(plan.axes, plan.dims, strict=True):
        words *= tile_words(axis, tuple([tiles[dim] for dim in dims]))
    return words


def distinct_words(nest: Nest, plan: TensorPlan, node: int) -> int:
    """Different words that an instance of a node sees in the whole run, summed over its instances ("partition")."""
    above = nest.above[node]
    tiles = nest.tiles[node]
    words = nest.count(
        above, [i for i in range(above) if nest.loops[i].axis is not None and nest.loops[i].dim not in plan.place]
    )
    for rank, (axis, dims) in enumerate(zip(plan.axes, plan.dims, strict=True)):
        sizes = tuple([tiles[dim] for dim in dims])
        if len(dims) == 1:
            words *= total_words(axis, sizes)
        else:
            loops = [
                (plan.place[loop.dim][1], loop.bound, TEMPORAL if loop.axis is None else PRIVATE)
                for loop in nest.loops[:above]
                if loop.dim in plan.place and plan.place[loop.dim][0] == rank
            ]
            words *= visited_words(axis, sizes, tuple(loops))
    return words


def traffic(nest: Nest, plan: TensorPlan, parent: int, child: int) -> Traffic:
    """Words of one tensor between ``parent`` and ``child``, the next node that keeps it (or the compute unit).

    A memory keeps its last tile from step to step; the compute unit keeps nothing and is served for every MAC.
    """
    loops, place = nest.loops, plan.place
    above = nest.above[child]
    is_output = plan.tensor.is_output
    no_reuse = child == len(nest.arch.nodes) - 1
    innermost = above if no_reuse else _innermost_moving(nest, plan, above)
    repeats: list[int] = []  # loops that do not move the tensor but make it move again
    idle: list[int] = []  # the same, where only the children multiply
    moving: list[list[tuple[int, int, int, int]]] = [[] for _ in plan.axes]
    for index in range(above):
        loop = loops[index]
        kind = TEMPORAL
        if loop.axis is not None:
            kind = loop.node if loop.node > parent and nest.shares(loop.node, is_output) else PRIVATE
        where = place.get(loop.dim)
        if where is not None:
            moving[where[0]].append((where[1], loop.bound, kind, index))
        elif kind >= 0:
            idle.append(index)
        elif kind == PRIVATE or index < innermost:
            repeats.append(index)
    sent = nest.count(above, repeats)
    received = nest.count(above, repeats + idle) if idle else sent
    keep = () if no_reuse or innermost < 0 else _keeping_steps(nest, plan, innermost, child)
    window = place[loops[keep[0]].dim][0] if keep else -1
    tiles = nest.tiles[child]
    shared_saved = private_saved = 0
    shared = private = 1
    for rank, (axis, dims) in enumerate(zip(plan.axes, plan.dims, strict=True)):
        sizes = tuple([tiles[dim] for dim in dims])
        walked = moving[rank]
        if rank != window and (len(dims) == 1 or all(kind < 0 for _, _, kind, _ in walked)):
            words = total_words(axis, sizes)
            shared *= words
            private *= words
            continue
        kept = tuple([at for at, (_, _, _, index) in enumerate(walked) if index in keep]) if rank == window else ()
        sums = walk(axis, sizes, tuple([(term, bound, kind) for term, bound, kind, _ in walked]), kept)
        if rank != window:
            shared *= sums.shared
            private *= sums.private
            continue
        # Factors of the other ranks multiply the whole bracket, so they are collected apart.
        shared_saved, private_saved = sums.shared * sent, sums.private * received
        for at, less_shared, less_private in zip(kept, sums.shared_saved, sums.private_saved, strict=True):
            index = walked[at][3]
            inside = [i for i in repeats if i < index or loops[i].axis is not None]
            shared_saved -= nest.count(above, inside) * less_shared
            private_saved -= nest.count(above, inside + idle) * less_private
    if window >= 0:
        return Traffic(shared * shared_saved, private * private_saved)
    return Traffic(shared * sent, private * received)


def _innermost_moving(nest: Nest, plan: TensorPlan, above: int) -> int:
    """Index of the innermost temporal loop that moves the tensor, -1 if its tile never changes."""
    for index in range(above - 1, -1, -1):
        loop = nest.loops[index]
        if loop.axis is None and loop.dim in plan.place:
            return index
    return -1


def _keeping_steps(nest: Nest, plan: TensorPlan, innermost: int, child: int) -> tuple[int, ...]:
    """Temporal loops (innermost first) whose step keeps the words that the previous tile shares with the new one.

    The innermost moving loop always does. A loop further out does if its step, with all loops inside it going back to
    their first iteration, moves the tile not at all or exactly as the innermost one does; a loop that moves another
    rank, and every loop outside that, moves it otherwise. Only ranks of several terms can overlap at all.
    """
    loops, place = nest.loops, plan.place
    rank, _ = place[loops[innermost].dim]
    dims = plan.dims[rank]
    if len(dims) == 1:
        return ()
    above = nest.above[child]
    strides = {dim: nest.tiles[child][dim] for dim in dims}
    keep: list[int] = []
    first = back = 0
    for index in range(above - 1, -1, -1):
        loop = loops[index]
        where = place.get(loop.dim)
        if where is None:
            continue
        if where[0] != rank:
            if loop.axis is None:
                break
            continue
        step = plan.axes[rank].coefficients[where[1]] * strides[loop.dim]
        strides[loop.dim] *= loop.bound
        if loop.axis is not None:
            continue
        if index == innermost:
            first = step
        if step - back in (0, first):
            keep.append(index)
        back += step * (loop.bound - 1)
    return tuple(keep)
