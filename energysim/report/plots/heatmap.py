"""Tile x buffer heat maps (or of any two swept parameters) of a sweep."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from energysim.errors import EnergySimError
from energysim.report.plots.points import Metric, label, metric_of, ordered, parameter, points_of, said, swept
from energysim.report.plots.style import EDGE, ink_on, new_figure
from energysim.report.plots.svg import hover

if TYPE_CHECKING:
    import pandas as pd

_PANELS = 6
_COLOURS = "viridis_r"  # dark is much


def heatmap(frame: pd.DataFrame, metric: str = "energy", x: str = "buffer", y: str = "tile") -> Figure:
    """A panel per workload, device and variant, a cell per value of ``x`` and ``y``: its best point where several fall
    in it, which the text of the cell then says. The best cell of a panel is framed.

    Raises EnergySimError for an unknown metric or parameter, and where nothing was swept over ``x`` and ``y``.
    """
    kind = metric_of(metric)
    points = points_of(frame, kind)
    names = [parameter(points, name) for name in (x, y)]
    apart = [name for name in ("workload", "arch", "variant") if name in swept(points) and name not in names]
    groups = [(key, group) for key, group in points.groupby(apart)] if apart else [((), points)]
    # A variant without tiles and buffers is one cell, which says nothing.
    groups = [(key, group) for key, group in groups if len(group[names].drop_duplicates()) > 1][:_PANELS]
    if not groups:
        raise EnergySimError(f"the points of the sweep do not differ in {x} or {y}")
    columns = min(3, len(groups))
    rows = -(-len(groups) // columns)
    wide = max(group[names[0]].nunique() for _, group in groups)
    high = max(group[names[1]].nunique() for _, group in groups)
    figure, panels = new_figure((0.85 * wide + 1.3) * columns + 1.2, (0.42 * high + 1.3) * rows + 0.5, columns, rows)
    unit, one = kind.unit(float(points[kind.column].max()))
    values = points[kind.column] / one
    norm = Normalize(float(values.min()), float(values.max()) if values.max() > values.min() else values.min() + 1)
    for axes, (key, group) in zip(panels, groups, strict=False):
        _panel(axes, group, names, kind, one, norm)
        axes.set_title(", ".join(map(str, key)), fontsize=9)
    for axes in panels[len(groups) :]:
        axes.set_axis_off()
    figure.colorbar(ScalarMappable(norm, _COLOURS), ax=panels, label=f"{kind.label} ({unit})")
    figure.suptitle(f"{said(points)}: {kind.label}", fontsize=11)
    return figure


def _panel(axes: Axes, group: pd.DataFrame, names: list[str], kind: Metric, one: float, norm: Normalize) -> None:
    across, up = (ordered(group[name]) for name in names)
    best = group.sort_values(kind.column, ascending=not kind.more_is_better)
    cells = best.drop_duplicates(names)
    counts = Counter(zip(*(group[name] for name in names), strict=True))
    shown = matplotlib.colormaps[_COLOURS]
    digits = _digits([float(value) / one for value in cells[kind.column]])
    for place, row in enumerate(cells.to_dict("records")):
        column, line = across.index(row[names[0]]), up.index(row[names[1]])
        value = float(row[kind.column]) / one
        colour = shown(norm(value))
        look: dict[str, Any] = (
            {"edgecolor": EDGE, "linewidth": 2.2, "zorder": 3} if place == 0 else {"edgecolor": "none"}
        )
        cell = Rectangle((column - 0.5, line - 0.5), 1, 1, facecolor=colour, **look)
        axes.add_patch(cell)
        axes.text(
            column, line, f"{value:.{digits}f}", ha="center", va="center", fontsize=7, color=ink_on(colour), zorder=4
        )
        many = counts[tuple(row[name] for name in names)]
        of = f", the best of {many}" if many > 1 else ""
        where = ", ".join(f"{name} {row[name] or 'none'}" for name in names)
        hover(
            cell,
            f"{where}: {kind.show(float(row[kind.column]))}{of} ({label(row, swept(group)) or row.get('variant')})",
        )
    for axis, values, name in ((axes.xaxis, across, names[0]), (axes.yaxis, up, names[1])):
        axis.set_ticks(range(len(values)), [str(value or "none") for value in values], fontsize=8)
        axis.set_label_text(name)
    axes.set(xlim=(-0.5, len(across) - 0.5), ylim=(-0.5, len(up) - 0.5))


def _digits(values: list[float]) -> int:
    """Decimals that tell neighbouring cells apart, of at most four figures."""
    return max(0, 3 - len(f"{max(map(abs, values)):.0f}"))
