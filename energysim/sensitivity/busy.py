"""A latency as a function of its constants, and what can be done with such functions: fixing constants, leaving out
what never binds, cancelling what two have in common.

A layer takes as long as its slowest resource; a resource's time is its time at nominal constants times one slowness
(nominal over actual) for every constant that it depends on. Launch overheads add up apart from that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from energysim.sensitivity.spread import Range, Spread

Array = NDArray[np.float64]
Slowness = dict[Hashable, Range]
"""Constant -> its slowness where it is fastest (at most 1) and slowest (at least 1)."""


@dataclass(frozen=True)
class Busy:
    """The busy seconds of one result as a function of its constants.

    ``seconds``: (layers, resources), at nominal constants, 0 where a layer does not use a resource. ``uses``: (layers,
    resources, constants), whether a time depends on a constant, in the order of ``names``.
    """

    names: tuple[Hashable, ...]
    seconds: Array
    uses: NDArray[np.bool_]

    def times(self, slowness: Array) -> Array:
        """Seconds of every resource of every layer, for (points, constants): (points, layers, resources)."""
        times = np.broadcast_to(self.seconds, (len(slowness), *self.seconds.shape)).copy()
        for index in range(len(self.names)):
            times *= np.where(self.uses[..., index], slowness[:, index, None, None], 1.0)
        return times

    def latencies(self, slowness: Array) -> Array:
        """Busy seconds of all layers, for (points, constants)."""
        totals: Array = self.times(slowness).max(axis=2).sum(axis=1)
        return totals


@dataclass(frozen=True)
class Speed:
    """A latency: its busy seconds, the ranges of what these depend on, and launch overheads by constant."""

    busy: Busy
    ranges: Slowness
    launches: dict[Hashable, Spread]


def put(speed: Speed, kept: tuple[Hashable, ...], end: int) -> Busy:
    """The busy seconds as a function of the ``kept`` constants alone; the others are at their fast (0) or slow (1)
    end."""
    busy = speed.busy
    seconds = busy.seconds.copy()
    for index, key in enumerate(busy.names):
        if key not in kept:
            seconds *= np.where(busy.uses[..., index], speed.ranges[key][end], 1.0)
    columns = [busy.names.index(key) for key in kept]
    return Busy(kept, seconds, busy.uses[..., columns])


def pruned(busy: Busy, low: Array, high: Array) -> Busy:
    """The same on a box: resources that never bind there are left out, and layers that depend on the same constants in
    the same way, with one resource that binds, are one."""
    fastest, slowest = busy.times(np.stack((low, high)))
    first = fastest.argmax(axis=1)[:, None]
    binds = (slowest > fastest.max(axis=1, keepdims=True)) | (np.arange(fastest.shape[1]) == first)
    sums: dict[tuple[bool, ...], float] = {}
    for row in np.flatnonzero(binds.sum(axis=1) == 1):
        pattern = tuple(busy.uses[row, first[row, 0]].tolist())
        sums[pattern] = sums.get(pattern, 0.0) + float(busy.seconds[row, first[row, 0]])
    several = binds.sum(axis=1) > 1
    resources, constants = busy.uses.shape[1:]
    alone = np.zeros((len(sums), resources))
    alone[:, 0] = list(sums.values())
    uses = np.zeros((len(sums), resources, constants), dtype=bool)
    uses[:, 0] = np.array(list(sums), dtype=bool).reshape(len(sums), constants)
    seconds = np.where(binds, busy.seconds, 0.0)[several]
    return Busy(busy.names, np.concatenate((seconds, alone)), np.concatenate((busy.uses[several], uses)))


def cancelled(plus: Speed, minus: Speed) -> tuple[Speed, Speed, Speed]:
    """Both without the layers that take the same in both, and these layers."""
    rows = Counter(_row_keys(plus.busy)) & Counter(_row_keys(minus.busy))
    of_plus, of_minus = (_members(speed.busy, Counter(rows)) for speed in (plus, minus))
    return _part(plus, ~of_plus), _part(minus, ~of_minus), _part(plus, of_plus)


def _row_keys(busy: Busy) -> list[Hashable]:
    """What a layer takes of every resource: equal keys are equal functions of the constants."""
    return [
        frozenset(
            Counter(
                (f"{seconds:.12g}", frozenset(busy.names[at] for at in np.flatnonzero(uses)))
                for seconds, uses in zip(busy.seconds[row], busy.uses[row], strict=True)
                if seconds > 0
            ).items()
        )
        for row in range(len(busy.seconds))
    ]


def _members(busy: Busy, wanted: Counter[Hashable]) -> NDArray[np.bool_]:
    found = np.zeros(len(busy.seconds), dtype=bool)
    for row, key in enumerate(_row_keys(busy)):
        found[row] = wanted[key] > 0
        wanted[key] -= 1
    return found


def _part(speed: Speed, rows: NDArray[np.bool_]) -> Speed:
    busy = speed.busy
    return replace(speed, busy=Busy(busy.names, busy.seconds[rows], busy.uses[rows]))


def stacked(first: Busy, second: Busy, weight: float) -> Busy:
    """The layers of both, those of ``second`` times ``weight``; resources are padded to equally many."""
    width = max(first.seconds.shape[1], second.seconds.shape[1])
    parts = [(first.seconds, first.uses), (second.seconds * weight, second.uses)]
    seconds = [np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part, _ in parts]
    uses = [np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0))) for _, part in parts]
    return Busy(first.names, np.concatenate(seconds), np.concatenate(uses))
