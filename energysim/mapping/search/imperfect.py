"""Imperfect factors: loops that do not divide their dimension and run a remainder in their last round.

Every tile is a multiple of the tile inside it and only the whole dimension need not be one: an imperfect split of a
dimension of D is a perfect split of some D' >= D whose last rounds are cut. Small mapspaces are enumerated completely,
through `evaluate`. In larger ones dimension after dimension is rounded up to sizes with more divisors, the perfect
search maps the rounded problem, and the cut mapping is evaluated on the true one; the answer carries its gap to a bound
that holds for every mapping, perfect or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations, product
from math import factorial, prod

from energysim.arch.spec import ArchSpec, Array, Axis, Memory
from energysim.errors import MappingError
from energysim.graph.problem import TensorProblem
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.evaluate import evaluate
from energysim.mapping.nest import Loop, Mapping
from energysim.mapping.search.hierarchy import hierarchies
from energysim.mapping.search.ranks import divisors
from energysim.mapping.search.walk import Clock

ENUMERATE_UP_TO = 20_000
"""Mapspaces of at most this many mappings are enumerated: some seconds."""
_ROUND_UP = 0.25
_CANDIDATES = 4

Slot = tuple[int, Axis | None]


def cut(mapping: Mapping, problem: TensorProblem) -> Mapping:
    """The mapping of a rounded-up problem with the last rounds of its loops cut to the true bounds."""
    rest = {dim: bound - 1 for dim, bound in problem.bounds.items()}
    loops: list[Loop] = []
    for loop in reversed(mapping.loops):
        rest[loop.dim], digit = divmod(rest[loop.dim], loop.bound)
        loops.append(replace(loop, last=digit + 1))
    loops.reverse()
    result: list[Loop] = []
    seen: set[str] = set()
    for loop in loops:
        bound = loop.bound if loop.dim in seen else loop.last
        if bound > 1:
            seen.add(loop.dim)
            result.append(replace(loop, bound=bound))
    return Mapping(tuple(result), mapping.kept)


def rounded(problem: TensorProblem, sizes: dict[str, int]) -> TensorProblem:
    """The problem with some bounds enlarged (its tensors clipped where they end, so that they do not grow)."""
    return TensorProblem(tuple((dim, sizes.get(dim, bound)) for dim, bound in problem.dims), problem.tensors)


def candidates(bound: int) -> tuple[int, ...]:
    """Sizes up to a quarter above a bound with the most divisors, ascending."""
    most = len(divisors(bound))
    sizes = range(bound + 1, int(bound * (1 + _ROUND_UP)) + 2)
    better = [size for size in sizes if len(divisors(size)) > most]
    return tuple(sorted(sorted(better, key=lambda size: (-len(divisors(size)), size))[:_CANDIDATES]))


Map = Callable[[TensorProblem], Mapping | None]
Value = Callable[[Counts], tuple[float, ...]]


def climb(
    problem: TensorProblem,
    arch: ArchSpec,
    convention: Convention,
    start: Mapping,
    map_perfectly: Map,
    value: Value,
    clock: Clock,
) -> Mapping:
    """Round up one dimension after the other as long as the true problem gains. Deterministic; Ctrl-C ends it."""
    best, best_value = start, value(evaluate(problem, arch, start, convention))
    sizes: dict[str, int] = {}
    improved = True
    try:
        while improved and not clock.over():
            improved = False
            for dim, bound in problem.dims:
                for size in candidates(bound):
                    if size == sizes.get(dim) or clock.over():
                        continue
                    mapping = map_perfectly(rounded(problem, {**sizes, dim: size}))
                    if mapping is None:
                        continue
                    mapping = cut(mapping, problem)
                    try:
                        found = value(evaluate(problem, arch, mapping, convention))
                    except MappingError:
                        continue
                    if found < best_value:
                        best, best_value, improved = mapping, found, True
                        sizes[dim] = size
    except KeyboardInterrupt:
        clock.interrupted = True
    return best


def slots(arch: ArchSpec) -> list[Slot]:
    """Where loops can stand, outermost first."""
    result: list[Slot] = []
    for index, node in enumerate(arch.nodes):
        if isinstance(node, Memory):
            result.append((index, None))
        elif isinstance(node, Array):
            result.extend((index, axis) for axis, size in (("x", node.x), ("y", node.y)) if size > 1)  # type: ignore[misc]
    return result


def splits(bound: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Bounds of ``parts`` nested loops (outermost first) that cover ``bound`` with nothing to spare outside."""

    def grow(rest: int, left: int) -> Iterator[tuple[int, ...]]:
        # ``rest``: tiles still to be covered by the loops that stand further out.
        if left == 0:
            if rest == 1:
                yield ()
            return
        for factor in range(1, rest + 1):
            for outer in grow(-(-rest // factor), left - 1):
                yield (*outer, factor)

    yield from grow(bound, parts)


def enumerate_all(problem: TensorProblem, arch: ArchSpec) -> Iterator[Mapping]:
    """Every mapping with perfect or imperfect factors that the constraints allow; capacities are not looked at."""
    places = slots(arch)
    dims = [(dim, bound) for dim, bound in problem.dims if bound > 1]
    kept = [hierarchy.names(problem) for hierarchy in hierarchies(problem, arch)]
    for choice in product(*(list(splits(bound, len(places))) for _, bound in dims)):
        nests: list[list[tuple[Loop, ...]]] = []
        for index, node in enumerate(arch.nodes):
            loops = [
                Loop(dim, factors[i], index, factors[i], axis)
                for i, (place, axis) in enumerate(places)
                for (dim, _), factors in zip(dims, choice, strict=True)
                if place == index and factors[i] > 1
            ]
            if not _allowed(node, loops, dict(dims)):
                nests = []
                break
            nests.append(_arranged(node, loops))
        for nest in product(*nests) if nests else ():
            whole = Mapping(tuple(loop for part in nest for loop in part), ())
            for names in kept:
                yield cut(Mapping(whole.loops, names), problem)


def count_all(problem: TensorProblem, arch: ArchSpec, limit: int) -> int:
    """Upper bound of what :func:`enumerate_all` yields; stops counting above ``limit``."""
    places = slots(arch)
    memories = sum(axis is None for _, axis in places)
    looping = [bound for _, bound in problem.dims if bound > 1]
    total: int = sum(1 for _ in hierarchies(problem, arch)) * min(factorial(len(looping)), 24) ** min(memories, 2)
    for bound in looping:
        if total > limit or bound > limit:
            return limit + 1
        total *= sum(1 for _ in splits(bound, len(places)))
    return total


def _allowed(node: object, loops: list[Loop], bounds: dict[str, int]) -> bool:
    if not isinstance(node, Memory | Array):
        return True
    factors: dict[str, int] = dict.fromkeys(bounds, 1)
    for loop in loops:
        factors[loop.dim] *= loop.bound
    limits = node.constraints
    if any(factors[d] != f for d, f in limits.fixed if d in factors):
        return False
    if any(factors[d] > f for d, f in limits.at_most if d in factors):
        return False
    if isinstance(node, Memory):
        return True
    for axis, size, names in (("x", node.x, limits.x_dims), ("y", node.y, limits.y_dims)):
        along = [loop for loop in loops if loop.axis == axis]
        if prod(loop.bound for loop in along) > size:
            return False
        if names is not None and any(loop.dim not in names for loop in along):
            return False
    return prod(factors.values()) >= limits.min_utilization * node.x * node.y


def _arranged(node: object, loops: list[Loop]) -> list[tuple[Loop, ...]]:
    if not isinstance(node, Memory):
        return [tuple(loops)]
    listed = [dim for dim in node.constraints.innermost if any(loop.dim == dim for loop in loops)]
    return [order for order in permutations(loops) if [loop.dim for loop in reversed(order)][: len(listed)] == listed]
