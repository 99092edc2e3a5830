"""A lower bound for every mapping, with whatever factors: nothing is moved less than once."""

from __future__ import annotations

from math import prod

import numpy as np

from energysim.arch.spec import ArchSpec, Array
from energysim.mapping.search.goal import Component
from energysim.mapping.search.hierarchy import hierarchies
from energysim.mapping.search.kernels import metric_of
from energysim.mapping.search.records import Goal
from energysim.mapping.search.setting import Setting
from energysim.mapping.search.space import Floats


def floor_value(setting: Setting, goal: Goal) -> float:
    """Least objective of any hierarchy if every word crosses every boundary once and every array is full."""
    arch, problem = setting.arch, setting.problem
    most = _fan(arch, 0, len(arch.nodes))
    steps = problem.macs / (goal.macs_per_cycle * most)
    return min(
        metric_of(goal.metric, goal, _costs(setting, hierarchy.kept), steps) for hierarchy in hierarchies(problem, arch)
    )


def _fan(arch: ArchSpec, first: int, last: int) -> float:
    return float(prod(node.x * node.y for node in arch.nodes[first:last] if isinstance(node, Array)))


def _costs(setting: Setting, kept: tuple[frozenset[int], ...]) -> Floats:
    return np.array([_component_cost(setting, component, kept) for component in setting.components])


def _component_cost(setting: Setting, component: Component, kept: tuple[frozenset[int], ...]) -> float:
    arch, tables = setting.arch, setting.space.tables
    total = 0.0
    for t in range(len(setting.problem.tensors)):
        levels = [node for node, names in enumerate(kept) if t in names]
        words = float(tables.floor_all[t, setting.space.full])
        for parent, child in zip(levels, [*levels[1:], setting.compute], strict=True):
            above = _fan(arch, 0, parent) if component.per_instance else 1.0
            sent = words
            if child == setting.compute:
                sent = max(words, float(tables.exact[t, 0]) / _fan(arch, parent, child))
            elif t != tables.output:
                below = _fan(arch, 0, child) if component.per_instance else 1.0
                total += words * component.fill[child, t] / below
            if t == tables.output:
                elided = tables.output_words * _fan(arch, 0, parent)
                reads = max(0.0, sent - elided) * component.read[parent, t]
                total += (sent * component.update[parent, t] + reads) / above
            else:
                total += sent * component.read[parent, t] / above
    return total
