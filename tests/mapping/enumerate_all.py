"""Complete enumeration of small mapspaces through `evaluate`: what the search is measured against.

Written without any of the search's code: factors slot by slot, every permutation, every choice of bypasses.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations, product

from energysim.arch.spec import ArchSpec, Array, Constraints, Memory
from energysim.errors import MappingError
from energysim.graph.problem import TensorProblem
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.evaluate import evaluate
from energysim.mapping.nest import Loop, Mapping

Slot = tuple[int, str | None]


def splits(number: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (number,)
        return
    for factor in range(1, number + 1):
        if number % factor == 0:
            for rest in splits(number // factor, parts - 1):
                yield (factor, *rest)


def slots_of(arch: ArchSpec) -> list[Slot]:
    slots: list[Slot] = []
    for index, node in enumerate(arch.nodes):
        if isinstance(node, Memory):
            slots.append((index, None))
        elif isinstance(node, Array):
            slots.extend([(index, "x"), (index, "y")])
    return slots


def allowed(arch: ArchSpec, slot: Slot, dim: str, factor: int) -> bool:
    node = arch.nodes[slot[0]]
    assert isinstance(node, Memory | Array)
    if isinstance(node, Array):
        size, names = (node.x, node.constraints.x_dims) if slot[1] == "x" else (node.y, node.constraints.y_dims)
        return factor == 1 or (factor <= size and (names is None or dim in names))
    return True


def meets(constraints: Constraints, factors: dict[str, int], bounds: dict[str, int]) -> bool:
    fixed = all(factors[d] == f for d, f in constraints.fixed if bounds.get(d, 1) > 1)
    return fixed and all(factors[d] <= f for d, f in constraints.at_most if d in factors)


def in_order(innermost: tuple[str, ...], order: tuple[str, ...]) -> bool:
    """``order``: outermost first."""
    inside_out = order[::-1]
    listed = [d for d in innermost if d in inside_out]
    return list(inside_out[: len(listed)]) == listed


def keeps(problem: TensorProblem, arch: ArchSpec) -> Iterator[tuple[frozenset[str], ...]]:
    options = []
    for node in arch.nodes:
        if not isinstance(node, Memory):
            options.append([frozenset[str]()])
            continue
        held = [t.name for t in problem.tensors if node.holds(t.name, t.role)]
        free = [t.name for t in problem.tensors if node.bypassable(t.name, t.role)]
        options.append([frozenset(held) - set(out) for n in range(len(free) + 1) for out in combinations(free, n)])
    yield from product(*options)


def mappings(problem: TensorProblem, arch: ArchSpec) -> Iterator[Mapping]:
    slots = slots_of(arch)
    dims = [d for d, _ in problem.dims]
    per_dim = [
        [
            s
            for s in splits(bound, len(slots))
            if all(allowed(arch, slot, d, f) for slot, f in zip(slots, s, strict=True))
        ]
        for d, bound in problem.dims
    ]
    for choice in product(*per_dim):
        nests: list[list[tuple[Loop, ...]]] = []
        ok = True
        for node_index, node in enumerate(arch.nodes):
            factors: dict[str, int] = dict.fromkeys(dims, 1)
            loops: list[Loop] = []
            for i, (index, axis) in enumerate(slots):
                if index != node_index:
                    continue
                for d, split in zip(dims, choice, strict=True):
                    factors[d] *= split[i]
                    if split[i] > 1:
                        loops.append(Loop(d, split[i], index, split[i], axis))  # type: ignore[arg-type]
            if isinstance(node, Memory):
                ok = ok and meets(node.constraints, factors, problem.bounds)
                nests.append(
                    [p for p in permutations(loops) if in_order(node.constraints.innermost, tuple(x.dim for x in p))]
                )
            elif isinstance(node, Array):
                ok = ok and meets(node.constraints, factors, problem.bounds)
                used = 1
                for factor in factors.values():
                    used *= factor
                ok = ok and used >= node.constraints.min_utilization * node.x * node.y
                nests.append([tuple(loops)])
        if not ok:
            continue
        for nest in product(*nests):
            loops_all = tuple(loop for part in nest for loop in part)
            for kept in keeps(problem, arch):
                yield Mapping(loops_all, kept)


def evaluated(problem: TensorProblem, arch: ArchSpec, convention: Convention) -> Iterator[tuple[Mapping, Counts]]:
    """All valid mappings with their counts."""
    for mapping in mappings(problem, arch):
        try:
            yield mapping, evaluate(problem, arch, mapping, convention)
        except MappingError:
            continue
