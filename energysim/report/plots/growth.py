"""A metric over one swept parameter: how it grows with batch, word width, buffer, tile or a device's parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energysim.report.plots.points import (
    Metric,
    label,
    magnitude,
    metric_of,
    ordered,
    parameter,
    points_of,
    said,
    swept,
)
from energysim.report.plots.style import DASHES, MARKERS, legend, new_figure, shades
from energysim.report.plots.svg import hover

if TYPE_CHECKING:
    import pandas as pd

_LINES = 10


def growth(frame: pd.DataFrame, metric: str = "energy", x: str = "tile") -> Figure:
    """A line per combination of the other swept parameters (the ten best), shaded over the constants' low and high
    values. The axis is logarithmic where the values are quantities that span more than a factor of four.

    Raises EnergySimError for an unknown metric, and for a parameter that was not swept.
    """
    kind = metric_of(metric)
    points = points_of(frame, kind)
    column = parameter(points, x)
    points = points[[value not in (None, "") for value in points[column]]]
    values = ordered(points[column])
    sizes = [magnitude(value) for value in values]
    numeric = all(size > 0 for size in sizes) and len(set(sizes)) == len(sizes)
    at = dict(zip(values, sizes if numeric else map(float, range(len(values))), strict=True))
    others = swept(points, without=(column,))
    lines = sorted(_lines(points, others), key=lambda line: line[1][kind.column].min())
    figure, (axes,) = new_figure(8.5, 4.6)
    unit, one = kind.unit(float(points[kind.column].max()))
    shown = lines[:_LINES]
    for index, ((name, group), colour) in enumerate(zip(shown, shades(len(shown)), strict=True)):
        look = {"color": colour, "linestyle": DASHES[index % len(DASHES)], "marker": MARKERS[index % len(MARKERS)]}
        _line(axes, name, group.assign(_at=[at[value] for value in group[column]]).sort_values("_at"), kind, one, look)
    if numeric and max(sizes) > 4 * min(sizes):
        axes.set_xscale("log", base=2)
    axes.set_xticks([at[value] for value in values], [str(value) for value in values], fontsize=8)
    axes.minorticks_off()
    axes.set(xlabel=column, ylabel=f"{kind.label} ({unit})")
    axes.set_ylim(0, 1.06 * axes.dataLim.y1)
    left_out = f" (the best {len(shown)} of {len(lines)} lines)" if len(lines) > len(shown) else ""
    axes.set_title(f"{said(points)}: {kind.label} over {column}{left_out}", fontsize=11)
    legend(axes)
    return figure


def _lines(points: pd.DataFrame, others: list[str]) -> list[tuple[str, pd.DataFrame]]:
    if not others:
        return [("", points)]
    groups = points.groupby(others, dropna=False, sort=False)
    return [(label(group.iloc[0].to_dict(), others), group) for _, group in groups]


def _line(axes: Axes, name: str, group: pd.DataFrame, kind: Metric, one: float, look: dict[str, Any]) -> None:
    axes.plot(group["_at"], group[kind.column] / one, markersize=4, label=name or "_", **look)
    if kind.low in group and kind.high in group:
        low, high = group[kind.low] / one, group[kind.high] / one
        axes.fill_between(group["_at"], low, high, color=look["color"], alpha=0.1, linewidth=0)
    for at, value in zip(group["_at"], group[kind.column], strict=True):
        (spot,) = axes.plot([at], [value / one], marker=look["marker"], markersize=4, color=look["color"])
        hover(spot, f"{name}: {kind.show(value)}" if name else kind.show(value))
