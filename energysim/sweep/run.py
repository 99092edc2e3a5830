"""`run_sweep`: every point of an experiment that is not stored yet is computed and stored."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energysim.errors import EnergySimError
from energysim.sweep.accuracy import accuracies_of, accuracy_of
from energysim.sweep.beforehand import Rules
from energysim.sweep.buffers import fitted
from energysim.sweep.evaluation import FAILED, INFEASIBLE, OK, RULED_OUT, Outcome, Task
from energysim.sweep.executors import Executor, executor_for
from energysim.sweep.experiment import Experiment, load_experiment
from energysim.sweep.identity import SCHEMA, forget_files, key_of
from energysim.sweep.known import check_known
from energysim.sweep.limits import keeps
from energysim.sweep.pareto import pareto_front
from energysim.sweep.point import Point
from energysim.sweep.resolve import forget_specs
from energysim.sweep.store import Store
from energysim.version import __version__

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int, str], None]
"""(points done, in all, what was done last)"""


@dataclass(frozen=True)
class SweepResult:
    """What a sweep did. ``keys``: its points in the store, in the order of the space; counts are of distinct points, of
    which ``ruled_out`` were neither computed nor stored before."""

    experiment: Experiment
    store: Path
    keys: tuple[str, ...]
    computed: int
    stored_before: int
    ok: int
    infeasible: int
    failed: int
    ruled_out: int

    def to_pandas(self) -> pd.DataFrame:
        """This sweep's rows of the store (:meth:`Store.to_pandas`). Raises StoreError."""
        with Store.open(self.store) as store:
            return store.to_pandas(self.keys)

    def _repr_html_(self) -> str:
        table: str = self.to_pandas().dropna(axis="columns", how="all").to_html(index=False, max_rows=60)
        have = f"{self.ok} of {len(self.keys)} points have a result"
        return f"<p><b>{escape(self.experiment.name)}</b>: {have}</p>{table}"

    def to_dict(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The JSON of `energysim sweep --json`. ``rows``: this sweep's rows of the store."""
        good = [row for row in rows if row["status"] == OK and keeps(row, self.experiment.limits)]
        counts = ("computed", "stored_before", "ok", "infeasible", "failed", "ruled_out")
        return {
            "schema": SCHEMA,
            "energysim": __version__,
            "experiment": self.experiment.name,
            "store": str(self.store),
            **{name: getattr(self, name) for name in counts},
            "goals": list(self.experiment.goals),
            "constraints": list(map(str, self.experiment.limits)),
            "pareto": [row["key"] for row in pareto_front(good, self.experiment.goals)],
            "points": [dict(row) for row in rows],
        }


def run_sweep(
    experiment: str | Path | Experiment,
    store_path: str | Path,
    *,
    jobs: int | None = None,
    dask: str | None = None,
    progress: Progress | None = None,
    retry: bool = False,
    runs: Sequence[str | Path] = (),
) -> SweepResult:
    """Compute the points of ``experiment`` (a name, a path, or one that is read) that ``store_path`` does not hold.

    ``jobs``: worker processes, one per core by default; 1 computes in this process. ``dask``: the address of a Dask
    scheduler (``tcp://host:port``), whose workers compute instead. ``retry``: failed points are tried again. ``runs``:
    directories of training runs, beside the experiment's own, whose accuracy goes with their networks.

    Each point is stored at the moment it is done: after Ctrl-C, kill -9 or a dead worker the same call goes on. A point
    that fails is stored with its error; one that a limit rules out beforehand is not computed (but by an optimizing
    search, which learns from it) and stored with that reason. Raises EnergySimError where the experiment, the store or
    the cluster is wrong.
    """
    forget_specs()
    forget_files()
    if not isinstance(experiment, Experiment):
        experiment = load_experiment(experiment)
    search, space = experiment.search, experiment.space
    accuracies = accuracies_of([*experiment.accuracy_from, *runs])
    check_known(experiment, accuracies)
    command = tuple(sys.argv)
    with Store.open(store_path, create=True) as store:
        store.set_accuracy(accuracies)
        executor = executor_for(jobs, dask, command)
        rules = Rules(() if search.optimizes else experiment.limits, accuracies)
        sweep = _Sweep(store, executor, command, rules, retry, experiment.fit_buffers, progress)
        try:
            if search.optimizes:
                from energysim.sweep.optimize import optimize

                optimize(experiment, lambda points: sweep.rows(points, search.points))
            else:
                chosen = space.grid() if search.points is None else space.sample(search.points, search.seed)
                sweep.compute(list(chosen))
        finally:
            executor.close()
        return sweep.result(experiment)


def _fitted(point: Point) -> Point:
    try:
        return fitted(point)
    except EnergySimError:
        return point  # its own failure: computing it tells


@dataclass
class _Sweep:
    """One run over a store. ``fit``: buffers are cut to what the device has. ``asked``: the keys so far, in order;
    ``status``: of those that are stored."""

    store: Store
    executor: Executor
    command: tuple[str, ...]
    rules: Rules
    retry: bool
    fit: bool
    progress: Progress | None
    asked: dict[str, None] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    computed: int = 0

    def compute(self, points: Sequence[Point], expected: int | None = None) -> list[str]:
        """The keys of the points, once all are stored. ``expected``: points of the whole sweep."""
        chosen = map(Point.canonical, map(_fitted, points) if self.fit else points)
        tasks = [Task(key_of(point), point) for point in chosen]
        self.asked.update(dict.fromkeys(task.key for task in tasks))
        known = self.store.statuses(task.key for task in tasks)
        again = (RULED_OUT, FAILED) if self.retry else (RULED_OUT,)
        open_tasks = {
            task.key: task for task in tasks if task.key not in self.status and known.get(task.key, RULED_OUT) in again
        }
        self.status.update({key: status for key, status in known.items() if key not in open_tasks})
        self._rule_out(open_tasks)
        total = expected or len(self.asked)
        self._tell(total, "")
        for outcome in self.executor.run(list(open_tasks.values())):
            self.store.put(outcome, self.command, accuracy_of(outcome.point, self.rules.accuracies))
            self.status[outcome.key] = outcome.status
            self.computed += 1
            self._tell(total, str(outcome.point))
        return [task.key for task in tasks]

    def _rule_out(self, tasks: dict[str, Task]) -> None:
        """Take what a limit rules out beforehand from the tasks, and store it."""
        for key, task in list(tasks.items()):
            reason = self.rules.against(task.point)
            if reason is not None:
                self.store.put(Outcome(key, task.point, RULED_OUT, reason), self.command)
                self.status[key] = RULED_OUT
                del tasks[key]

    def rows(self, points: Sequence[Point], expected: int | None) -> list[Mapping[str, Any]]:
        """The rows of the points, computed where they are not stored."""
        return [row for key in self.compute(points, expected) if (row := self.store.row(key)) is not None]

    def result(self, experiment: Experiment) -> SweepResult:
        count = Counter(self.status.values())
        return SweepResult(
            experiment=experiment,
            store=self.store.path,
            keys=tuple(self.asked),
            computed=self.computed,
            stored_before=len(self.status) - self.computed - count[RULED_OUT],
            ok=count[OK],
            infeasible=count[INFEASIBLE],
            failed=count[FAILED],
            ruled_out=count[RULED_OUT],
        )

    def _tell(self, total: int, what: str) -> None:
        if self.progress is not None:
            self.progress(len(self.status), total, what)
