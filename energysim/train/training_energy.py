"""What training costs on a device: energy, DRAM traffic, MACs and time per step, epoch and run, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energysim.arch.spec import ArchSpec
from energysim.cost.results import LayerCost
from energysim.errors import NotFoundError, did_you_mean
from energysim.simulation import simulate
from energysim.train.hooks import Hook
from energysim.train.training_graph import OPTIMIZER_STATES, Phase, training_graph
from energysim.workload import Workload, resolve_workload, workload_of

if TYPE_CHECKING:
    from torch import nn

    from energysim.train.hooks import EpochRecord, TrainState
    from energysim.train.recipe import Optimizer

BITS = 32
"""Words of training (float32) where nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Cost:
    """``energy_j`` with its interval from the constants' low and high values; ``dram_bytes`` read and written."""

    energy_j: float = 0.0
    energy_low_j: float = 0.0
    energy_high_j: float = 0.0
    dram_bytes: float = 0.0
    latency_s: float = 0.0
    macs: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    def times(self, factor: float) -> Cost:
        """``macs`` is rounded."""
        scaled = {name: getattr(self, name) * factor for name in self.__slots__}
        return Cost(**{**scaled, "macs": round(self.macs * factor)})


@dataclass(frozen=True, slots=True)
class LayerTraining:
    """One layer of the network in one phase of a step."""

    layer: str
    phase: Phase
    cost: Cost


@dataclass(frozen=True)
class StepCost:
    """One step of ``batch`` images. ``parts``: every layer and phase, in the order in which they first run."""

    workload: str
    arch: str
    batch: int
    bits: int
    optimizer: str
    parameters: int
    parts: tuple[LayerTraining, ...]

    @property
    def total(self) -> Cost:
        return _sum(part.cost for part in self.parts)

    def phase(self, phase: Phase) -> Cost:
        return _sum(part.cost for part in self.parts if part.phase is phase)

    def layer(self, name: str) -> Cost:
        return _sum(part.cost for part in self.parts if part.layer == name)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.layer for part in self.parts))

    def epoch(self, images: int) -> Cost:
        """An epoch over so many images: whole steps, and the last, smaller batch in proportion to its images (but for
        its update, which costs the same)."""
        update = self.phase(Phase.UPDATE)
        steps = -(-images // self.batch)
        rest = _sum(part.cost for part in self.parts if part.phase is not Phase.UPDATE)
        return rest.times(images / self.batch) + update.times(steps)


def training_cost(
    model: str | Path | nn.Module | Workload,
    arch: str | Path | ArchSpec,
    *,
    batch: int = 64,
    optimizer: str = "adam",
    bits: int = BITS,
    input: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    **options: Any,
) -> StepCost:
    """One step of training on a device, each layer mapped by itself (variant layerwise).

    ``optimizer``: sgd, momentum, adam or adamw (what it reads and writes per parameter). ``bits``: width of every word.
    ``options`` go to ``simulate``. Raises NotFoundError for an unknown optimizer, and what ``simulate`` raises.
    """
    if optimizer not in OPTIMIZER_STATES:
        hint = did_you_mean(optimizer, OPTIMIZER_STATES) or f"one of {', '.join(OPTIMIZER_STATES)}"
        raise NotFoundError(f"unknown optimizer {optimizer!r}", hint=hint)
    workload = _workload(model, input, batch)
    graph = workload.trace()
    step = training_graph(graph, optimizer)
    result = simulate(step.graph, arch, bits=bits, progress=progress, **options)
    sums: dict[tuple[str, Phase], Cost] = {}
    for layer in result.variants[0].layers:
        key = step.parts[layer.name]
        sums[key] = sums.get(key, Cost()) + _cost(layer)
    parts = tuple(LayerTraining(name, phase, cost) for (name, phase), cost in sums.items())
    return StepCost(workload.name, result.arch.name, batch, bits, optimizer, graph.parameters, parts)


class TrainingEnergy(Hook):
    """Logs, per epoch, what the epoch cost on a device and what the run has cost so far, in joules.

    A hook that changes the structure (pruning) belongs behind this one: what it leaves is the next epoch's network,
    which is simulated anew.
    """

    name = "training energy"

    def __init__(self, arch: str, image_shape: tuple[int, ...], images: int, optimizer: str, batch: int) -> None:
        """``images``: of one epoch."""
        self.arch, self.image_shape, self.images = arch, image_shape, images
        self.optimizer, self.batch = optimizer, batch
        self._spent_j = 0.0
        self._known: dict[tuple[tuple[int, ...], ...], Cost] = {}

    def prepare(self, model: nn.Module, saved: dict[str, Any] | None) -> nn.Module:
        self._spent_j = 0.0 if saved is None else float(saved["spent_j"])
        return model

    def epoch_cost(self, model: nn.Module) -> Cost:
        """Cost of one epoch of this structure."""
        key = tuple(tuple(parameter.shape) for parameter in model.parameters())
        if key not in self._known:
            shape = "x".join(map(str, (1, *self.image_shape)))
            step = training_cost(model, self.arch, batch=self.batch, optimizer=self.optimizer, input=shape)
            self._known[key] = step.epoch(self.images)
        return self._known[key]

    def on_epoch_end(self, state: TrainState, record: EpochRecord) -> dict[str, float]:
        epoch = self.epoch_cost(state.model)
        self._spent_j += epoch.energy_j
        return {"energy_j": epoch.energy_j, "cumulative_energy_j": self._spent_j, "training_macs": float(epoch.macs)}

    def state_dict(self) -> dict[str, Any]:
        return {"spent_j": self._spent_j}


def optimizer_key(optimizer: Optimizer) -> str:
    """The optimizer of a recipe as the training graph knows it: SGD keeps a velocity only with momentum."""
    return ("momentum" if optimizer.momentum else "sgd") if optimizer.name == "sgd" else optimizer.name


def _workload(model: Any, input: str | None, batch: int) -> Workload:
    if isinstance(model, Workload):
        return model
    if isinstance(model, str | Path):
        return resolve_workload(str(model), input, batch)
    return workload_of(model, input, batch)


def _cost(layer: LayerCost) -> Cost:
    energy = layer.energy
    return Cost(
        energy.value * 1e-12,
        energy.low * 1e-12,
        energy.high * 1e-12,
        layer.dram_read_bytes + layer.dram_write_bytes,
        layer.latency_s,
        layer.macs,
    )


def _sum(costs: Iterable[Cost]) -> Cost:
    result = Cost()
    for cost in costs:
        result += cost
    return result
