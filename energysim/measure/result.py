"""What a measurement says: values with their spread over windows, and what is not known with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean, stdev
from typing import Any

from energysim.measure.sensors import SensorInfo, Unavailable
from energysim.version import __version__

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation (None of a single value) over ``n`` windows."""

    mean: float
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises ValueError without values."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


@dataclass(frozen=True, slots=True)
class Window:
    """One window: ``inferences`` in ``seconds``; ``joules`` by sensor, None from where on the sensor failed."""

    seconds: float
    inferences: int
    joules: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class SensorResult:
    """One sensor. ``energy_j``: per inference above idle; ``total_j``: idle included; ``power_w``: while busy.

    ``energy_j`` is None where ``unavailable`` says why."""

    info: SensorInfo
    idle_w: float | None
    power_w: Spread | None
    total_j: Spread | None
    energy_j: Spread | None
    unavailable: str | None = None


@dataclass(frozen=True)
class Measurement:
    """Latency and energy of one inference (of the whole batch). ``interrupted``: fewer windows than asked for."""

    workload: str
    inputs: str
    batch: int
    bits: int
    device: str
    latency_s: Spread
    sensors: tuple[SensorResult, ...]
    missing: tuple[Unavailable, ...]
    windows: tuple[Window, ...]
    idle_seconds: float
    warmup_inferences: int
    interrupted: bool
    provenance: dict[str, Any] = field(default_factory=dict)

    def energy_j(self) -> Spread | None:
        """Per inference above idle, the headline sensors together; None where one failed or nothing is above idle."""
        above = self._sum(subtract_idle=True)
        return above if above is not None and above.mean > 0 else None

    def total_j(self) -> Spread | None:
        """The same with idle power included: what `energysim calibrate` takes as energy_j."""
        return self._sum(subtract_idle=False)

    def why_no_energy(self) -> str:
        """The reason behind a missing energy, in one line."""
        reasons = [f"{s.info.name}: {s.unavailable}" for s in self.sensors if s.info.headline and s.unavailable]
        reasons += [f"{gone.name}: {gone.reason}" for gone in self.missing]
        return "; ".join(reasons)

    def _sum(self, subtract_idle: bool) -> Spread | None:
        parts = [index for index, sensor in enumerate(self.sensors) if sensor.info.headline]
        if not parts:
            return None
        rest_w = [self.sensors[index].idle_w for index in parts]
        per_window = []
        for window in self.windows:
            joules = [window.joules[index] for index in parts]
            if None in joules or None in rest_w:
                return None
            idle_j = sum(w for w in rest_w if w is not None) * window.seconds if subtract_idle else 0.0
            per_window.append((sum(j for j in joules if j is not None) - idle_j) / window.inferences)
        return Spread.of(per_window)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what is not available is null with its reason beside it."""
        energy, total = self.energy_j(), self.total_j()
        return {
            "schema": SCHEMA,
            "energysim": __version__,
            "workload": {"name": self.workload, "input": self.inputs, "batch": self.batch, "bits": self.bits},
            "device": self.device,
            "latency_s": asdict(self.latency_s),
            "energy_j": None if energy is None else asdict(energy),
            "total_energy_j": None if total is None else asdict(total),
            "unavailable": None if energy is not None else self.why_no_energy(),
            "sensors": [{**asdict(sensor), "method": sensor.info.method} for sensor in self.sensors],
            "missing": [asdict(gone) for gone in self.missing],
            "idle_seconds": self.idle_seconds,
            "warmup_inferences": self.warmup_inferences,
            "interrupted": self.interrupted,
            "windows": [asdict(window) for window in self.windows],
            "provenance": self.provenance,
        }
