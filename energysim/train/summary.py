"""Several runs of one model as one line: accuracy over the seeds, cost on a device."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from energysim.graph.layers import LayerGraph
from energysim.schedule.live import Content, LiveRange, peak_bytes
from energysim.train.result import RunResult

FLOAT32_BYTES = 4
JOULES_PER_KWH = 3.6e6
# Average of electricity worldwide, IEA, Global Energy & CO2 Status Report 2019.
GRID_KG_PER_KWH = 0.475


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and sample standard deviation (None for one value) over ``n`` seeds."""

    mean: float
    std: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))


@dataclass(frozen=True, slots=True)
class DeviceCost:
    """One inference (batch 1) on a device, by `energysim simulate`; ``peak_map_bytes``: see ``peak_map_bytes``."""

    arch: str
    bits: int
    macs: int
    energy_pj: float
    energy_low_pj: float
    energy_high_pj: float
    latency_s: float
    dram_bytes: float
    dram_floor_bytes: float
    peak_map_bytes: int = 0


@dataclass(frozen=True)
class ModelSummary:
    """``inference_s``: measured on this machine's CPU, batch 1 (None where it was not); ``ensemble``: top-1 of the
    ``snapshots`` of each run together, which cost that many inferences."""

    name: str
    data: str
    parameters: int
    top1: Spread
    top5: Spread | None
    calibration_error: Spread
    epochs: Spread
    training_s: Spread
    cost: DeviceCost | None = None
    inference_s: float | None = None
    note: str = ""
    ensemble: Spread | None = None
    snapshots: int = 0

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The summary whose ``asdict`` gave ``data``. Raises KeyError or TypeError for anything else."""
        spreads = ("top1", "calibration_error", "epochs", "training_s")
        return cls(
            **{
                **data,
                **{name: Spread(**data[name]) for name in spreads},
                "top5": None if data["top5"] is None else Spread(**data["top5"]),
                "cost": None if data["cost"] is None else DeviceCost(**data["cost"]),
            }
        )

    @property
    def model_bytes(self) -> int:
        """Size of the weights in float32."""
        return self.parameters * FLOAT32_BYTES

    @property
    def points_per_mmac(self) -> float | None:
        """Percentage points of top-1 accuracy per million MACs (system S1's measure)."""
        return None if self.cost is None else 100 * self.top1.mean / (self.cost.macs / 1e6)

    @property
    def kwh_per_million(self) -> float | None:
        return None if self.cost is None else self.cost.energy_pj * 1e-12 * 1e6 / JOULES_PER_KWH

    @property
    def kg_co2e_per_million(self) -> float | None:
        energy = self.kwh_per_million
        return None if energy is None else energy * GRID_KG_PER_KWH


def summarize(results: Sequence[RunResult], cost: DeviceCost | None = None, note: str = "") -> ModelSummary:
    """Runs of one model on one data set with different seeds."""
    first = results[0]
    top5 = [result.test.top5 for result in results if result.test.top5 is not None]
    together = [result.ensemble.top1 for result in results if result.ensemble is not None]
    return ModelSummary(
        name=str(first.about.get("name", first.directory)),
        data=str(first.about.get("data", "")),
        parameters=first.parameters,
        top1=Spread.of([result.test.top1 for result in results]),
        top5=Spread.of(top5) if len(top5) == len(results) else None,
        calibration_error=Spread.of([result.test.calibration_error for result in results]),
        epochs=Spread.of([len(result.history) for result in results]),
        training_s=Spread.of([result.seconds for result in results]),
        cost=cost,
        note=note,
        ensemble=Spread.of(together) if len(together) == len(results) else None,
        snapshots=first.snapshots,
    )


def device_cost(model: Any, arch: str, **options: Any) -> DeviceCost:
    """Cost of one inference of a workload, module or layer graph (see ``energysim.simulate``)."""
    from energysim.simulation import simulate

    result = simulate(model, arch, **options)
    variant = result.variants[0]
    return DeviceCost(
        arch=result.arch.name,
        bits=result.bits,
        macs=variant.macs,
        energy_pj=variant.energy.value,
        energy_low_pj=variant.energy.low,
        energy_high_pj=variant.energy.high,
        latency_s=variant.latency_s,
        dram_bytes=variant.dram_bytes,
        dram_floor_bytes=variant.dram_floor_bytes,
        peak_map_bytes=peak_map_bytes(result.graph, result.bits),
    )


def peak_map_bytes(graph: LayerGraph, bits: int) -> int:
    """The most bytes of feature maps alive at once: layer by layer, each whole, from its writer (the network's inputs
    from the start) to its last reader (the outputs to the end). Views share the words of what they view."""
    first = {graph.edges[name].storage: 0 for name in graph.inputs}
    last: dict[str, int] = {}
    for step, layer in enumerate(graph.layers):
        for name in layer.outputs:
            first.setdefault(graph.edges[name].storage, step)
        last |= {graph.edges[name].storage: step for name in (*layer.inputs, *layer.outputs)}
    last |= {graph.edges[name].storage: len(graph.layers) - 1 for name in graph.outputs}
    sizes = {name: (graph.edges[name].words * (graph.edges[name].bits or bits) + 7) // 8 for name in first}
    return peak_bytes([LiveRange(name, Content.MAP, sizes[name], first[name], last[name]) for name in first])


def pareto(summaries: Sequence[ModelSummary]) -> tuple[bool, ...]:
    """Whether each is on the front of accuracy against energy: no other has at least its accuracy for less energy, or
    more accuracy for no more. A model without a cost is on no front."""

    def energy(summary: ModelSummary) -> float:
        return math.inf if summary.cost is None else summary.cost.energy_pj

    def beaten(mine: ModelSummary) -> bool:
        return any(
            other.top1.mean >= mine.top1.mean
            and energy(other) <= energy(mine)
            and (other.top1.mean > mine.top1.mean or energy(other) < energy(mine))
            for other in summaries
        )

    return tuple(summary.cost is not None and not beaten(summary) for summary in summaries)
