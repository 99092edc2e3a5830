"""Engines by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from energysim.arch.spec import ArchSpec
from energysim.energy import ActionEnergies
from energysim.engines import native
from energysim.engines.differences import Difference, Measured
from energysim.engines.protocol import Engine, MappedLayer
from energysim.engines.search_cache import cached_search
from energysim.errors import NotFoundError, UnavailableError, did_you_mean
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.nest import Mapping
from energysim.mapping.search import Objective


class NativeEngine:
    """Our own search (remembered on disk) and counts: the default, needs nothing else.

    Once the user interrupts a search, the further ones of the same engine stop at their first good mapping: the whole
    answer is what could be found by then.
    """

    name = "native"
    imperfect = False
    convention = Convention.EXACT
    jobs = 1

    def __init__(self) -> None:
        self.interrupted = False

    def evaluate(self, problem: TensorProblem, arch: ArchSpec, mapping: Mapping, convention: Convention) -> Counts:
        return native.evaluate(problem, arch, mapping, convention)

    def search(
        self,
        problem: TensorProblem,
        arch: ArchSpec,
        costs: CostModel,
        objective: Objective,
        convention: Convention,
        time_limit_s: float | None = None,
    ) -> MappedLayer:
        ask = partial(
            cached_search, problem, arch, costs, objective=objective, convention=convention, imperfect=self.imperfect
        )
        try:
            found = ask(time_limit_s=0.0 if self.interrupted else time_limit_s)
        except KeyboardInterrupt:  # while the search was still being prepared
            if self.interrupted:
                raise
            self.interrupted = True
            found = ask(time_limit_s=0.0)
        self.interrupted = self.interrupted or found.interrupted
        return MappedLayer(found.mapping, found.counts, found.optimal, found.gap, found.evaluated, found.interrupted)


class ImperfectEngine(NativeEngine):
    """The same, where loops need not divide their dimension."""

    imperfect = True


def _timeloop() -> Engine:
    from energysim.engines.timeloop_run import TimeloopEngine

    return TimeloopEngine()


def _accelforge() -> Engine:
    from energysim.engines.accelforge import AccelforgeEngine

    return AccelforgeEngine()


_ENGINES: dict[str, Callable[[], Engine]] = {"native": NativeEngine, "timeloop": _timeloop, "accelforge": _accelforge}
ENGINES = tuple(_ENGINES)


def get_engine(name: str, imperfect: bool = False) -> Engine:
    """``imperfect``: loops need not divide their dimension, which only the native engine offers.

    Raises NotFoundError for an unknown name, UnavailableError for an engine that is not installed or that maps with
    perfect factors only.
    """
    if name not in _ENGINES:
        hint = did_you_mean(name, _ENGINES) or f"engines: {', '.join(_ENGINES)}"
        raise NotFoundError(f"unknown engine {name!r}", hint=hint)
    if not imperfect:
        return _ENGINES[name]()
    if name != "native":
        raise UnavailableError(f"imperfect factors belong to the native engine, not to {name!r}")
    return ImperfectEngine()


class Check(Protocol):
    """One mapping counted by another engine, and why it differs from the native counts."""

    @property
    def measured(self) -> Measured: ...

    def explain(
        self, problem: TensorProblem, arch: ArchSpec, mapping: Mapping, ours: Counts, convention: Convention
    ) -> list[Difference]: ...


@dataclass(frozen=True, slots=True)
class Checker:
    """``run`` counts one mapping; ``jobs``: how many threads may do so at once."""

    run: Callable[[TensorProblem, ArchSpec, Mapping, ActionEnergies], Check]
    jobs: int


def get_check(name: str) -> Checker:
    """How an engine other than the native one is compared with it.

    Raises NotFoundError for an unknown name, UnavailableError for an engine that is not installed.
    """
    if name == "timeloop":
        from energysim.engines.timeloop_run.check import check

        return Checker(check, get_engine(name).jobs)
    if name == "accelforge":
        from energysim.engines import accelforge

        return Checker(accelforge.check, get_engine(name).jobs)
    known = [other for other in _ENGINES if other != "native"]
    raise NotFoundError(
        f"{name!r} is no engine to compare with", hint=did_you_mean(name, known) or f"one of {', '.join(known)}"
    )
