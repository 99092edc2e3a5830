"""What every kind of check shares, and what checks are given."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from energysim.errors import EnergySimError, did_you_mean
from energysim.graph.layers import LayerGraph
from energysim.reproduce.evidence import Evidence, Judgement
from energysim.reproduce.printed import Printed, parse_printed
from energysim.reproduce.simulations import Simulations
from energysim.spec_files import SpecModel
from energysim.sweep import Point
from energysim.train.runs import Group
from energysim.workload import resolve_workload


@dataclass(frozen=True)
class Claimed:
    """The claimed figure as printed, with its unit; ``others``: the figures of all claims ("S1/resnet-top1")."""

    text: str
    unit: str
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        return f"{self.text}{self.unit}" if self.unit == "x" else f"{self.text} {self.unit}".strip()

    def other(self, claim: str) -> float:
        """The value of another claim's figure. Raises EnergySimError where there is no such claim."""
        return self.printed(claim).value

    def printed(self, claim: str) -> Printed:
        """Another claim's figure. Raises EnergySimError where there is no such claim."""
        if claim not in self.others:
            raise EnergySimError(f"no claim {claim!r}", hint=did_you_mean(claim, self.others))
        return parse_printed(self.others[claim])


@dataclass(frozen=True)
class Context:
    """``quick``: only what takes a minute or two; ``runs``: finished training runs to judge by; ``measured``: whether
    times are taken on this machine too."""

    simulations: Simulations
    runs: tuple[Group, ...] = ()
    quick: bool = False
    measured: bool = True


class Check(SpecModel):
    """One kind of check, with its arguments from the claims' YAML.

    ``own_ratio``, ``own_difference``: two claims whose printed figures should give this one.
    """

    own_ratio: tuple[str, str] | None = None
    own_difference: tuple[str, str] | None = None

    def points(self, context: Context) -> Iterable[Point]:
        """The simulations that the check rests on, so that all of them can be computed before, smallest first."""
        return ()

    @abstractmethod
    def judge(self, claimed: Claimed, context: Context) -> Judgement | Evidence:
        """What was computed, or the judgement itself where a verdict does not follow from samples alone."""


@lru_cache(maxsize=64)
def graph_of(workload: str, input_shape: str | None = None) -> LayerGraph:
    """The layer graph of a workload, traced once per process."""
    return resolve_workload(workload, input_shape).trace()


__all__ = ["Check", "Claimed", "Context", "Evidence", "Judgement", "Printed", "graph_of"]
