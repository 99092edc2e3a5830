"""The bounds that the search prunes with: what the tables over tiles say, and that no mapping is below."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cases import case

from energysim.errors import InfeasibleError
from energysim.mapping.search import Metric, Objective, search
from energysim.mapping.search.goal import components_of, goal_of, needs_cycles
from energysim.mapping.search.hierarchy import hierarchies
from energysim.mapping.search.kernels import metric_of
from energysim.mapping.search.lattice import reachable_minima, split_maximum, split_minimum
from energysim.mapping.search.levels import prepare
from energysim.mapping.search.records import Floats, Ints
from energysim.mapping.search.setting import setting_of
from energysim.mapping.search.space import Space

SEEDS = st.integers(0, 400)


def inner(space: Space, tile: int, factors: tuple[int, ...]) -> int | None:
    """The tile that is left where the digits ``factors`` are split off; None where they do not divide it."""
    tables = space.tables
    digits = [int(tables.quotient[d, a, f]) for d, (a, f) in enumerate(zip(space.digits(tile), factors, strict=True))]
    return None if min(digits) < 0 else int(sum(j * s for j, s in zip(digits, space.strides, strict=True)))


def rows(space: Space, seed: int, count: int = 2) -> Floats:
    return np.random.default_rng(seed).random((count, space.size))


def some_splits(space: Space, seed: int) -> Ints:
    """Nothing split, and up to five random splits."""
    chosen = np.random.default_rng(seed).integers(0, space.size, 5)
    return np.array(sorted({(0,) * len(space.shape), *(space.digits(int(tile)) for tile in chosen)}), dtype=np.int64)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_reachable_minima(seed: int) -> None:
    found = case(seed, 24)
    space = Space(found.problem, found.convention)
    tables, rng = space.tables, np.random.default_rng(seed)
    allowed = rng.integers(0, 2, tables.div.shape)
    values = rows(space, seed)
    minima = reachable_minima(values, tables, allowed)
    every = [range(n) for n in space.shape]
    for first in range(len(space.shape)):
        for tile in rng.integers(0, space.size, 8).tolist():
            best = np.full(len(values), np.inf)
            for factors in product(*([[0]] * first), *every[first:]):
                if all(allowed[d, f] for d, f in enumerate(factors) if d >= first):
                    left = inner(space, tile, factors)
                    if left is not None:
                        best = np.minimum(best, values[:, left])
            assert (minima[first][:, tile] == best).all()


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_splits_of_an_array(seed: int) -> None:
    found = case(seed, 24)
    space = Space(found.problem, found.convention)
    splits, values, spread = some_splits(space, seed), rows(space, seed), 1.0 + rows(space, seed, 1)[0]
    credit = np.array([0.0, 0.3])
    shares = 1.0 + np.random.default_rng(seed).random((2, len(splits)))
    least = split_minimum(values, space.tables, splits, spread, credit)
    most = split_maximum(shares, space.tables, splits)
    for tile in range(space.size):
        low, high = np.full(2, np.inf), np.ones(2)
        for s, factors in enumerate(splits.tolist()):
            left = inner(space, tile, tuple(factors))
            if left is not None:
                low = np.minimum(low, values[:, left] - credit * (spread[tile] / spread[left]))
                high = np.maximum(high, shares[:, s])
        assert (least[:, tile] == low).all()
        assert (most[:, tile] == high).all()


@pytest.mark.parametrize("metric", ["energy", "edp", "dram"])
def test_no_mapping_is_below_the_bound_of_its_hierarchy(metric: str) -> None:
    compared = 0
    for seed in range(30):
        found, objective = case(seed, 24), Objective.parse(metric)
        problem, arch, costs = found.problem, found.arch, found.costs
        try:
            best = search(problem, arch, costs, objective=objective, convention=found.convention)
        except InfeasibleError:
            continue
        components = components_of(problem, arch, costs, objective, found.convention)
        setting = setting_of(problem, arch, Space(problem, found.convention), components)
        goal = goal_of(problem, arch, costs, components, Metric(metric), needs_cycles(objective, costs))
        steps = setting.space.tables.macs / (goal.macs_per_cycle * setting.most_split[0][setting.space.full])
        for hierarchy in hierarchies(problem, arch):
            if hierarchy.names(problem) == best.mapping.kept:
                root = prepare(setting, hierarchy).root
                assert metric_of(goal.metric, goal, root, steps) <= best.value * (1 + 1e-9)
                compared += 1
    assert compared > 20
