"""The search's optimum equals the best of a complete enumeration, for every objective.

Thousands more of the same: `python benchmarks/bench_search.py enumeration --seeds 20000:26000`.
"""

from __future__ import annotations

from itertools import islice

import pytest
from enumerate_all import evaluated, mappings
from random_cases import Case, case

from energysim.errors import InfeasibleError
from energysim.mapping.search import Metric, Objective, search
from energysim.mapping.search.objective import metric_value

OBJECTIVES = ("energy", "latency", "edp", "dram", "latency,energy", "dram,latency")
MOST_MAPPINGS = 3000
TOLERANCE = 1e-9


def small(seed: int, points: int) -> Case | None:
    """The case of a seed, None where enumerating it takes too long."""
    found = case(seed, points)
    size = sum(1 for _ in islice(mappings(found.problem, found.arch), MOST_MAPPINGS + 1))
    return found if size <= MOST_MAPPINGS else None


def compare(found: Case) -> int:
    """Assert that bound <= best of the enumeration <= value, and equality where the search claims it."""
    metrics = {
        metric: [
            metric_value(metric, found.problem, found.arch, found.costs, counts, found.convention)
            for _, counts in evaluated(found.problem, found.arch, found.convention)
        ]
        for metric in Metric
    }
    for text in OBJECTIVES:
        objective = Objective.parse(text)
        options = {"objective": objective, "convention": found.convention}
        if not metrics[Metric.ENERGY]:
            with pytest.raises(InfeasibleError):
                search(found.problem, found.arch, found.costs, **options)  # type: ignore[arg-type]
            continue
        result = search(found.problem, found.arch, found.costs, **options)  # type: ignore[arg-type]
        first = metrics[objective.primary]
        best = min(first)
        assert result.bound <= best * (1 + TOLERANCE), (text, result.bound, best)
        assert result.value >= best * (1 - TOLERANCE), (text, result.value, best)
        if not result.optimal:
            continue
        assert result.value == pytest.approx(best, rel=TOLERANCE), text
        if objective.secondary is not None:
            second = metrics[objective.secondary]
            least = min(b for a, b in zip(first, second, strict=True) if a <= best * (1 + TOLERANCE))
            assert result.secondary == pytest.approx(least, rel=TOLERANCE), text
    return len(metrics[Metric.ENERGY])


@pytest.mark.parametrize("seed", range(60))
def test_optimum_equals_the_best_of_all_mappings(seed: int) -> None:
    found = small(seed, 24)
    if found is None:
        pytest.skip("too large to enumerate")
    compare(found)


@pytest.mark.parametrize("block", [0, *(pytest.param(block, marks=pytest.mark.slow) for block in range(1, 6))])
def test_optimum_equals_the_best_of_all_mappings_in_many_cases(block: int) -> None:
    compared = 0
    for seed in range(1000 + 25 * block, 1025 + 25 * block):
        found = small(seed, 24)
        if found is not None:
            compare(found)
            compared += 1
    assert compared > 12


def test_most_cases_are_proven() -> None:
    """Gaps stay only where Timeloop's rounding of accesses and cycles is not part of the search's sums."""
    proven = total = 0
    for seed in range(60):
        found = small(seed, 24)
        if found is None:
            continue
        try:
            proven += search(found.problem, found.arch, found.costs, convention=found.convention).optimal
        except InfeasibleError:
            continue
        total += 1
    assert proven >= 0.9 * total > 40
