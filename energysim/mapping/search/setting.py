"""What all hierarchies of one search share: the nodes, their factors, the classes of tensors that absorb together."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.arch.spec import ArchSpec, Array, Memory
from energysim.graph.problem import TensorProblem
from energysim.mapping.search.fanout import feasible_splits, multiply_alike
from energysim.mapping.search.goal import Component
from energysim.mapping.search.hierarchy import Hierarchy, active_nodes
from energysim.mapping.search.lattice import split_maximum
from energysim.mapping.search.records import Floats, Ints
from energysim.mapping.search.space import Space
from energysim.mapping.validate import word_bits


@dataclass(frozen=True)
class Setting:
    """What all hierarchies of one search share."""

    problem: TensorProblem
    arch: ArchSpec
    space: Space
    components: tuple[Component, ...]
    nodes: tuple[int, ...]
    factors: dict[int, Ints]  # node -> [dim, digit] allowed
    feasible: dict[int, Ints]  # array -> [tile]
    splits: dict[int, Ints]  # array -> [split, dim]: digits of the feasible ones
    most_split: tuple[Floats, ...]  # per position: instances that this and later arrays can make of a tile
    most_alike: dict[int, Floats]  # array -> [tensor]: most of its children that one transfer can serve
    most_shared: tuple[Floats, ...]  # per position: [tensor, tile] the same of this and later arrays, for a tile
    spread: Floats  # [tile]: iterations that add to the same ofmap word
    most_spread: dict[int, float]  # array -> most instances that it can make of one partial sum
    classes: tuple[int, ...]
    class_of: tuple[int, ...]  # per dimension
    known: dict[Hashable, Any] = field(default_factory=dict)  # what hierarchies that are alike further in share

    @property
    def compute(self) -> int:
        return len(self.arch.nodes) - 1

    def once[T](self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` returns, made for the first hierarchy that asks; shared, not to be changed."""
        if key not in self.known:
            self.known[key] = make()
        found: T = self.known[key]
        return found


def setting_of(problem: TensorProblem, arch: ArchSpec, space: Space, components: tuple[Component, ...]) -> Setting:
    nodes = active_nodes(arch)
    dims = len(space.dims)
    factors = {node: _factors(space, arch, node) for node in nodes}
    feasible = {node: feasible_splits(space, array) for node in nodes if isinstance(array := arch.nodes[node], Array)}
    splits = {node: _digits(space, np.flatnonzero(marks)) for node, marks in feasible.items()}
    alike = {
        node: _alike(space, array, found)
        for node, found in splits.items()
        if isinstance(array := arch.nodes[node], Array)
    }
    by_dim = [sum(1 << t for t, moves in enumerate(space.moves) if not moves >> d & 1) for d in range(dims)]
    classes = tuple(dict.fromkeys([0, *by_dim]))
    spread = space.repeats[space.tables.output]
    spread = spread[0] / spread
    most_split, most_shared = _most(space, nodes, splits, alike)
    return Setting(
        problem,
        arch,
        space,
        components,
        nodes,
        factors,
        feasible,
        splits,
        most_split,
        {node: shares.max(axis=1, initial=1.0) for node, shares in alike.items()},
        most_shared,
        spread,
        {node: float(spread[marks > 0].max(initial=1.0)) for node, marks in feasible.items()},
        classes,
        tuple(classes.index(mask) for mask in by_dim),
    )


def _digits(space: Space, tiles: Ints) -> Ints:
    """[tile, dim]"""
    found: Ints = tiles[:, None] // space.tables.stride % space.tables.ndiv
    return found


def _factors(space: Space, arch: ArchSpec, node: int) -> Ints:
    """[dim, digit]: 1 where the constraints of a node, and the size of an array, allow the factor."""
    factors, ndiv = space.tables.div, space.tables.ndiv
    allowed = np.arange(factors.shape[1]) < ndiv[:, None]
    spec = arch.nodes[node]
    assert isinstance(spec, Memory | Array)
    for dim, factor in spec.constraints.fixed:
        if dim in space.index:
            allowed[space.index[dim]] &= factors[space.index[dim]] == factor
    for dim, most in spec.constraints.at_most:
        if dim in space.index:
            allowed[space.index[dim]] &= factors[space.index[dim]] <= most
    if isinstance(spec, Array):
        axes = ((spec.x, spec.constraints.x_dims), (spec.y, spec.constraints.y_dims))
        reach = [prod(size for size, names in axes if names is None or dim in names) for dim in space.dims]
        allowed &= factors <= np.array(reach)[:, None]
    return allowed.astype(np.int64)


def _most(
    space: Space, nodes: tuple[int, ...], splits: dict[int, Ints], alike: dict[int, Floats]
) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    """``most_split`` and ``most_shared`` of :class:`Setting`."""
    split, shared = [np.ones(space.size)], [np.ones((len(space.plans), space.size))]
    for node in reversed(nodes):
        if node in splits:
            sizes = space.iterations[splits[node] @ space.tables.stride]
            most = split_maximum(np.vstack((sizes, alike[node])), space.tables, splits[node])
            split.append(np.minimum(split[-1] * most[0], space.iterations))
            shared.append(shared[-1] * most[1:])
        else:
            split.append(split[-1])
            shared.append(shared[-1])
    return tuple(reversed(split)), tuple(reversed(shared))


def _alike(space: Space, array: Array, splits: Ints) -> Floats:
    """[tensor, split]: children of an array that need the same words."""
    tables, result = space.tables, np.ones((len(space.plans), len(splits)))
    shares = np.full(len(space.plans), int(array.multicast))
    shares[tables.output] = array.reduction
    merging = np.where(tables.clipped > 1, 0, 1)
    multiply_alike(
        result, splits, tables.div, tables.moves, shares, tables.sliding, tables.slides, tables.rank_start, merging
    )
    return result


def fits(setting: Setting, hierarchy: Hierarchy, node: int) -> NDArray[np.bool_]:
    """[tile]: whether the kept tiles of all tensors fit the memory together."""
    memory = setting.arch.nodes[node]
    assert isinstance(memory, Memory)
    if memory.capacity_bits is None:
        return np.ones(setting.space.size, dtype=bool)
    needed = np.zeros(setting.space.size)
    for t in hierarchy.kept[node]:
        needed += setting.space.words[t] * word_bits(memory, setting.problem.tensors[t])
    result: NDArray[np.bool_] = needed <= memory.capacity_bits / memory.multiple_buffering
    return result


def idle(setting: Setting, hierarchy: Hierarchy, node: int) -> bool:
    """Whether loops at a memory that keeps nothing may as well stand at the memory before it."""
    if hierarchy.kept[node] or isinstance(setting.arch.nodes[node], Array) or node == setting.nodes[0]:
        return False
    outer = max(n for n in setting.nodes if n < node and isinstance(setting.arch.nodes[n], Memory))
    one = setting.arch.nodes[node]
    other = setting.arch.nodes[outer]
    assert isinstance(one, Memory) and isinstance(other, Memory)
    return not (_splits_bounded(one) or _splits_bounded(other) or other.constraints.innermost)


def _splits_bounded(memory: Memory) -> bool:
    return bool(memory.constraints.fixed or memory.constraints.at_most)


def estimated(setting: Setting, hierarchy: Hierarchy) -> bool:
    """Whether padding makes the sums of a hierarchy estimates.

    Exact is what the children of one array share of a padded sliding rank. Where a second array stands between the
    same two memories and may split the rank too, its sharing at the padded edge is estimated by that inside; it matters
    if it may split both dimensions of the rank, or if tiles at different places coincide.
    """
    tables = setting.space.tables
    if tables.sliding < 0:
        return False
    groups: list[list[int]] = [[]]
    for node in setting.nodes:
        if node in setting.feasible:
            groups[-1].append(node)
        elif tables.sliding in hierarchy.kept[node]:
            groups.append([])
    for rank in range(int(tables.rank_start[tables.sliding]), int(tables.rank_start[tables.sliding + 1])):
        if not tables.clipped[rank]:
            continue
        dims = [d for d in range(len(setting.space.dims)) if tables.slides[d] == rank]
        for group in groups:
            most = [_dims_split(setting, node, dims) for node in group]
            splitting = [count for count in most if count > 0]
            if len(splitting) > 1 and (tables.clipped[rank] > 1 or max(splitting[1:]) > 1):
                return True
    return False


def _dims_split(setting: Setting, node: int, dims: list[int]) -> int:
    """Most of the dimensions that an array may split at once."""
    count = np.zeros(setting.space.size, dtype=np.int64)
    for d in dims:
        count += setting.space.digit(d) > 0
    return int(count[setting.feasible[node] > 0].max(initial=0))
