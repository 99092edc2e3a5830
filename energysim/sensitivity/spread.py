"""How far a difference and a ratio of two sums move while the constants behind them move over their ranges.

Each sum is linear in its constants. A constant that both sums rest on has one value in both, so what they share
cancels as far as it does in truth; the others move on their own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import inf

_STEPS = 100  # of Dinkelbach's iteration, which ends by itself after a few


@dataclass(frozen=True, slots=True)
class Spread:
    """What one constant adds to a sum: at its low, its nominal and its high value."""

    low: float
    value: float
    high: float

    def __add__(self, other: Spread) -> Spread:
        return Spread(self.low + other.low, self.value + other.value, self.high + other.high)


Terms = Mapping[Hashable, Spread]
"""Constant -> what it adds to the sum. Equal keys of two sums are one constant."""
Range = tuple[float, float]
NOTHING = Spread(0.0, 0.0, 0.0)


def gathered(pairs: Iterable[tuple[Hashable, Spread]]) -> dict[Hashable, Spread]:
    """Terms of one sum; what one constant adds in several places is one term."""
    sums: dict[Hashable, Spread] = {}
    for key, spread in pairs:
        sums[key] = sums.get(key, NOTHING) + spread
    return sums


def difference_range(first: Terms, second: Terms) -> Range:
    """Least and greatest ``second - first`` over all values of the constants.

    The difference is a sum of one linear function per constant: each has its extremes at the constant's ends.
    """
    ends = [(b.low - a.low, b.high - a.high) for a, b in _paired(first, second)]
    return sum(min(pair) for pair in ends), sum(max(pair) for pair in ends)


def ratio_range(first: Terms, second: Terms) -> Range | None:
    """Least and greatest ``second / first``; None where ``first`` may be nothing.

    A ratio of two linear functions is monotone along every line on which its denominator keeps its sign, so its
    extremes are at corners of the box. Dinkelbach (Management Science 13, 1967): the corner that minimizes
    ``second - r * first`` has a smaller ratio than ``r`` until ``r`` is the least one; each step is a choice of one end
    per constant.
    """
    pairs = _paired(first, second)
    if sum(a.low for a, _ in pairs) <= 0:
        return None
    return _extreme(pairs, -1.0), _extreme(pairs, 1.0)


def _extreme(pairs: list[tuple[Spread, Spread]], sign: float) -> float:
    """The greatest ratio (``sign`` 1) or the least (-1)."""
    best = -inf
    ratio = sum(b.value for _, b in pairs) / sum(a.value for a, _ in pairs)
    for _ in range(_STEPS):
        chosen = [
            (a.low, b.low) if sign * (b.low - ratio * a.low) >= sign * (b.high - ratio * a.high) else (a.high, b.high)
            for a, b in pairs
        ]
        ratio = sum(b for _, b in chosen) / sum(a for a, _ in chosen)
        if sign * ratio <= best:
            break
        best = sign * ratio
    return sign * best


def _paired(first: Terms, second: Terms) -> list[tuple[Spread, Spread]]:
    return [(first.get(key, NOTHING), second.get(key, NOTHING)) for key in dict.fromkeys((*first, *second))]
