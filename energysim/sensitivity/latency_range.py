"""Sound bounds of the difference and the ratio of two latencies over the box of their constants.

Both latencies grow with every slowness, their difference does not. It is bounded from above on a box: the constants of
only one latency are put at their better end; of the shared ones, the latency that is added is convex in each, and the
one that is taken off is at least the sum of one chosen resource per layer, which is linear in each. So the bound is
convex in each and is greatest at a corner. It is exact where the layers that are taken off are bound by one resource
each on the whole box; where they are not, the box is halved (branch and bound) until bound and attained value agree.
Layers that take the same in both cancel before that.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import count, product
from math import inf

import numpy as np

from energysim.sensitivity.busy import Array, Busy, Speed, cancelled, pruned, put, stacked
from energysim.sensitivity.spread import NOTHING, Range

_MOST_SHARED = 9  # constants that move together; of more, those that matter least are taken as independent
_MOST_BOXES = 96
_CLOSE = 0.01  # of the difference
_NOISE = 1e-9  # of the latency
_STEPS = 30


@dataclass(frozen=True)
class LatencyRange:
    """Of ``second - first`` in s and of ``second / first``. ``tight``: both ends of the difference are attained within
    1%; else the true range lies within."""

    difference_s: Range
    ratio: Range
    tight: bool


def latency_range(first: Speed, second: Speed) -> LatencyRange:
    """Raises ValueError where a latency may be 0."""
    up, down = _Gap(second, first), _Gap(first, second)
    high, low = up.greatest(1.0), down.greatest(1.0)
    ratio = 1 / down.greatest_ratio(), up.greatest_ratio()
    return LatencyRange((-low.bound, high.bound), ratio, high.tight and low.tight)


@dataclass(frozen=True)
class _Extreme:
    """The greatest value lies between ``attained`` and ``bound``; ``tight``: close enough to be one."""

    attained: float
    bound: float
    tight: bool


class _Gap:
    """``plus - weight * minus`` as a function of the constants that both share."""

    def __init__(self, plus: Speed, minus: Speed) -> None:
        self.launches = [
            (plus.launches.get(key, NOTHING), minus.launches.get(key, NOTHING))
            for key in dict.fromkeys((*plus.launches, *minus.launches))
        ]
        self.nominal = tuple(
            float(speed.busy.seconds.max(axis=1).sum()) + sum(part.value for part in speed.launches.values())
            for speed in (plus, minus)
        )
        self.least = _latency(put(minus, (), 0)) + sum(part.low for part in minus.launches.values())
        self.most = _latency(put(minus, (), 1)) + sum(part.high for part in minus.launches.values())
        plus, minus, both = cancelled(plus, minus)
        shared = _shared(plus, minus, both)
        self.low = np.array([plus.ranges[key][0] for key in shared])
        self.high = np.array([plus.ranges[key][1] for key in shared])
        self.plus, self.minus = put(plus, shared, 1), put(minus, shared, 0)
        self.both = put(both, shared, 1), put(both, shared, 0)

    def greatest(self, weight: float) -> _Extreme:
        plus, minus = self._weighted(weight)
        launch = sum(max(p.low - weight * m.low, p.high - weight * m.high) for p, m in self.launches)
        order = count()
        value = _on_box(plus, minus, self.low, self.high)
        best = value.attained
        heap = [(-value.bound, next(order), self.low, self.high, value.split)]
        noise = _NOISE * max(self.nominal)
        while -heap[0][0] - best > _CLOSE * abs(best + launch) + noise and len(heap) < _MOST_BOXES:
            _, _, low, high, axis = heapq.heappop(heap)
            middle = (low[axis] * high[axis]) ** 0.5
            for start, end in ((low[axis], middle), (middle, high[axis])):
                half = low.copy(), high.copy()
                half[0][axis], half[1][axis] = start, end
                value = _on_box(plus, minus, *half)
                best = max(best, value.attained)
                heapq.heappush(heap, (-value.bound, next(order), *half, value.split))
        bound = -heap[0][0]
        return _Extreme(best + launch, bound + launch, bound - best <= _CLOSE * abs(best + launch) + noise)

    def greatest_ratio(self) -> float:
        """An upper bound of ``plus / minus``, by Dinkelbach's iteration over the corners and a bound from there.

        ``plus - r * minus <= u`` everywhere means ``plus / minus <= r + u / minus``.
        """
        if self.least <= 0:
            raise ValueError("a latency may be 0")
        ratio = self.nominal[0] / self.nominal[1]
        corners = _corners(self.low, self.high)
        plus = stacked(self.plus, self.both[0], 1.0).latencies(corners)
        minus = stacked(self.minus, self.both[1], 1.0).latencies(corners)
        for _ in range(_STEPS):
            at = int(np.argmax(plus - ratio * minus))
            ends = [
                (p.low, m.low) if p.low - ratio * m.low > p.high - ratio * m.high else (p.high, m.high)
                for p, m in self.launches
            ]
            found = (plus[at] + sum(p for p, _ in ends)) / (minus[at] + sum(m for _, m in ends))
            if found <= ratio * (1 + 1e-12):
                break
            ratio = float(found)
        for _ in range(2):  # the second time from outside: what is left over then makes it smaller
            left = self.greatest(ratio).bound
            ratio += left / (self.least if left > 0 else self.most)
        return ratio

    def _weighted(self, weight: float) -> tuple[Busy, Busy]:
        """Both sides of ``plus - weight * minus``; of what both take alike, what the weight leaves over."""
        minus = Busy(self.minus.names, self.minus.seconds * weight, self.minus.uses)
        if weight <= 1:
            return stacked(self.plus, self.both[0], 1 - weight), minus
        return self.plus, stacked(minus, self.both[1], weight - 1)


def _on_box(plus: Busy, minus: Busy, low: Array, high: Array) -> _Value:
    """The greatest value at a corner, and a bound on the whole box."""
    corners = _corners(low, high)
    added = pruned(plus, low, high).latencies(corners)
    minus = pruned(minus, low, high)
    times = minus.times(corners)
    slowest = times.max(axis=2)
    values = added - slowest.sum(axis=1)
    at = int(np.argmax(values))
    bound, split = inf, 0
    for point in (np.sqrt(low * high), corners[at]):
        chosen = minus.times(point[None])[0].argmax(axis=1)
        taken = np.take_along_axis(times, chosen[None, :, None], axis=2)[..., 0]
        here = float((added - taken.sum(axis=1)).max())
        if here < bound:
            bound, split = here, _axis(minus, slowest - taken, low, high)
    return _Value(float(values[at]), bound, split)


@dataclass(frozen=True)
class _Value:
    """On one box: the greatest value found, an upper bound, and the constant to halve next."""

    attained: float
    bound: float
    split: int


def _shared(plus: Speed, minus: Speed, both: Speed) -> tuple[Hashable, ...]:
    """The constants with a range that both sides depend on, those that move most seconds first, at most so many."""

    def moved(key: Hashable) -> float:
        low, high = plus.ranges[key]
        return (high - low) * sum(_seconds_behind(speed, key) for speed in (plus, minus))

    shared = [
        key
        for key in plus.ranges
        if key in minus.ranges
        and ((_seconds_behind(plus, key) and _seconds_behind(minus, key)) or _seconds_behind(both, key))
    ]
    return tuple(sorted(shared, key=moved, reverse=True)[:_MOST_SHARED])


def _seconds_behind(speed: Speed, key: Hashable) -> float:
    """Of the resources that depend on the constant and may bind; 0 for a constant without a range."""
    if speed.ranges[key][0] == speed.ranges[key][1]:
        return 0.0
    low, high = (np.array([speed.ranges[name][end] for name in speed.busy.names]) for end in (0, 1))
    alive = pruned(speed.busy, low, high)
    return float(alive.seconds[alive.uses[..., speed.busy.names.index(key)]].sum())


def _axis(minus: Busy, loss: Array, low: Array, high: Array) -> int:
    """The constant to halve: the widest of those behind the layers whose chosen resource is not always the slowest."""
    if not len(low):
        return 0
    behind = (minus.uses & (minus.seconds > 0)[..., None]).any(axis=1)
    return int(np.argmax(loss.max(axis=0) @ behind * np.log(high / low)))


def _corners(low: Array, high: Array) -> Array:
    return np.array(list(product(*zip(low, high, strict=True)))).reshape(2 ** len(low), len(low))


def _latency(busy: Busy) -> float:
    return float(busy.seconds.max(axis=1).sum())
