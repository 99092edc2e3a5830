"""Pareto fronts of a sweep: one metric against another, the points that no other beats in both joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energysim.report.plots.points import Metric, label, metric_of, points_of, said, swept
from energysim.report.plots.style import GREY, MARKERS, legend, new_figure, shades
from energysim.report.plots.svg import hover
from energysim.sweep import non_dominated

if TYPE_CHECKING:
    import pandas as pd


def pareto(frame: pd.DataFrame, metric: str = "energy", against: str = "latency") -> Figure:
    """``against`` over ``metric``, a marker per variant; the front is filled, with whiskers over the constants' low and
    high values, and the others are hollow.

    Raises EnergySimError for an unknown metric, and where no point has both.
    """
    first, second = metric_of(metric), metric_of(against)
    points = points_of(frame, first, second)
    best = points.loc[front(points, first, second)]
    figure, (axes,) = new_figure(8.5, 5)
    ones = [kind.unit(float(points[kind.column].max())) for kind in (first, second)]
    by = next((name for name in ("variant", "workload", "arch") if name in swept(points)), None)
    for index, (value, group) in enumerate(points.groupby(by, sort=False) if by else [("points", points)]):
        look = {"color": shades(points[by].nunique() if by else 1)[index], "marker": MARKERS[index % len(MARKERS)]}
        xs, ys = (group[kind.column] / one for kind, (_, one) in zip((first, second), ones, strict=True))
        axes.plot(xs, ys, **look, fillstyle="none", markersize=4, linestyle="", label=str(value))  # type: ignore[arg-type]
        for _, row in group.loc[group.index.intersection(best.index)].iterrows():
            _mark(axes, row, (first, second), (ones[0][1], ones[1][1]), look, label(row.to_dict(), swept(points)))
    steps = "steps-pre" if first.more_is_better else "steps-post"
    xs, ys = (best[kind.column] / one for kind, (_, one) in zip((first, second), ones, strict=True))
    axes.plot(xs, ys, color="black", linewidth=1, drawstyle=steps, label="Pareto front", zorder=1)
    axes.set(xlabel=f"{first.label} ({ones[0][0]})", ylabel=f"{second.label} ({ones[1][0]})")
    axes.set_title(f"{said(points)}: {second.label} against {first.label}, {len(points)} points", fontsize=11)
    axes.margins(0.08)
    legend(axes)
    return figure


def front(points: pd.DataFrame, first: Metric, second: Metric) -> list[int]:
    """Index of the points that no other beats in one metric without losing in the other, best in ``first`` first."""
    signs = [-1.0 if kind.more_is_better else 1.0 for kind in (first, second)]
    costs = points[[first.column, second.column]].to_numpy(dtype=float) * signs
    stays = [at for at, kept in enumerate(non_dominated(costs)) if kept]
    return [int(points.index[at]) for at in sorted(stays, key=lambda at: tuple(costs[at]))]


def _mark(
    axes: Axes, row: pd.Series, kinds: tuple[Metric, Metric], ones: tuple[float, float], look: dict[str, str], name: str
) -> None:
    x, y = (row[kind.column] / one for kind, one in zip(kinds, ones, strict=True))
    drawn = axes.errorbar(
        x, y, xerr=_span(row, kinds[0], ones[0]), yerr=_span(row, kinds[1], ones[1]), **look,  # type: ignore[arg-type]
        markeredgecolor="black", markersize=7, elinewidth=0.7, ecolor=GREY, linestyle="", zorder=3,
    )  # fmt: skip
    hover(drawn.lines[0], f"{name}: {kinds[0].show(row[kinds[0].column])}, {kinds[1].show(row[kinds[1].column])}")


def _span(row: pd.Series, kind: Metric, one: float) -> list[list[float]] | None:
    if kind.low is None or kind.high is None or kind.low not in row:
        return None
    value = row[kind.column]
    return [[(value - row[kind.low]) / one], [(row[kind.high] - value) / one]]
