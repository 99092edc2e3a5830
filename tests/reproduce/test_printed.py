"""Printed figures and the values that they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim.reproduce.printed import PrintedError, parse_printed, shown


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("258,292", (258_292,), (258_291, 258_293)),
        ("43.4", (43.35, 43.44, 43.45), (43.34, 43.46)),
        ("0.02", (0.015, 0.0249), (0.0149, 0.0251)),
        ("70.2 ± 1.2", (69.0, 71.4), (68.9, 71.5)),
        ("15-30", (15, 22.5, 30), (14.9, 30.1)),
        ("~65", (64, 66), (63.9, 66.1)),
        ("<20,000", (0, 19_999), (20_000, 20_001)),
    ],
)
def test_forms(text: str, inside: tuple[float, ...], outside: tuple[float, ...]) -> None:
    printed = parse_printed(text)
    assert all(printed.holds(value) for value in inside)
    assert not any(printed.holds(value) for value in outside)


@given(st.floats(1e-3, 1e6), st.integers(0, 4))
def test_a_figure_stands_for_what_rounds_to_it(value: float, digits: int) -> None:
    printed = parse_printed(f"{value:,.{digits}f}")
    assert printed.holds(value)
    assert not printed.holds(value + 1.01 * 10.0**-digits)


def test_a_promise_is_kept_by_more() -> None:
    promise = parse_printed("3.2").at_least()
    assert promise.holds(3.15) and promise.holds(18.0) and not promise.holds(3.1)


@pytest.mark.parametrize("text", ["", "about 5", "1 2", "3.2x", "-4", "5 ±"])
def test_other_forms_are_one_clear_error(text: str) -> None:
    with pytest.raises(PrintedError, match="no printed figure"):
        parse_printed(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(258_292, "258,292"), (43.4396, "43.44"), (0.98533, "0.9853"), (0.00004156, "0.00004156"), (11220.132, "11,220")],
)
def test_computed_figures_for_reading(value: float, text: str) -> None:
    assert shown(value) == text
