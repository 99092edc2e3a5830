"""From computed values to verdicts."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from energysim.reproduce.check import Check, Claimed, Context
from energysim.reproduce.evidence import Evidence, Sample, compared, judge, merged
from energysim.reproduce.ledger import Verdict
from energysim.reproduce.printed import parse_printed
from energysim.reproduce.run import from_own_figures

FIGURE = parse_printed("3.2")


def test_all_conditions_hold() -> None:
    found = judge(Evidence((compared(FIGURE, 3.21, "x", ("a",)), compared(FIGURE, 3.18, "x", ("b",))), ("why",)))
    assert (found.verdict, found.conditions, found.reason) == (Verdict.REPRODUCED, (), "why")
    assert found.computed == "3.180x; 3.210x"


def test_some_conditions_hold() -> None:
    found = judge(Evidence((compared(FIGURE, 9.0, "x", ("a",)), compared(FIGURE, 3.2, "x", ("b",)))))
    assert (found.verdict, found.conditions, found.computed) == (Verdict.ONLY_IF, ("b",), "3.200x")
    assert found.reason == "holds under 1 of 2 conditions"


def test_no_condition_holds_and_the_closest_is_shown() -> None:
    values = {"far": 9.0, "near": 3.3, "below": 1.0}
    found = judge(Evidence(tuple(compared(FIGURE, value, "x", (name,)) for name, value in values.items())))
    assert (found.verdict, found.conditions, found.computed) == (Verdict.NOT, (), "3.300x (near)")


def test_many_values_are_a_span() -> None:
    found = judge(Evidence(tuple(compared(parse_printed("<9"), value, "MB") for value in (4.0, 1.0, 8.0, 2.0))))
    assert found.computed == "1 MB to 8 MB"


@given(st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from("12")), min_size=1))
def test_merged_conditions_stand_for_exactly_those_given(conditions: set[tuple[str, ...]]) -> None:
    expanded = [item for row in merged(sorted(conditions)) for item in product(*(cell.split(" or ") for cell in row))]
    assert sorted(expanded) == sorted(conditions)


def test_merged_conditions_are_few() -> None:
    assert merged(product("ab", "xy", "12")) == (("a or b", "x or y", "1 or 2"),)
    assert merged([()]) == ((),)


class _Own(Check):
    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        return Evidence((Sample((), "", True),))


FIGURES = {"S4/a": "6.5", "S4/b": "2.1", "S1/c": "77.8 ± 0.9", "S1/d": "70.2 ± 1.2"}


def test_a_write_ups_own_figures_are_compared_with_their_rounding() -> None:
    def told(text: str, unit: str, **own: tuple[str, str]) -> str:
        (reason,) = from_own_figures(_Own(**own), Claimed(text, unit, FIGURES))
        return reason

    ratio = "the write-up's own 6.5 / 2.1 is 3.095x"
    assert told("2.8", "x", own_ratio=("S4/a", "S4/b")) == f"{ratio}, not as claimed"
    assert told("3.1", "x", own_ratio=("S4/a", "S4/b")) == f"{ratio}, as claimed"
    gap = "the write-up's own 77.8 ± 0.9 - 70.2 ± 1.2 is 7.600 points"
    assert told("7.6", "points", own_difference=("S1/c", "S1/d")) == f"{gap}, as claimed"
    assert told("10-15", "points", own_difference=("S1/c", "S1/d")) == f"{gap}, not as claimed"
