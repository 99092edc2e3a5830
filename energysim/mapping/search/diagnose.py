"""Why nothing fits: which memory, which tensor, how many bytes are needed and available."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from energysim.arch.spec import Memory
from energysim.errors import InfeasibleError
from energysim.mapping.search.hierarchy import Hierarchy, hierarchies
from energysim.mapping.search.setting import Setting, fits
from energysim.mapping.validate import word_bits

Marks = NDArray[np.bool_]


def infeasible(setting: Setting) -> InfeasibleError:
    """The error for the hierarchy with the most bypasses: its first memory that no possible tile fits."""
    every = list(hierarchies(setting.problem, setting.arch))
    if not every:
        lost = [
            tensor.name
            for tensor in setting.problem.tensors
            if not any(memory.holds(tensor.name, tensor.role) for memory in setting.arch.memories)
        ]
        return InfeasibleError(f"no memory of {setting.arch.name!r} keeps {', '.join(lost)}", hint="keep it in DRAM")
    hierarchy = every[-1]
    size, nodes = setting.space.size, setting.nodes
    # Which tiles the factors alone can lead from to the compute unit, per position.
    completable = [np.zeros(size, dtype=bool) for _ in range(len(nodes) + 1)]
    completable[-1][0] = True
    for position in range(len(nodes) - 1, -1, -1):
        completable[position] = _split(setting, position, completable[position + 1], outwards=True)
    reached = np.zeros(size, dtype=bool)
    reached[setting.space.full] = True
    for position, node in enumerate(nodes):
        memory = setting.arch.nodes[node]
        reached &= completable[position]
        if isinstance(memory, Memory) and reached.any():
            fitting = reached & fits(setting, hierarchy, node)
            if not fitting.any():
                return _too_small(setting, hierarchy, node, reached)
            reached = fitting
        reached = _split(setting, position, reached, outwards=False)
    return InfeasibleError(
        f"no split of the loops over {', '.join(setting.space.dims)} meets the constraints of {setting.arch.name!r}",
        hint="fixed and bounded factors, axes of the arrays and least utilization leave no mapping",
    )


def _split(setting: Setting, position: int, tiles: Marks, outwards: bool) -> Marks:
    """Tiles inside a node for the tiles outside it, or the other way round, dimension by dimension."""
    space, allowed = setting.space, setting.factors[setting.nodes[position]]
    grid = tiles.reshape(space.shape).copy()
    for d, divs in enumerate(space.divisors):
        moved = np.moveaxis(grid, d, 0)
        made = np.zeros_like(moved)
        for i, outer in enumerate(divs):
            for j, inner in enumerate(divs):
                if outer % inner == 0 and allowed[d, divs.index(outer // inner)]:
                    if outwards:
                        made[i] |= moved[j]
                    else:
                        made[j] |= moved[i]
        grid = np.moveaxis(made, 0, d)
    return np.ascontiguousarray(grid).reshape(-1)


def _too_small(setting: Setting, hierarchy: Hierarchy, node: int, reached: Marks) -> InfeasibleError:
    memory = setting.arch.nodes[node]
    assert isinstance(memory, Memory) and memory.capacity_bits is not None
    needed = np.zeros((len(setting.problem.tensors), setting.space.size))
    for t in hierarchy.kept[node]:
        needed[t] = setting.space.words[t] * word_bits(memory, setting.problem.tensors[t]) / 8
    total = np.where(reached, needed.sum(axis=0), np.inf)
    least = int(total.argmin())
    worst = int(needed[:, least].argmax())
    available = memory.capacity_bits / memory.multiple_buffering / 8
    parts = ", ".join(f"{setting.problem.tensors[t].name} {needed[t, least]:g} B" for t in sorted(hierarchy.kept[node]))
    return InfeasibleError(
        f"{memory.name!r} is too small, most of all for {setting.problem.tensors[worst].name!r}: the smallest tiles "
        f"need {total[least]:g} B ({parts}), {available:g} B are available",
        hint="a larger memory, narrower words, or a bypass of the tensor ('may_bypass')",
    )
