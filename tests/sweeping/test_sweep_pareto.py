"""The Pareto front against its definition, and limits."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim.errors import NotFoundError
from energysim.sweep.limits import Limit, keeps
from energysim.sweep.pareto import non_dominated, pareto_front

VALUES = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.5, float("inf")])


@given(st.integers(1, 4).flatmap(lambda goals: st.lists(st.tuples(*[VALUES] * goals), min_size=1, max_size=30)))
def test_front_is_what_nothing_dominates(points: list[tuple[float, ...]]) -> None:
    def dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        return all(x <= y for x, y in zip(a, b, strict=True)) and a != b

    expected = [not any(dominates(other, point) for other in points) for point in points]
    assert non_dominated(points).tolist() == expected


def test_a_missing_number_is_worse_than_any() -> None:
    assert non_dominated([[1.0, np.nan], [1.0, 5.0], [0.5, np.nan]]).tolist() == [False, True, True]


def test_accuracy_is_wanted_high_and_unknown_rows_are_left_out() -> None:
    rows = [
        {"name": name, "energy_pj": energy, "accuracy": accuracy}
        for name, energy, accuracy in [("a", 3.0, 0.9), ("b", 1.0, 0.8), ("c", 2.0, 0.7), ("d", 0.1, None)]
    ]
    assert [row["name"] for row in pareto_front(rows, ("energy_pj", "accuracy"))] == ["b", "a"]
    assert [row["name"] for row in pareto_front(rows, ("energy_pj",))] == ["d"]
    with pytest.raises(NotFoundError, match="latency_s"):
        pareto_front(rows, ("latency",))


def test_limits() -> None:
    row = {"energy_pj": 10.0, "used_buffer_bytes": None, "accuracy": 0.5, "area_mm2": None}
    assert keeps(row, (Limit("energy_pj", 10.0), Limit("used_buffer_bytes", 1.0), Limit("accuracy", 0.5, True)))
    for broken in (Limit("energy_pj", 9.9), Limit("accuracy", 0.51, True), Limit("area_mm2", 100.0)):
        assert not keeps(row, (broken,))
    assert Limit("energy_pj", 8.0).excess(row) == pytest.approx(0.25)
    for value, at_least in product((1.0, 10.0, 20.0), (True, False)):
        limit = Limit("energy_pj", value, at_least)
        assert (limit.excess(row) <= 0) == (value <= 10.0 if at_least else value >= 10.0)
