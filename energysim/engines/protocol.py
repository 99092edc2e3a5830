"""What every engine offers, so that every variant runs through every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from energysim.arch.spec import ArchSpec
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.nest import Mapping
from energysim.mapping.search import Objective


@dataclass(frozen=True, slots=True)
class MappedLayer:
    """The mapping found, its counts, and the proof: ``optimal``, or the relative ``gap`` to a lower bound.

    ``interrupted``: Ctrl-C ended the search before that.
    """

    mapping: Mapping
    counts: Counts
    optimal: bool
    gap: float
    evaluated: int
    interrupted: bool = False


class Engine(Protocol):
    """Turns problems into access counts. ``evaluate`` is exact and deterministic.

    ``convention``: what it counts by where nothing else is asked for. ``jobs``: how many searches of different threads
    it can use at once.
    """

    name: str
    convention: Convention
    jobs: int

    def evaluate(self, problem: TensorProblem, arch: ArchSpec, mapping: Mapping, convention: Convention) -> Counts: ...

    def search(
        self,
        problem: TensorProblem,
        arch: ArchSpec,
        costs: CostModel,
        objective: Objective,
        convention: Convention,
        time_limit_s: float | None = None,
    ) -> MappedLayer: ...
