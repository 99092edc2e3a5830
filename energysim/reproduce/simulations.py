"""Simulated figures of points of the design space, each computed once and kept in a store."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import prod, sqrt
from typing import Any

from energysim.cost.results import LayerCost
from energysim.errors import EnergySimError
from energysim.schedule.sizes import tile_text
from energysim.sweep import Point, Store
from energysim.sweep.evaluation import FAILED, OK, Task
from energysim.sweep.executors import executor_for
from energysim.sweep.identity import key_of

Progress = Callable[[int, int, str], None]
"""(work done, in all, what was done last); work is expected to grow with the square root of a point's input"""


@dataclass(frozen=True, slots=True)
class Simulated:
    """Totals of one batch. ``optimal``: every mapping is proven."""

    dram_bytes: float
    dram_floor_bytes: float
    energy_pj: float
    latency_s: float
    macs: int
    optimal: bool


@dataclass(frozen=True)
class Simulations:
    """``stored_only``: nothing is computed; what the store does not hold counts as what no device can run, and is in
    ``missing``. ``jobs``: worker processes, one per core by default; 1 computes in this process."""

    store: Store
    stored_only: bool = False
    jobs: int | None = 1
    missing: set[Point] = field(default_factory=set, compare=False)
    _keys: dict[Point, str] = field(default_factory=dict, compare=False, repr=False)

    def compute(self, points: Iterable[Point], progress: Progress | None = None) -> None:
        """Every point that is not stored yet, the smallest begun first, each stored at the moment it is done."""
        wanted = sorted(dict.fromkeys(points), key=_size)
        known = self.store.statuses(self._key(point) for point in wanted)
        lacking = [point for point in wanted if known.get(self._key(point), FAILED) == FAILED]
        if self.stored_only:
            self.missing.update(lacking)
            return
        if not lacking:
            return
        total, done = sum(map(_work, lacking)), 0.0
        if progress is not None:
            progress(0, round(total), f"{len(lacking):,} to simulate")
        executor = executor_for(1 if len(lacking) == 1 else self.jobs)
        try:
            for number, outcome in enumerate(executor.run([Task(self._key(point), point) for point in lacking]), 1):
                self.store.put(outcome, shlex.split(command_of(outcome.point)))
                done += _work(outcome.point)
                if progress is not None:
                    progress(round(done), round(total), f"{number:,} of {len(lacking):,}: {outcome.point}")
        finally:
            executor.close()

    def of(self, point: Point) -> Simulated | None:
        """A point's totals; None where the device cannot run it. Raises EnergySimError where it failed otherwise."""
        row = self._row(point)
        if row is None:
            return None
        return Simulated(
            row["dram_bytes"],
            row["dram_floor_bytes"],
            row["energy_pj"],
            row["latency_s"],
            row["macs"],
            row["optimal"],
        )

    def layers(self, point: Point) -> tuple[LayerCost, ...]:
        """The layers of a point that the device can run. Raises EnergySimError where it cannot."""
        if self._row(point) is None:
            raise EnergySimError(f"the device cannot run this: {point}")
        (variant,) = self.store.load(self._key(point))["variants"]
        return tuple(LayerCost.from_dict(layer) for layer in variant["layers"])

    def outermost_energy_pj(self, point: Point, level: str) -> float:
        """Energy of a point's accesses to one memory, without its leakage."""
        shares = (share for layer in self.layers(point) for share in layer.shares)
        return sum(share.energy.value for share in shares if share.level == level and share.action != "leakage")

    def _row(self, point: Point) -> dict[str, Any] | None:
        self.compute((point,))
        row = self.store.row(self._key(point))
        if row is None:
            return None
        if row["status"] == FAILED:
            raise EnergySimError(f"{point}: {row['error']}")
        return row if row["status"] == OK else None

    def _key(self, point: Point) -> str:
        if point not in self._keys:
            self._keys[point] = key_of(point)
        return self._keys[point]


def _size(point: Point) -> tuple[float, str]:
    """What points are computed in order of: the words of the input, then as they are written."""
    return _words(point), str(point)


def _words(point: Point) -> int:
    shape = point.input or f"{point.batch or 1}x3x32x32"
    return prod(int(size) for size in shape.split("x"))


def _work(point: Point) -> float:
    """CPU time, in no unit. Measured: 0.007 to 0.016 s per square root of a word for ResNet-18, from 1x3x32x32 to
    128x3x480x640 (searches take longer for larger sizes, but not in proportion)."""
    return sqrt(_words(point))


def command_of(point: Point) -> str:
    """The `energysim simulate` line of a point."""
    options = [
        ("--arch", point.arch),
        ("--variant", None if point.variant == "layerwise" else point.variant),
        ("--tile", None if point.tile is None else tile_text(point.tile)),
        ("--buffer", None if point.buffer is None else point.buffer.replace(" ", "")),
        ("--input", point.input),
        ("--batch", point.batch),
        ("--bits", point.bits),
        ("--objective", None if point.objective == "energy" else point.objective),
        ("--time-limit", point.time_limit_s),
    ]
    words = [word for name, value in options if value is not None for word in (name, str(value))]
    return shlex.join(["energysim", "simulate", point.workload, *words])
