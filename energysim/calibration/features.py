"""What a device's constants multiply: seconds at peak by resource and energy by action, of every measured workload.

The mapping of a layer does not depend on efficiencies or launch overheads (and on energies only by their ratios), so
each workload is simulated once and every candidate set of constants is a few array operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from energysim.arch.spec import ArchSpec
from energysim.calibration.measurements import Row
from energysim.cost.latency import COMPUTE
from energysim.cost.results import VariantCost
from energysim.graph.layers import LayerGraph
from energysim.simulation import simulate
from energysim.simulation.setting import Progress
from energysim.workload import resolve_workload

Array = npt.NDArray[np.float64]
OBJECTIVE = "edp"
"""Mappings of least energy-delay product: as fast as `latency`'s to 0.2 % on the Jetson Nano's nine networks, found in
a seventh of the time, and with an energy that is not arbitrary."""


@dataclass(frozen=True)
class LayerTimes:
    """One operator class of one network, one entry per layer: seconds at peak of compute, of the outermost memory,
    and of the slowest on-chip memory (which no efficiency slows)."""

    op_class: str
    compute_s: Array
    dram_s: Array
    on_chip_s: Array

    def latency_s(self, compute: float, bandwidth: float, launch_s: float) -> float:
        """Sum over the layers of max(compute / efficiency, DRAM / efficiency, on-chip) + launch overhead."""
        bound = np.maximum(np.maximum(self.compute_s / compute, self.dram_s / bandwidth), self.on_chip_s)
        return float(bound.sum() + launch_s * len(bound))


@dataclass(frozen=True)
class Features:
    """One row's workload on the device, and the simulation they come from. Energies in joules at the constants'
    nominal values; leakage in watts."""

    row: Row
    cost: VariantCost
    times: tuple[LayerTimes, ...]
    mac_j: float
    dram_j: float
    on_chip_j: float
    leakage_w: float


@dataclass
class Networks:
    """The networks of some measurements, each traced once."""

    graphs: dict[tuple[object, ...], LayerGraph] = field(default_factory=dict)

    def graph(self, row: Row) -> LayerGraph:
        """Raises EnergySimError where the workload does not exist or cannot be traced."""
        key = (row.workload, row.batch, row.input)
        if key not in self.graphs:
            self.graphs[key] = resolve_workload(row.workload, row.input, row.batch).trace()
        return self.graphs[key]


def features_of(
    rows: Sequence[Row],
    arch: ArchSpec,
    objective: str = OBJECTIVE,
    networks: Networks | None = None,
    progress: Progress | None = None,
) -> tuple[Features, ...]:
    """Simulates every distinct workload of the rows once, layerwise. Raises EnergySimError like ``simulate``."""
    networks = networks or Networks()
    known: dict[tuple[object, ...], VariantCost] = {}
    found = []
    for number, row in enumerate(rows):
        key = (row.workload, row.batch, row.input, row.bits)
        if key not in known:
            if progress is not None:
                progress(number, len(rows), row.name)
            result = simulate(networks.graph(row), arch, bits=row.bits, objective=objective)
            known[key] = result.variants[0]
        found.append(_features(row, known[key], arch))
    return tuple(found)


def _features(row: Row, cost: VariantCost, arch: ArchSpec) -> Features:
    outermost = arch.memories[0].name
    classes = dict.fromkeys(layer.op_class for layer in cost.layers)
    times = []
    for op_class in classes:
        peaks = [dict(layer.peak_s) for layer in cost.layers if layer.op_class == op_class]
        inner = [
            max((s for name, s in peak.items() if name not in (COMPUTE, outermost)), default=0.0) for peak in peaks
        ]
        compute_s = np.array([peak.get(COMPUTE, 0.0) for peak in peaks])
        dram_s = np.array([peak.get(outermost, 0.0) for peak in peaks])
        times.append(LayerTimes(op_class, compute_s, dram_s, np.array(inner)))
    joules = {"mac": 0.0, "dram": 0.0, "on_chip": 0.0, "leakage": 0.0}
    for layer in cost.layers:
        for share in layer.shares:
            on_chip = "dram" if share.level == outermost else "on_chip"
            joules[share.action if share.action in joules else on_chip] += share.energy.value * 1e-12
    leakage_w = joules["leakage"] / cost.latency_s if cost.latency_s else 0.0
    return Features(row, cost, tuple(times), joules["mac"], joules["dram"], joules["on_chip"], leakage_w)
