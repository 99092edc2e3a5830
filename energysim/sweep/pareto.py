"""Non-dominated points: those that no other beats in one respect without losing in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from energysim.errors import NotFoundError, did_you_mean

MAXIMIZED = ("accuracy",)
"""Columns of which more is better; of every other one less is."""
GOALS = (
    "energy_pj", "energy_high_pj", "latency_s", "edp_js", "dram_bytes", "dram_read_bytes", "dram_write_bytes",
    "macs_executed", "used_buffer_bytes", "area_mm2", "accuracy",
)  # fmt: skip
"""Columns that points are compared by."""


def non_dominated(costs: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which rows of ``costs`` (points x goals, less is better) no other row dominates; equal rows stay together.

    A row dominates another if it is nowhere more and somewhere less. NaN is worse than any number.
    """
    values = np.asarray(costs, dtype=float)
    values = np.where(np.isnan(values), np.inf, values)
    unique, places = np.unique(values, axis=0, return_inverse=True)
    # In lexicographic order a row can only be dominated by one before it.
    front = np.zeros(len(unique), dtype=bool)
    for index, row in enumerate(unique):
        front[index] = not (unique[:index][front[:index]] <= row).all(axis=1).any()
    return front[places.reshape(-1)]


def pareto_front(rows: Sequence[Mapping[str, Any]], goals: Sequence[str]) -> list[Mapping[str, Any]]:
    """The rows on the front of the goals (see GOALS), by the first goal. Rows without a value of a goal are on none."""
    check_goals(goals)
    known = [row for row in rows if all(row[goal] is not None for goal in goals)]
    if not known:
        return []
    signs = [-1.0 if goal in MAXIMIZED else 1.0 for goal in goals]
    costs = [[sign * row[goal] for sign, goal in zip(signs, goals, strict=True)] for row in known]
    front = [(cost, row) for cost, row, stays in zip(costs, known, non_dominated(costs), strict=True) if stays]
    return [row for _, row in sorted(front, key=lambda pair: pair[0])]


def check_goals(goals: Sequence[str]) -> None:
    """Raises NotFoundError for a column that is no goal, or where there is none."""
    if not goals:
        raise NotFoundError("no goal to compare points by", hint=f"some of {', '.join(GOALS)}")
    for goal in goals:
        if goal not in GOALS:
            hint = did_you_mean(goal, GOALS) or f"one of {', '.join(GOALS)}"
            raise NotFoundError(f"{goal!r} is nothing to compare points by", hint=hint)
