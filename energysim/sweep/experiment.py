"""A sweep's YAML: its design space, how it is searched, what counts as good and what is ruled out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from energysim.energy.estimators import check_estimator
from energysim.engines.registry import get_engine
from energysim.errors import EnergySimError
from energysim.mapping.counts import Convention
from energysim.spec_files import SpecFile, SpecModel, checked, find_spec, load_yaml, validate_model
from energysim.sweep.axes import blocks_of
from energysim.sweep.limits import Limit, LimitsFile
from energysim.sweep.pareto import check_goals
from energysim.sweep.point import Point
from energysim.sweep.space import Space, space_of

GRID: Final = "grid"
RANDOM: Final = "random"
TPE: Final = "tpe"
_OPTIMIZERS = ("nsga2", TPE)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _goals(value: Any) -> tuple[str, ...]:
    goals = tuple(map(str, _listed(value)))
    check_goals(goals)
    return goals


class Search(SpecModel):
    """``grid``: every point. ``random``: ``points`` of them. ``nsga2``, ``tpe``: ``points`` trials of Optuna, in
    generations of ``population`` that are computed at once. All but the grid draw by ``seed``."""

    method: Literal["grid", "random", "nsga2", "tpe"] = GRID
    points: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    population: int = Field(default=32, ge=2)

    @property
    def optimizes(self) -> bool:
        return self.method in _OPTIMIZERS


def _method(value: Any) -> Any:
    return {"method": value} if isinstance(value, str) else value


Files = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class SweepFile(SpecModel):
    """A sweep. ``sweep``: axis -> values, or a list of such products (docs/sweep.md). ``goals``: columns that the
    Pareto front is drawn by, and that Optuna improves. ``accuracy_from``: directories of training runs.
    ``fit_buffers``: a buffer that is larger than what the device has for it becomes that. The rest is what `simulate`
    takes, alike for all points."""

    sweep: Any
    description: str = ""
    search: Annotated[Search, BeforeValidator(_method)] = Search()
    goals: Annotated[tuple[str, ...], BeforeValidator(checked(_goals))] = ("energy_pj", "latency_s")
    constraints: LimitsFile = LimitsFile()
    accuracy_from: Files = ()
    fit_buffers: bool = False
    engine: str = "native"
    estimator: str = "table"
    convention: Convention | None = None
    imperfect: bool = False
    time_limit_s: float | None = Field(default=None, ge=0)
    ert: Files = ()
    art: Files = ()


@dataclass(frozen=True)
class Experiment:
    """A sweep, read and checked. ``search.method`` says how ``space`` is gone through."""

    name: str
    description: str
    space: Space
    search: Search
    goals: tuple[str, ...]
    limits: tuple[Limit, ...]
    accuracy_from: tuple[str, ...]
    fit_buffers: bool = False

    def only(self, points: int) -> Experiment:
        """The same with so many points at most: of a grid drawn at random, else the search's own."""
        method = RANDOM if self.search.method == GRID else self.search.method
        most = points if self.search.points is None else min(points, self.search.points)
        return replace(self, search=self.search.model_copy(update={"method": method, "points": most}))


def load_experiment(name_or_path: str | Path) -> Experiment:
    """A sweep by the name of a shipped experiment or the path of a YAML file.

    Raises NotFoundError where it does not exist, SpecError with file, line and key where it is malformed or no sweep.
    """
    return experiment_from(load_yaml(find_spec("experiments", name_or_path)))


def experiment_from(spec: SpecFile) -> Experiment:
    """A sweep from a document that is already read. Raises SpecError like :func:`load_experiment`."""
    _check_kind(spec)
    file = validate_model(SweepFile, spec)
    for key, check in (("engine", get_engine), ("estimator", check_estimator)):
        try:
            check(getattr(file, key))
        except EnergySimError as error:
            raise spec.error(error.what, (key,), error.hint) from None
    if file.search.method != GRID and file.search.points is None:
        raise spec.error(f"a {file.search.method} search needs its 'points'", ("search",), hint="how many to compute")
    if file.search.optimizes and isinstance(spec.at(("sweep",)), list):
        raise spec.error(f"{file.search.method} searches one product of axes", ("sweep",), hint="no list of products")
    base = Point(
        workload="",
        arch="",
        convention=None if file.convention is None else file.convention.value,
        engine=file.engine,
        estimator=file.estimator,
        imperfect=file.imperfect,
        time_limit_s=file.time_limit_s,
        ert=file.ert,
        art=file.art,
    )
    try:
        space = space_of(blocks_of(spec), base)
    except EnergySimError as error:
        if error.where is not None:
            raise
        raise spec.error(error.what, ("sweep",), error.hint) from None
    return Experiment(
        name=Path(spec.file).stem,
        description=file.description,
        space=space,
        search=file.search,
        goals=file.goals,
        limits=file.constraints.limits(),
        accuracy_from=file.accuracy_from,
        fit_buffers=file.fit_buffers,
    )


def _check_kind(spec: SpecFile) -> None:
    """Sweeps and training experiments lie in one directory: a sweep has the key ``sweep``, the other ``recipe``."""
    content = spec.plain
    if isinstance(content, Mapping) and "recipe" in content and "sweep" not in content:
        name = Path(spec.file).stem
        raise spec.error("this is an experiment of training", ("recipe",), hint=f"energysim train --experiment {name}")
