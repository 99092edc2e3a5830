"""What every memory keeps: all choices that the architecture leaves open, and who serves whom in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

from energysim.arch.spec import ArchSpec, Array, Memory
from energysim.graph.problem import TensorProblem


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """``kept[node]``: indices of the tensors that a node stores (empty for arrays and the compute unit)."""

    kept: tuple[frozenset[int], ...]

    def source(self, node: int, tensor: int) -> int | None:
        """The memory above ``node`` that serves it with the tensor; None if there is none."""
        return next((n for n in range(node - 1, -1, -1) if tensor in self.kept[n]), None)

    def names(self, problem: TensorProblem) -> tuple[frozenset[str], ...]:
        """As a mapping states it."""
        return tuple(frozenset(problem.tensors[t].name for t in kept) for kept in self.kept)


def hierarchies(problem: TensorProblem, arch: ArchSpec) -> Iterator[Hierarchy]:
    """Every choice of bypasses, fewest bypasses first; tensors that no memory would keep are left out."""
    options = [_options(problem, node) for node in arch.nodes]
    for kept in product(*options):
        if len(frozenset().union(*kept)) == len(problem.tensors):
            yield Hierarchy(kept)


def _options(problem: TensorProblem, node: object) -> list[frozenset[int]]:
    if not isinstance(node, Memory):
        return [frozenset()]
    holds = [t for t, tensor in enumerate(problem.tensors) if node.holds(tensor.name, tensor.role)]
    may = [t for t in holds if node.bypassable(problem.tensors[t].name, problem.tensors[t].role)]
    return [frozenset(holds) - frozenset(out) for count in range(len(may) + 1) for out in combinations(may, count)]


def active_nodes(arch: ArchSpec) -> tuple[int, ...]:
    """Indices of the memories and of the arrays with more than one child."""
    return tuple(
        index
        for index, node in enumerate(arch.nodes)
        if isinstance(node, Memory) or (isinstance(node, Array) and node.x * node.y > 1)
    )
