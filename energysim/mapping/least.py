"""What every mapping of a problem onto a device costs at least: in closed form, without a search.

For a tensor of which some iteration uses ``words`` different words, kept in the memories m_1 ... m_k of a mapping
(outermost first):

- every word crosses every boundary between two of them once or more: at least ``words`` reads (results: updates) at
  each of m_1 ... m_k, and for operands as many fills at each of m_2 ... m_k;
- the compute units keep nothing. m_k serves each of the ``touches`` iterations that have a word, and one transfer
  serves no more of them than need the same word in the same step: as many as the arrays in between tell apart by
  dimensions that do not move the tensor. Where they can split two dimensions that move one rank, different steps of
  these may meet in one word, so those count as well, all but the longest;
- of the updates at m_k all but the first touches are accumulated: at most ``words`` first touches per instance of m_k
  that has a part of the same results, and those are no more than the arrays above tell apart by dimensions that do not
  move the tensor, or that move it together with another one.

Nothing here depends on the order of loops or on the room in any memory, and every tensor takes the cheapest of the
memories that may keep it, whatever the others do; so the sum is no more than any mapping costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import prod
from typing import Literal, NamedTuple

from energysim.arch.spec import ArchSpec, Array, Memory
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.cost_model import AccessCost
from energysim.mapping.counts import Convention
from energysim.mapping.footprint import axis_of, total_words

Shares = Mapping[Role, float]
"""Share of a role's words that crosses the outermost memory; 1 where a role is not named."""
Price = Callable[[Memory, Tensor], AccessCost]
"""What the actions of a memory on a tensor cost."""


class Least(NamedTuple):
    """``accesses_pj``: of all accesses to memories. ``cycles``: of the compute units."""

    accesses_pj: float
    cycles: float


class _Axis(NamedTuple):
    """One axis of an array: its size, and the dimensions that may be split over it (None: any)."""

    size: int
    dims: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _Chain:
    """The memories that keep a tensor in some mapping, and pJ per word.

    ``word_pj``: of all boundaries but the last; ``crossing_pj``: of them, what only words pay that cross the outermost
    memory's port; ``staying_pj``: what the others pay instead. ``read_pj``, ``update_pj``: of m_k towards the compute
    units, ``last_crosses``: at the outermost memory's port. ``below``, ``above``: axes of the arrays on either side of
    m_k, those below only where their children share transfers.
    """

    word_pj: float
    crossing_pj: float
    staying_pj: float
    read_pj: float
    update_pj: float
    last_crosses: bool
    below: tuple[_Axis, ...]
    above: tuple[_Axis, ...]


class LeastCost:
    """The floor of one device.

    ``outermost``: name of the memory whose port only a share of the words may cross. ``home``: of the one where the
    others stay (None: all cross). ``perfect``: loops divide their dimension.
    """

    def __init__(
        self,
        arch: ArchSpec,
        price: Price,
        outermost: str,
        home: str | None = None,
        *,
        perfect: bool,
        convention: Convention,
    ) -> None:
        self._arch, self._price, self._outermost, self._home = arch, price, outermost, home
        self._perfect, self._convention = perfect, convention
        arrays = [(index, node) for index, node in enumerate(arch.nodes) if isinstance(node, Array)]
        self._arrays = [(index, node, _axes_of(node)) for index, node in arrays]
        self._axes = [axis for _, _, axes in self._arrays for axis in axes]
        self._instances = arch.instances(len(arch.nodes) - 1)
        self._chains: dict[tuple[str, Role, int], tuple[_Chain, ...]] = {}

    def of(self, problem: TensorProblem, shares: Shares | None = None) -> Least:
        """Of one problem; no mapping onto the device is below it in either."""
        shares = shares or {}
        accesses_pj = sum(self._tensor_pj(problem, tensor, shares.get(tensor.role, 1.0)) for tensor in problem.tensors)
        bits = max((tensor.bits for tensor in problem.inputs), default=problem.output.bits)
        split = min(self._instances, self._most_split(self._axes, problem.bounds, frozenset(problem.bounds)))
        return Least(accesses_pj, problem.macs / split / self._arch.compute.throughput(bits))

    def _tensor_pj(self, problem: TensorProblem, tensor: Tensor, share: float) -> float:
        bounds, still = problem.bounds, set(problem.bounds)
        words = claimed = touches = 1
        sliding: list[frozenset[str]] = []
        for rank in tensor.ranks:
            found = _words_along(rank, tuple([bounds[dim] for dim, _ in rank.terms]), self._convention)
            words, claimed, touches = words * found.distinct, claimed * found.claimed, touches * found.touches
            still.difference_update([dim for dim, _ in rank.terms])
            if len(rank.terms) > 1:
                looping = frozenset(dim for dim, _ in rank.terms if bounds[dim] > 1)
                if len(looping) > 1:
                    sliding.append(looping)
        touches *= prod([bounds[dim] for dim in still])
        unlike = still.union(*sliding)
        rounding = 0.5 if 0.0 < share < 1.0 else 0.0  # counts are rounded to words
        crossing, staying = max(0.0, words * share - rounding), max(0.0, words * (1.0 - share) - rounding)
        least = float("inf")
        for chain in self._chains_of(tensor):
            sent = max(float(words), touches / self._most_alike(chain.below, bounds, still, sliding))
            pj = words * chain.word_pj + crossing * chain.crossing_pj + staying * chain.staying_pj
            again = sent
            if tensor.is_output:
                again = max(0.0, sent - claimed * self._most_split(chain.above, bounds, unlike))
            last_pj = sent * chain.update_pj + again * chain.read_pj
            if chain.last_crosses:
                last_pj = max(0.0, last_pj * share - rounding * (chain.update_pj + chain.read_pj))
            least = min(least, pj + last_pj)
        return least

    def _most_alike(
        self, axes: tuple[_Axis, ...], bounds: Mapping[str, int], still: Set[str], sliding: list[frozenset[str]]
    ) -> float:
        """Most compute units that one transfer serves."""
        alike, most = set(still), prod([bounds[dim] for dim in still])
        for looping in sliding:
            here = frozenset(dim for dim in looping if any(axis.dims is None or dim in axis.dims for axis in axes))
            if len(here) > 1:
                alike |= here
                most *= prod(bounds[dim] for dim in here) // max(bounds[dim] for dim in here)
        return min(float(most), self._most_split(axes, bounds, alike))

    def _most_split(self, axes: Iterable[_Axis], bounds: Mapping[str, int], dims: Set[str]) -> float:
        """Most children that the axes together tell apart by ``dims``."""
        result = 1
        for size, allowed in axes:
            here = prod(bounds[dim] for dim in dims if allowed is None or dim in allowed)
            result *= _largest_divisor(here, size) if self._perfect else min(here, size)
        return float(result)

    def _chains_of(self, tensor: Tensor) -> tuple[_Chain, ...]:
        key = (tensor.name, tensor.role, tensor.bits)
        if key not in self._chains:
            self._chains[key] = tuple(self._chain(kept, tensor) for kept in self._kept(tensor))
        return self._chains[key]

    def _kept(self, tensor: Tensor) -> Iterator[tuple[int, ...]]:
        """Every choice of nodes that keep a tensor, with at least one."""
        memories = [(index, node) for index, node in enumerate(self._arch.nodes) if isinstance(node, Memory)]
        holds = [(index, node) for index, node in memories if node.holds(tensor.name, tensor.role)]
        free = [index for index, node in holds if node.bypassable(tensor.name, tensor.role)]
        for count in range(len(free) + 1):
            for passed in combinations(free, count):
                kept = tuple(index for index, _ in holds if index not in passed)
                if kept:
                    yield kept

    def _chain(self, kept: tuple[int, ...], tensor: Tensor) -> _Chain:
        names = [node.name for node in self._arch.nodes]
        sent: Literal["update", "read"] = "update" if tensor.is_output else "read"
        word_pj = crossing_pj = staying_pj = 0.0
        if names[kept[0]] == self._outermost and self._home is not None:
            at = names.index(self._home)
            if at not in kept:
                staying_pj = self._pj(at, tensor, sent)  # the mapping passes it by, so words are moved there in between
        for index in kept:
            if index != kept[-1]:
                if names[index] == self._outermost:
                    crossing_pj += self._pj(index, tensor, sent)
                else:
                    word_pj += self._pj(index, tensor, sent)
            if index != kept[0] and not tensor.is_output:
                if names[index] == self._home:
                    crossing_pj += self._pj(index, tensor, "write")  # what stays does not fill it
                else:
                    word_pj += self._pj(index, tensor, "write")
        above: list[_Axis] = []
        below: list[_Axis] = []
        for index, array, axes in self._arrays:
            if index < kept[-1]:
                above += axes
            elif array.reduction if tensor.is_output else array.multicast:
                below += axes
        return _Chain(
            word_pj,
            crossing_pj,
            staying_pj,
            self._pj(kept[-1], tensor, "read"),
            self._pj(kept[-1], tensor, "update") if tensor.is_output else 0.0,
            names[kept[-1]] == self._outermost,
            tuple(below),
            tuple(above),
        )

    def _pj(self, index: int, tensor: Tensor, action: Literal["read", "write", "update"]) -> float:
        """pJ of one word."""
        memory = self._arch.nodes[index]
        assert isinstance(memory, Memory)
        costs = self._price(memory, tensor)
        cost = {"read": costs.read, "write": costs.write, "update": costs.update}[action]
        return cost.pj / cost.block(self._convention)


class _Words(NamedTuple):
    """Along one rank: different words that some iteration uses, the same as the convention claims them, and
    iterations of the rank's dimensions that have a word."""

    distinct: int
    claimed: int
    touches: int


@lru_cache(maxsize=1 << 14)
def _words_along(rank: Rank, sizes: tuple[int, ...], convention: Convention) -> _Words:
    bounds = {dim: size for (dim, _), size in zip(rank.terms, sizes, strict=True)}
    exact, claiming = (axis_of(rank, bounds, found) for found in (Convention.EXACT, convention))
    return _Words(
        total_words(exact, exact.bounds),
        total_words(claiming, claiming.bounds),
        total_words(exact, (1,) * len(sizes)),
    )


def _axes_of(array: Array) -> tuple[_Axis, ...]:
    axes = _Axis(array.x, array.constraints.x_dims), _Axis(array.y, array.constraints.y_dims)
    return tuple(axis for axis in axes if axis.size > 1)


@lru_cache(maxsize=1 << 14)
def _largest_divisor(number: int, most: int) -> int:
    """The largest divisor that is no more than ``most``: a product of divisors of factors divides their product."""
    return next(factor for factor in range(min(number, most), 0, -1) if number % factor == 0)
