"""Engines by name."""

from __future__ import annotations

from collections.abc import Callable

from energysim.arch.spec import ArchSpec
from energysim.engines import native
from energysim.engines.protocol import Engine, MappedLayer
from energysim.engines.search_cache import cached_search
from energysim.errors import NotFoundError, did_you_mean
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.nest import Mapping
from energysim.mapping.search import Objective


class NativeEngine:
    """Our own search (remembered on disk) and counts: the default, needs nothing else."""

    name = "native"
    convention = Convention.EXACT
    jobs = 1

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
        found = cached_search(
            problem, arch, costs, objective=objective, convention=convention, time_limit_s=time_limit_s
        )
        counts = native.evaluate(problem, arch, found.mapping, convention)
        return MappedLayer(found.mapping, counts, found.optimal, found.gap, found.evaluated)


def _timeloop() -> Engine:
    from energysim.engines.timeloop_run import TimeloopEngine

    return TimeloopEngine()


_ENGINES: dict[str, Callable[[], Engine]] = {"native": NativeEngine, "timeloop": _timeloop}
ENGINES = tuple(_ENGINES)


def get_engine(name: str) -> Engine:
    """Raises NotFoundError for an unknown name, UnavailableError for an engine that is not installed."""
    if name not in _ENGINES:
        hint = did_you_mean(name, _ENGINES) or f"engines: {', '.join(_ENGINES)}"
        raise NotFoundError(f"unknown engine {name!r}", hint=hint)
    return _ENGINES[name]()
