"""One quantity of two results: its values, how far the difference may move, and what that says of its sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from energysim.sensitivity.spread import Range

_SAME = 1e-9  # of the greater value: sums in another order differ by less

ROBUST, WITHIN, SAME, NOMINAL, COUNTED = "robust", "within the spread", "the same", "nominal only", "counted"


@dataclass(frozen=True, slots=True)
class Change:
    """``first`` and ``second`` at nominal constants. ``difference_range`` of ``second - first`` and ``ratio_range`` of
    ``second / first`` over the constants' ranges; None: not given, or ``first`` may be 0. ``exact``: no constant is
    behind the quantity."""

    name: str
    quantity: str
    unit: str
    first: float
    second: float
    difference_range: Range | None = None
    ratio_range: Range | None = None
    exact: bool = False

    @property
    def difference(self) -> float:
        return self.second - self.first

    @property
    def ratio(self) -> float | None:
        return self.second / self.first if self.first else None

    @property
    def verdict(self) -> str:
        """ "robust": the difference has the same sign whatever the constants are within their ranges; "within the
        spread": it has not; "the same": there is none; "counted": no constants are behind it, so it is as it is;
        "nominal only": its range was not computed."""
        scale = max(abs(self.first), abs(self.second))
        span = self.difference_range
        if span is not None and max(map(abs, span)) <= _SAME * scale:
            return SAME
        if self.exact:
            return SAME if abs(self.difference) <= _SAME * scale else COUNTED
        if span is not None:
            return ROBUST if span[0] > _SAME * scale or span[1] < -_SAME * scale else WITHIN
        if self.ratio_range is None:
            return NOMINAL
        low, high = self.ratio_range
        if low >= 1 - _SAME and high <= 1 + _SAME:
            return SAME
        return ROBUST if low > 1 + _SAME or high < 1 - _SAME else WITHIN

    def to_dict(self) -> dict[str, Any]:
        low, high = self.difference_range or (None, None)
        ratio_low, ratio_high = self.ratio_range or (None, None)
        return {
            "name": self.name,
            "unit": self.unit,
            "first": self.first,
            "second": self.second,
            "difference": self.difference,
            "low": low,
            "high": high,
            "ratio": self.ratio,
            "ratio_low": ratio_low,
            "ratio_high": ratio_high,
            "verdict": self.verdict,
        }


def counted(name: str, unit: str, first: float, second: float, quantity: str | None = None) -> Change:
    """A quantity without constants behind it."""
    return Change(name, quantity or name, unit, first, second, exact=True)
