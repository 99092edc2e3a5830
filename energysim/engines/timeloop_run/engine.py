"""The engine `timeloop`: the real Timeloop behind the protocol that the native engine has."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

from energysim.arch.spec import ArchSpec
from energysim.engines.protocol import MappedLayer
from energysim.engines.timeloop.layout import Dummy
from energysim.engines.timeloop.writer import MapperSettings
from energysim.engines.timeloop_run.inputs import mapper_input, model_input
from energysim.engines.timeloop_run.read_back import counts_of, mapping_of
from energysim.engines.timeloop_run.runs import run_mapper, run_model
from energysim.engines.timeloop_run.version import check_version
from energysim.errors import InfeasibleError, UnavailableError
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.nest import Mapping
from energysim.mapping.search import Objective, search
from energysim.mapping.search.objective import metric_value

SETTINGS = MapperSettings()


class TimeloopEngine:
    """`evaluate` by timeloop-model, `search` by timeloop-mapper, each in a process of its own.

    Equal questions are asked once, also when they come from several threads. Raises UnavailableError when made where
    Timeloop is not installed, or is a version that counts otherwise.
    """

    name = "timeloop"
    convention = Convention.TIMELOOP

    def __init__(self) -> None:
        check_version()
        self.jobs = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        self._asked: dict[object, Future[MappedLayer]] = {}
        self._lock = threading.Lock()

    def evaluate(self, problem: TensorProblem, arch: ArchSpec, mapping: Mapping, convention: Convention) -> Counts:
        """Counts of one mapping. Timeloop rounds the average of an instance, so totals of unequal instances are near.

        Raises UnavailableError for the convention `exact`, SpecError for what Timeloop has no words for, ProgramError
        where it refuses the mapping or fails.
        """
        _need(convention)
        given = model_input(problem, arch, mapping)
        return counts_of(run_model(given), arch, given.macs_per_cycle)

    def search(
        self,
        problem: TensorProblem,
        arch: ArchSpec,
        costs: CostModel,
        objective: Objective,
        convention: Convention,
        time_limit_s: float | None = None,
    ) -> MappedLayer:
        """The best mapping that timeloop-mapper finds, its counts, and its gap to our lower bound: Timeloop proves
        nothing. ``evaluated`` is 0, because it does not tell.

        Without a time limit the search ends after 1000 valid mappings in a row that are no better. Raises as
        `evaluate`, and InfeasibleError where it finds nothing.
        """
        _need(convention)
        key = (problem, arch.nodes, costs, objective, time_limit_s)
        return self._once(key, lambda: self._search(problem, arch, costs, objective, time_limit_s))

    def _search(
        self,
        problem: TensorProblem,
        arch: ArchSpec,
        costs: CostModel,
        objective: Objective,
        time_limit_s: float | None,
    ) -> MappedLayer:
        given = mapper_input(problem, arch, costs, objective, SETTINGS)
        text, written, result = run_mapper(given, limit_s=time_limit_s)
        mapping = mapping_of(text, written, given.layout)
        # Arrays that the search saw as two levels share more when they are evaluated as one.
        two = any(isinstance(level, Dummy) and level.axis is not None for level in given.layout.levels)
        again = model_input(problem, arch, mapping) if two else None
        counts = counts_of(result if again is None else run_model(again), arch, given.macs_per_cycle)
        value = metric_value(objective.primary, problem, arch, costs, counts, Convention.TIMELOOP)
        return MappedLayer(mapping, counts, False, _gap(problem, arch, costs, objective, value), 0)

    def _once(self, key: object, ask: Callable[[], MappedLayer]) -> MappedLayer:
        with self._lock:
            known = self._asked.get(key)
            mine = known is None
            answer = self._asked.setdefault(key, Future())
        if mine:
            try:
                answer.set_result(ask())
            except BaseException as error:
                answer.set_exception(error)
        return answer.result()


def _need(convention: Convention) -> None:
    if convention is not Convention.TIMELOOP:
        raise UnavailableError(
            "Timeloop counts bounding boxes and padding as words: it has no convention 'exact'",
            hint="--convention timeloop, or --engine native",
        )


def _gap(problem: TensorProblem, arch: ArchSpec, costs: CostModel, objective: Objective, value: float) -> float:
    """(value - bound) / value, with the bound of a native search that is given no time."""
    bound = 0.0
    with contextlib.suppress(InfeasibleError):
        quick = search(
            problem,
            arch,
            costs,
            objective=replace(objective, secondary=None),
            convention=Convention.TIMELOOP,
            time_limit_s=0.0,
        )
        bound = quick.bound
    return max(0.0, (value - bound) / value) if value > 0 else 0.0
