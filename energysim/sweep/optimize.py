"""Multi-objective search by Optuna: generations of trials, each computed at once.

A study is a function of its seed and of the results. So it needs no database of its own: resumed, it asks for the same
points in the same order, which the store answers as far as they are there.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from energysim.errors import UnavailableError
from energysim.sweep.experiment import TPE, Experiment, Search
from energysim.sweep.pareto import MAXIMIZED
from energysim.sweep.point import Point
from energysim.sweep.space import Leg

Rows = Callable[[list[Point]], Sequence[Mapping[str, Any]]]
_NAMES = ("overlap", "objective", "input")
"""Axes whose values have no order."""


def optimize(experiment: Experiment, compute: Rows) -> None:
    """Ask for points that improve the experiment's goals within its limits. ``compute`` gives each point's row.

    Points that fail or that the device cannot run teach the search nothing. Raises UnavailableError without Optuna.
    """
    try:
        import optuna
    except ImportError as error:
        raise UnavailableError(
            f"this search needs Optuna, which cannot be imported: {error}", hint="pip install 'energysim-edge[sweep]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directions: Any = ["maximize" if goal in MAXIMIZED else "minimize" for goal in experiment.goals]
    study = optuna.create_study(directions=directions, sampler=_sampler(optuna, experiment.search))
    left = experiment.search.points or 0
    while left > 0:
        trials = [study.ask() for _ in range(min(left, experiment.search.population))]
        left -= len(trials)
        rows = compute([_point(trial, experiment.space.legs) for trial in trials])
        for trial, row in zip(trials, rows, strict=True):
            values = [row[goal] for goal in experiment.goals]
            if None in values:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                continue
            for limit in experiment.limits:
                trial.set_constraint(str(limit), limit.excess(row))
            study.tell(trial, values)


def _sampler(optuna: Any, search: Search) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if search.method == TPE:
            # A generation is asked for before its first result: the liar keeps its trials apart.
            return optuna.samplers.TPESampler(constant_liar=True, seed=search.seed)
        return optuna.samplers.NSGAIISampler(population_size=search.population, seed=search.seed)


def _point(trial: Any, legs: Sequence[Leg]) -> Point:
    """The point that a trial suggests: network, device and variant first, then what that variant uses."""
    fits = list(legs)
    for name in ("workload", "arch", "variant"):
        known = list(dict.fromkeys(getattr(leg.base, name) for leg in fits))
        if len({getattr(leg.base, name) for leg in legs}) > 1:
            chosen = trial.suggest_categorical(name, known)
            fits = [leg for leg in fits if getattr(leg.base, name) == chosen]
    # Of `full` there may be two: with tiles, and without.
    leg = fits[trial.suggest_categorical("tiled", list(range(len(fits))))] if len(fits) > 1 else fits[0]
    values = {name: _value(trial, name, choices, leg.base.workload) for name, choices in leg.axes}
    return leg.chosen(values)


def _value(trial: Any, name: str, choices: tuple[Any, ...], workload: str) -> Any:
    """One of the choices, by its place among them; whole inputs are of one network."""
    if len(choices) == 1:
        return choices[0]
    label = f"input of {workload}" if name == "input" else name
    if name in _NAMES or any(isinstance(choice, bool) for choice in choices):
        return choices[trial.suggest_categorical(label, list(range(len(choices))))]
    return choices[trial.suggest_int(label, 0, len(choices) - 1)]
