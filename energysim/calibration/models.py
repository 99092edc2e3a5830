"""The two models that are fitted: latency of a network, and energy of a network, from a device's constants.

Latency is a sum over layers of max(compute / efficiency, DRAM / efficiency, on-chip) + launch overhead: convex and
piecewise linear in the *inverse* efficiencies, so those are what is varied. Energy is linear in its constants (form of
Choi and Vuduc's energy roofline, 2012): energy per MAC, per DRAM access and per on-chip access, each as a factor of
the architecture's value, and idle power times time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from energysim.arch.spec import ArchSpec
from energysim.calibration.features import Array, Features

BANDWIDTH, LAUNCH = "bandwidth", "launch"
MAC, DRAM, ON_CHIP, IDLE = "mac", "dram", "on_chip", "idle"
ENERGY = (MAC, DRAM, ON_CHIP, IDLE)
FITTED_CLASSES = ("conv", "depthwise", "linear", "matmul")

_SLOWEST = 1000.0  # no device is described whose kernels reach less than a thousandth of its peak
_LONGEST_LAUNCH_S = 0.05
_FACTOR = 1000.0
_MOST_IDLE_W = 1000.0


@dataclass(frozen=True)
class Parameter:
    """One constant in the form in which it is varied, ``start`` within ``lower`` and ``upper``.

    ``value`` turns it into the constant itself (an inverse efficiency into an efficiency). ``measure``: what to
    measure where it is not determined.
    """

    name: str
    unit: str
    start: float
    lower: float
    upper: float
    measure: str
    inverse: bool = False

    def value(self, varied: float) -> float:
        return 1.0 / varied if self.inverse else varied


class Model(Protocol):
    """Predicts what was measured, one entry per row, from the varied form of its parameters."""

    @property
    def parameters(self) -> tuple[Parameter, ...]: ...

    @property
    def rows(self) -> tuple[str, ...]: ...

    @property
    def measured(self) -> Array: ...

    def predict(self, varied: Array) -> Array: ...

    def without(self, index: int) -> Model:
        """The same model with one row left out."""
        ...


@dataclass(frozen=True)
class LatencyModel:
    """Seconds. Parameters: inverse compute efficiencies by operator class, inverse bandwidth efficiency, launch
    overhead in seconds (one bandwidth efficiency and one overhead for all classes)."""

    features: tuple[Features, ...]
    parameters: tuple[Parameter, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        return tuple(f.row.name for f in self.features)

    @property
    def measured(self) -> Array:
        return np.array([f.row.latency_s for f in self.features], dtype=np.float64)

    def predict(self, varied: Array) -> Array:
        values = {p.name: p.value(float(v)) for p, v in zip(self.parameters, varied, strict=True)}
        return np.array([latency_s(f, values) for f in self.features])

    def without(self, index: int) -> LatencyModel:
        return LatencyModel(_dropped(self.features, index), self.parameters)


@dataclass(frozen=True)
class EnergyModel:
    """Joules, idle power included. ``seconds``: of each row, measured or predicted."""

    features: tuple[Features, ...]
    seconds: tuple[float, ...]
    parameters: tuple[Parameter, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        return tuple(f.row.name for f in self.features)

    @property
    def measured(self) -> Array:
        return np.array([f.row.energy_j for f in self.features], dtype=np.float64)

    @property
    def columns(self) -> Array:
        """Joules per unit of each constant: rows by (MAC, DRAM, on chip, idle)."""
        return np.array([(f.mac_j, f.dram_j, f.on_chip_j, s) for f, s in zip(self.features, self.seconds, strict=True)])

    @property
    def leakage_j(self) -> Array:
        """What the architecture's stated leakage takes in that time; it is not fitted."""
        return np.array([f.leakage_w * s for f, s in zip(self.features, self.seconds, strict=True)])

    def predict(self, varied: Array) -> Array:
        predicted: Array = self.columns @ np.asarray(varied) + self.leakage_j
        return predicted

    def without(self, index: int) -> EnergyModel:
        return EnergyModel(_dropped(self.features, index), _dropped(self.seconds, index), self.parameters)


def latency_s(features: Features, values: dict[str, float]) -> float:
    """Seconds of one network; ``values`` by parameter name ("conv.compute", "bandwidth", "launch")."""
    return sum(
        times.latency_s(values.get(f"{times.op_class}.compute", 1.0), values[BANDWIDTH], values[LAUNCH])
        for times in features.times
    )


def latency_model(features: Sequence[Features], arch: ArchSpec) -> LatencyModel:
    """The model of the rows that have a latency, starting from the architecture's efficiencies (1 and 0 if none)."""
    stated = {e.op_class: e for e in arch.efficiency}
    first = next(iter(stated.values()), None)
    present = [c for c in FITTED_CLASSES if any(t.op_class == c for f in features for t in f.times)]
    parameters = [
        _inverse(f"{c}.compute", 1.0 if c not in stated else stated[c].compute.value, _ADVICE[c]) for c in present
    ]
    parameters.append(_inverse(BANDWIDTH, 1.0 if first is None else first.bandwidth.value, _ADVICE[BANDWIDTH]))
    launch_s = 0.0 if first is None else first.launch_overhead_s.value
    parameters.append(Parameter(LAUNCH, "s", launch_s, 0.0, _LONGEST_LAUNCH_S, _ADVICE[LAUNCH]))
    return LatencyModel(tuple(f for f in features if f.row.latency_s is not None), tuple(parameters))


def energy_model(features: Sequence[Features], arch: ArchSpec, predicted_s: Callable[[Features], float]) -> EnergyModel:
    """The model of the rows that have an energy. ``predicted_s`` stands in where a row has no latency."""
    rows = tuple(f for f in features if f.row.energy_j is not None)
    seconds = tuple(predicted_s(f) if f.row.latency_s is None else f.row.latency_s for f in rows)
    idle_w = 0.0 if arch.idle_power_w is None else arch.idle_power_w.value
    factors = [Parameter(name, "x nominal", 1.0, 0.0, _FACTOR, _ADVICE[name]) for name in (MAC, DRAM, ON_CHIP)]
    idle = Parameter(IDLE, "W", idle_w, 0.0, _MOST_IDLE_W, _ADVICE[IDLE])
    return EnergyModel(rows, seconds, (*factors, idle))


def _inverse(name: str, efficiency: float, advice: str) -> Parameter:
    return Parameter(name, "of peak", 1.0 / efficiency, 1.0, _SLOWEST, advice, inverse=True)


def _dropped[T](items: tuple[T, ...], index: int) -> tuple[T, ...]:
    return items[:index] + items[index + 1 :]


_ADVICE = {
    "conv": "a network of large convolutions (vgg16, or a larger batch), which compute limits",
    "depthwise": "a network with depthwise convolutions (mobilenet_v2) at a batch that compute limits",
    "linear": "a network with linear layers at a batch of 32 or more, where compute limits them",
    "matmul": "a transformer (vit_b_16)",
    BANDWIDTH: "a network that DRAM limits (the linear layers of alexnet or vgg11 at batch 1)",
    LAUNCH: "a network of many small layers (densenet121, or mobilenet_v2 at a small input)",
    MAC: "a network with many MACs per byte (vgg16, or a larger batch)",
    DRAM: "a network with many DRAM bytes per MAC (alexnet at batch 1)",
    ON_CHIP: "a network with much on-chip traffic per MAC (mobilenet_v2)",
    IDLE: "a network that waits more than it computes (many small layers, batch 1)",
}
