"""What is minimized, and what breaks ties."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from energysim.arch.spec import ArchSpec, Memory
from energysim.errors import SpecError, did_you_mean
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import Convention, Counts


class Metric(StrEnum):
    """Energy in pJ, latency in cycles, their product, or bytes read from and written to the outermost memory."""

    ENERGY = "energy"
    LATENCY = "latency"
    EDP = "edp"
    DRAM = "dram"


@dataclass(frozen=True, slots=True)
class Objective:
    """``primary`` is minimized; ``secondary``, if any, is minimized among the mappings of least ``primary``."""

    primary: Metric
    secondary: Metric | None = None

    @classmethod
    def parse(cls, text: str) -> Objective:
        """``energy``, or a pair such as ``latency,energy``. Raises SpecError for an unknown or repeated name."""
        names = [part.strip() for part in text.split(",")]
        for name in names:
            if name not in Metric:
                known = ", ".join(Metric)
                raise SpecError(f"unknown objective {name!r}", hint=did_you_mean(name, Metric) or f"one of {known}")
        if len(names) > 2 or len(set(names)) != len(names):
            raise SpecError(f"objective {text!r}", hint="one metric, or two different ones separated by a comma")
        return cls(Metric(names[0]), Metric(names[1]) if len(names) == 2 else None)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (self.primary,) if self.secondary is None else (self.primary, self.secondary)

    def __str__(self) -> str:
        return ",".join(self.metrics)


ENERGY = Objective(Metric.ENERGY)
LATENCY = Objective(Metric.LATENCY)
EDP = Objective(Metric.EDP)
DRAM = Objective(Metric.DRAM)


def dram_bytes(problem: TensorProblem, arch: ArchSpec, counts: Counts) -> float:
    """Bytes that cross the port of the outermost memory."""
    memory = arch.memories[0]
    total = 0.0
    for access in counts.accesses:
        if access.level == memory.name:
            total += (access.reads + access.fills + access.updates) * word_bytes(memory, problem, access.tensor)
    return total


def word_bytes(memory: Memory, problem: TensorProblem, name: str) -> float:
    tensor = problem.tensor(name)
    return memory.bits_of(tensor.bits, tensor.is_output) / 8


def metric_value(
    metric: Metric, problem: TensorProblem, arch: ArchSpec, costs: CostModel, counts: Counts, convention: Convention
) -> float:
    """The metric of evaluated counts: pJ, cycles, pJ x cycles, or bytes."""
    if metric is Metric.LATENCY:
        return counts.cycles
    if metric is Metric.DRAM:
        return dram_bytes(problem, arch, counts)
    energy_pj = costs.energy_pj(problem, arch, counts, convention)
    return energy_pj if metric is Metric.ENERGY else energy_pj * counts.cycles
