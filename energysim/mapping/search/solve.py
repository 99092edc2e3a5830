"""`search`: the best mapping of a problem and how good it is proven to be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from energysim.arch.spec import ArchSpec
from energysim.errors import InfeasibleError, MappingError
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.evaluate import evaluate
from energysim.mapping.nest import Mapping
from energysim.mapping.search.diagnose import infeasible
from energysim.mapping.search.floor import floor_value
from energysim.mapping.search.goal import Component, components_of, goal_of, needs_cycles
from energysim.mapping.search.hierarchy import hierarchies
from energysim.mapping.search.imperfect import ENUMERATE_UP_TO, climb, count_all, enumerate_all
from energysim.mapping.search.kernels import metric_of
from energysim.mapping.search.levels import Prepared, prepare
from energysim.mapping.search.objective import ENERGY, Objective, metric_value
from energysim.mapping.search.records import Goal
from energysim.mapping.search.result import Progress, Report, SearchResult
from energysim.mapping.search.setting import Setting, estimated, setting_of
from energysim.mapping.search.size import mapspace_size
from energysim.mapping.search.space import Space
from energysim.mapping.search.walk import Clock, Walk, walk_hierarchy

_BEAM = 4
"""Labels kept per node in the narrow walks that come before the proof."""
_QUICK = (1.05, 1.2, 2.0, np.inf)
"""How far above the bound of the root they look, one after the other."""
_CLOSED = 1e-9
"""A relative gap this small is rounding of sums."""


@dataclass(frozen=True)
class _Task:
    """What is asked, without the problem (which imperfect factors vary)."""

    arch: ArchSpec
    costs: CostModel
    objective: Objective
    convention: Convention

    def values(self, problem: TensorProblem, counts: Counts) -> tuple[float, ...]:
        return tuple(
            metric_value(metric, problem, self.arch, self.costs, counts, self.convention)
            for metric in self.objective.metrics
        )


@dataclass(frozen=True)
class _Answer:
    """A mapping, lower bounds of the metrics (the second under the first's optimum), and the mappings covered."""

    mapping: Mapping
    bounds: tuple[float, ...]
    covered: float


def search(
    problem: TensorProblem,
    arch: ArchSpec,
    costs: CostModel,
    *,
    objective: Objective = ENERGY,
    convention: Convention = Convention.EXACT,
    imperfect: bool = False,
    time_limit_s: float | None = None,
    progress: Report | None = None,
) -> SearchResult:
    """The best mapping of a problem onto an architecture.

    Deterministic: hierarchies in the order of their bounds (then fewest bypasses), labels in the order of theirs (then
    of growth); the first mapping of least value wins. When ``time_limit_s`` strikes, or on Ctrl-C, the best so far (or
    the first mapping that is found) is returned with its gap; a second Ctrl-C raises KeyboardInterrupt. Raises
    InfeasibleError where nothing fits.
    """
    clock = Clock(None if time_limit_s is None else time.perf_counter() + time_limit_s)
    task = _Task(arch, costs, objective, convention)
    answer = _imperfect(problem, task, clock, progress) if imperfect else _perfect(problem, task, clock, progress)
    counts = evaluate(problem, arch, answer.mapping, convention)
    values = task.values(problem, counts)
    bounds = tuple(min(bound, value) for bound, value in zip(answer.bounds, values, strict=True))
    closed = [value <= bound * (1 + _CLOSED) for bound, value in zip(bounds, values, strict=True)]
    return SearchResult(
        mapping=answer.mapping,
        counts=counts,
        objective=objective,
        value=values[0],
        bound=values[0] if closed[0] else bounds[0],
        optimal=all(closed),
        evaluated=clock.evaluated,
        mapspace_size=answer.covered,
        secondary=values[1] if len(values) > 1 else None,
        interrupted=clock.interrupted and not all(closed),
    )


def _setting(problem: TensorProblem, task: _Task) -> Setting:
    components = components_of(problem, task.arch, task.costs, task.objective, task.convention)
    return setting_of(problem, task.arch, Space(problem, task.convention), components)


def _goal(problem: TensorProblem, task: _Task, components: tuple[Component, ...], first: float | None = None) -> Goal:
    """The goal of the primary metric, or of the secondary one with the primary at most ``first``."""
    timed = needs_cycles(task.objective, task.costs)
    if first is None or task.objective.secondary is None:
        return goal_of(problem, task.arch, task.costs, components, task.objective.primary, timed)
    limit = (task.objective.primary, first * (1 + _CLOSED))
    return goal_of(problem, task.arch, task.costs, components, task.objective.secondary, timed, limit)


def _perfect(
    problem: TensorProblem,
    task: _Task,
    clock: Clock,
    progress: Report | None,
    like: Mapping | None = None,
) -> _Answer:
    """Without imperfect factors. ``like``: only a good mapping that keeps what this one keeps, without proof."""
    setting, quick = _setting(problem, task), like is not None
    every = (
        prepare(setting, hierarchy)
        for hierarchy in hierarchies(problem, task.arch)
        if like is None or hierarchy.names(problem) == like.kept
    )
    prepared = [candidate for candidate in every if np.isfinite(candidate.root).all()]
    goal = _goal(problem, task, setting.components)
    found = _Search(setting, prepared, goal, clock, progress, quick).run()
    if found.mapping is None:
        raise infeasible(setting)
    covered = mapspace_size(setting, prepared)
    if task.objective.secondary is None:
        return _Answer(found.mapping, (found.bound,), covered)
    if clock.over():
        return _Answer(found.mapping, (found.bound, 0.0), covered)
    goal = _goal(problem, task, setting.components, found.value)
    again = _Search(setting, prepared, goal, clock, progress, quick).run()
    return _Answer(again.mapping or found.mapping, (found.bound, again.bound), covered)


def _imperfect(problem: TensorProblem, task: _Task, clock: Clock, progress: Report | None) -> _Answer:
    if count_all(problem, task.arch, ENUMERATE_UP_TO) <= ENUMERATE_UP_TO:
        return _enumerated(problem, task, clock)
    start = _perfect(problem, task, clock, progress)

    def map_perfectly(other: TensorProblem) -> Mapping | None:
        try:
            return _perfect(other, task, clock, None, like=start.mapping).mapping
        except InfeasibleError:
            return None

    mapping = climb(
        problem,
        task.arch,
        task.convention,
        start.mapping,
        map_perfectly,
        lambda counts: task.values(problem, counts),
        clock,
    )
    return _Answer(mapping, _floors(problem, task), start.covered)


def _enumerated(problem: TensorProblem, task: _Task, clock: Clock) -> _Answer:
    best: tuple[tuple[float, ...], Mapping] | None = None
    covered = 0
    try:
        for mapping in enumerate_all(problem, task.arch):
            try:
                values = task.values(problem, evaluate(problem, task.arch, mapping, task.convention))
            except MappingError:
                continue
            covered += 1
            if best is None or values < best[0]:
                best = values, mapping
            if clock.over():
                break
        else:
            clock.evaluated += covered
            if best is None:
                raise infeasible(_setting(problem, task))
            return _Answer(best[1], best[0], float(covered))
    except KeyboardInterrupt:
        if best is None:
            raise
        clock.interrupted = True
    clock.evaluated += covered
    assert best is not None
    return _Answer(best[1], _floors(problem, task), float(count_all(problem, task.arch, ENUMERATE_UP_TO)))


def _floors(problem: TensorProblem, task: _Task) -> tuple[float, ...]:
    """What no mapping is below, perfect or not."""
    setting = _setting(problem, task)
    floor = floor_value(setting, _goal(problem, task, setting.components))
    return (floor,) if task.objective.secondary is None else (floor, 0.0)


@dataclass
class _Search:
    """Least value of one goal over all hierarchies, by the search's own sums."""

    setting: Setting
    prepared: list[Prepared]
    goal: Goal
    clock: Clock
    progress: Report | None
    quick: bool
    best: Walk = field(default_factory=Walk)
    open_: dict[int, float] = field(default_factory=dict)  # least value that a hierarchy may still hold

    def run(self) -> Walk:
        """The best walk; its ``bound`` holds for every mapping."""
        roots = [self._root_bound(candidate) for candidate in self.prepared]
        order = sorted(range(len(roots)), key=lambda index: (roots[index], index))
        self.open_ = dict(enumerate(roots))
        try:
            self._quick_answers(order)
            if not self.quick:
                self._finish(order)
        except KeyboardInterrupt:
            if self.clock.interrupted:  # not for the first time
                raise
            self.clock.interrupted = True
            self._quick_answers(order)  # until something is known
        for index, root in enumerate(roots):
            if estimated(self.setting, self.prepared[index].hierarchy):
                self.open_[index] = root
        bound = min([self.best.value, *self.open_.values()])
        return replace(self.best, bound=bound)

    def _root_bound(self, prepared: Prepared) -> float:
        most = self.setting.most_split[0][self.setting.space.full]
        steps = self.setting.space.tables.macs / (self.goal.macs_per_cycle * most)
        return float(metric_of(self.goal.metric, self.goal, prepared.root, steps))

    def _stopped(self) -> bool:
        return self.best.found and self.clock.over()

    def _walk(
        self, index: int, beam: int | None, below: float = np.inf, tick: Callable[[], None] | None = None
    ) -> float:
        """The least value of a hierarchy that is less than ``below`` and than the best known, if there is one."""
        limit = min(self.best.value, below)
        known = self.best.found
        walk = walk_hierarchy(self.setting, self.prepared[index], self.goal, limit, self.clock, beam, known, tick)
        if walk.found and walk.value < self.best.value:
            self.best = walk
        self.open_[index] = max(self.open_[index], min(walk.bound, limit))
        return walk.value

    def _quick_answers(self, order: list[int]) -> None:
        """Narrow walks through every hierarchy: a good value to prune with, before any full walk.

        Without a value to stop at, even a narrow walk costs every tile of the lattice once; so the first walks look
        only for what is little above the hierarchy's bound, then further up. What is looked for does not change which
        labels are kept, so a hierarchy that has shown a value shows no better one further up.
        """
        values: dict[int, float] = {}
        for above in _QUICK:
            for index in sorted(order, key=lambda i: values.get(i, np.inf)):
                if values.get(index, np.inf) < np.inf or self._stopped():
                    continue
                if self.open_[index] < self.best.value:
                    values[index] = self._walk(index, _BEAM, self._root_bound(self.prepared[index]) * above)

    def _finish(self, order: list[int]) -> None:
        for done, index in enumerate(order):
            tick = partial(self._tell, done)
            tick()
            if self.open_[index] < self.best.value and not self._stopped():
                self._walk(index, None, tick=tick)

    def _tell(self, done: int) -> None:
        if self.progress is not None:
            value = self.best.value if self.best.found else None
            bound = min([self.best.value, *self.open_.values()])
            self.progress(Progress(done, len(self.prepared), value, bound, self.clock.evaluated))
