"""Imperfect factors: the cut of rounded-up mappings, complete enumeration, and a bound that holds."""

from __future__ import annotations

import pytest
from golden import layer, simple3
from random_cases import case

from energysim.errors import InfeasibleError
from energysim.graph.problem import TensorProblem
from energysim.mapping.counts import Convention
from energysim.mapping.evaluate import evaluate
from energysim.mapping.nest import Loop, Mapping
from energysim.mapping.search import EDP, ENERGY, LATENCY, search
from energysim.mapping.search.imperfect import ENUMERATE_UP_TO, count_all, cut, splits


def test_splits_cover_the_bound_with_nothing_to_spare() -> None:
    assert sorted(splits(5, 2)) == [(1, 5), (2, 3), (2, 4), (3, 2), (5, 1)]


def test_cut_gives_the_last_rounds_what_is_left() -> None:
    problem = layer(7, 1, 1, 1)
    mapping = Mapping((Loop("M", 2, 0, 2), Loop("M", 2, 1, 2), Loop("M", 2, 2, 2)), ())
    assert [(loop.bound, loop.last) for loop in cut(mapping, problem).loops] == [(2, 2), (2, 2), (2, 1)]


def test_cut_drops_rounds_that_never_start() -> None:
    problem = layer(5, 1, 1, 1)
    mapping = Mapping((Loop("M", 4, 0, 4), Loop("M", 2, 1, 2)), ())
    assert [(loop.bound, loop.last) for loop in cut(mapping, problem).loops] == [(3, 3), (2, 1)]


@pytest.mark.parametrize("seed", range(40))
def test_never_worse_than_perfect_and_bounded(seed: int) -> None:
    found = case(seed, 10)
    for objective in (ENERGY, LATENCY):
        options = {"objective": objective, "convention": found.convention}
        try:
            perfect = search(found.problem, found.arch, found.costs, **options)  # type: ignore[arg-type]
        except InfeasibleError:
            continue
        result = search(found.problem, found.arch, found.costs, imperfect=True, **options)  # type: ignore[arg-type]
        assert result.bound <= result.value <= perfect.value * (1 + 1e-9)
        if count_all(found.problem, found.arch, ENUMERATE_UP_TO) <= ENUMERATE_UP_TO:
            assert result.optimal


def test_remainders_fill_the_array_and_are_counted_exactly() -> None:
    """101 x 103 channels (primes) on 8 x 8 PEs: perfect factors leave one PE at work, imperfect ones fill the array."""
    arch, costs = simple3()
    problem: TensorProblem = layer(101, 103, 1, 1)
    perfect = search(problem, arch, costs, objective=EDP)
    result = search(problem, arch, costs, objective=EDP, imperfect=True)
    counts = evaluate(problem, arch, result.mapping, Convention.EXACT)
    assert result.value < perfect.value / 10
    assert counts.macs == problem.macs
    assert any(loop.last < loop.bound for loop in result.mapping.loops)
    assert result.bound < result.value and 0 < result.gap < 1 and not result.optimal
