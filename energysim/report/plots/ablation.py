"""An ablation as a figure: the points of a sweep side by side, with what each saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energysim.report.plots.points import METRICS, Metric, label, magnitude, points_of, said, swept
from energysim.report.plots.style import EDGE, HATCHES, new_figure, shades
from energysim.report.plots.svg import hover
from energysim.schedule.variants import VARIANTS

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 40
_COLUMNS = ("dram", "energy", "latency", "accuracy")


def ablation(frame: pd.DataFrame) -> Figure:
    """A row per point by variant, tile and buffer (of many the forty with the least DRAM traffic), a panel each for
    DRAM traffic with its floor, energy and latency with their low..high, and accuracy where the points have one.
    Numbers on the bars are relative to the first row. Raises EnergySimError where no point has a result."""
    kinds = [METRICS[name] for name in _COLUMNS]
    points = points_of(frame, METRICS["dram"])
    kinds = [kind for kind in kinds if kind.column in points and points[kind.column].notna().all()]
    names = swept(points)
    places = [_place(row, names) for row in points.to_dict("records")]
    kept = set(points.nsmallest(_ROWS, "dram_bytes").index)
    shown = points.iloc[[at for at in sorted(range(len(points)), key=lambda at: places[at]) if at in kept]]
    labels = [label(row, names) for row in shown.to_dict("records")]
    figure, panels = new_figure(3.0 * len(kinds) + 1.6, 1.2 + 0.26 * len(shown), len(kinds), sharey=True)
    for axes, kind, colour, hatch in zip(panels, kinds, shades(len(_COLUMNS)), HATCHES, strict=False):
        _panel(axes, shown, kind, labels, colour, hatch)
    panels[0].set_yticks(range(len(labels)), labels, fontsize=8)
    panels[0].set_ylim(len(labels) - 0.4, -0.6)
    some = f", {len(shown)} of {len(points)} points" if len(shown) < len(points) else ""
    figure.suptitle(f"{said(points)}: ablation{some}", fontsize=11)
    return figure


def _place(row: Mapping[Any, Any], names: list[str]) -> tuple[Any, ...]:
    """Where a point stands: variants from the least to the most that they change."""
    order = (*VARIANTS, "optimal")
    variant = order.index(row["variant"]) if row["variant"] in order else len(order)
    sizes = [(magnitude(row[name]), str(row[name])) for name in names if name != "variant"]
    return (str(row["workload"]), str(row["arch"]), variant, *sizes)


def _panel(axes: Axes, shown: pd.DataFrame, kind: Metric, labels: list[str], colour: str, hatch: str) -> None:
    values = [float(value) for value in shown[kind.column]]
    unit, one = kind.unit(max(values))
    at = range(len(values))
    bars = axes.barh(
        at, [value / one for value in values], 0.7, color=colour, hatch=hatch, edgecolor=EDGE, linewidth=0.4
    )
    ends = [float(value) for value in shown[kind.high]] if kind.high in shown else values
    for place, (bar, name, value, end) in enumerate(zip(bars, labels, values, ends, strict=True)):
        times = f"{value / values[0]:.2f} x" if values[0] else ""
        hover(bar, f"{name}: {kind.show(value)}" + (f", {times} the first" if place else ""))
        axes.annotate(times, (end / one, place), (3, 0), textcoords="offset points", va="center", fontsize=7)
    if kind.low in shown and kind.high in shown:
        spans = [abs(shown[side] - shown[kind.column]) / one for side in (kind.low, kind.high)]
        axes.errorbar([v / one for v in values], at, xerr=spans, fmt="none", ecolor="black", elinewidth=0.7, capsize=2)
    if kind.name == "dram" and "dram_floor_bytes" in shown:
        for place, floor in enumerate(shown["dram_floor_bytes"]):
            (mark,) = axes.plot([floor / one] * 2, [place - 0.4, place + 0.4], color="black", linewidth=1.5)
            hover(mark, f"floor: {kind.show(float(floor))}")
    axes.set_xlabel(f"{kind.label} ({unit})" + (", | the floor" if kind.name == "dram" else ""), fontsize=9)
    axes.margins(x=0.2)
    axes.set_xlim(left=0)
