"""The roofline of each layer: attained MAC/s against MACs per byte that crosses DRAM (Williams, Waterman and Patterson,
2009), and the roofs of the on-chip memories over the same MACs per byte that crosses *them*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from energysim.cost.latency import COMPUTE, LAUNCH
from energysim.cost.results import LayerCost
from energysim.errors import InfeasibleError
from energysim.report.plots.rows import short, subject
from energysim.report.plots.style import DASHES, GREY, MARKERS, legend, new_figure, shades
from energysim.report.plots.svg import hover
from energysim.simulation.stored import StoredResult
from energysim.units import format_rate

_NAMED = 8  # slowest layers that are named in the figure
_APART = (0.12, 0.035)  # names closer than these shares of the axes would lie on one another


@dataclass(frozen=True)
class Point:
    """One layer. ``per_byte``: MACs per byte of DRAM traffic. ``rate``, ``low``, ``high``: MAC/s attained, and with the
    device's speeds at their slow and at their fast ends."""

    layer: LayerCost
    per_byte: float
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Roofs:
    """``macs_per_s``: all units busy. ``bytes_per_s``: of every memory with a bandwidth, outermost first. ``ridge``:
    MACs per DRAM byte from which compute can bind."""

    macs_per_s: float
    bytes_per_s: dict[str, float]

    @property
    def ridge(self) -> float:
        return self.macs_per_s / next(iter(self.bytes_per_s.values()))


def points(layers: Sequence[LayerCost]) -> list[Point]:
    """Of the layers that have MACs and move something."""
    return [
        Point(
            layer,
            layer.macs_executed / moved,
            layer.macs_executed / layer.latency_s,
            layer.macs_executed / layer.latency_high_s,
            layer.macs_executed / layer.latency_low_s,
        )
        for layer in layers
        if layer.macs_executed and (moved := layer.dram_read_bytes + layer.dram_write_bytes)
    ]


def roofs(result: StoredResult, layers: Sequence[LayerCost]) -> Roofs:
    """Raises InfeasibleError where no layer has MACs, or the outermost memory has no bandwidth that bounds it."""
    # utilization = MACs executed / (latency x peak): every layer gives the same peak.
    peaks = [x.macs_executed / (x.latency_s * x.utilization) for x in layers if x.macs_executed and x.utilization]
    if not peaks:
        raise InfeasibleError("no layer has MACs: there is nothing under a roofline")
    if result.memories[0][1] is None:
        raise InfeasibleError(f"{result.memories[0][0]} of {result.arch!r} has no stated bandwidth: there is no roof")
    return Roofs(max(peaks), {name: rate for name, rate in result.memories if rate is not None})


def roofline(result: StoredResult, variant: str | None = None) -> Figure:
    """A marker per layer, its shape by what binds the layer, its whisker over the device's low and high speeds; of
    the slowest layers those are named whose names have room. Layers without MACs have no place here."""
    chosen = result.variant(variant)
    shown, roof = points(chosen.layers), roofs(result, chosen.layers)
    figure, (axes,) = new_figure(9, 5.2)
    axes.set(xscale="log", yscale="log")
    _limits(axes, shown, roof)
    _draw_roofs(axes, roof)
    bound = list(dict.fromkeys([COMPUTE, *roof.bytes_per_s, LAUNCH, *(p.layer.bottleneck for p in shown)]))
    bound = [name for name in bound if any(p.layer.bottleneck == name for p in shown)]
    for index, (name, colour) in enumerate(zip(bound, shades(len(bound), "plasma"), strict=True)):
        _draw_points(axes, [p for p in shown if p.layer.bottleneck == name], name, MARKERS[index % 10], colour)
    _name_slowest(axes, shown)
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.yaxis.set_major_formatter(EngFormatter(unit="MAC/s", sep=" "))
    axes.set(xlabel="arithmetic intensity (MAC per byte of DRAM traffic)", ylabel="attained (MAC/s)")
    axes.set_title(f"{subject(result, chosen)}: roofline per layer", fontsize=11)
    legend(axes)
    return figure


def _limits(axes: Axes, shown: Sequence[Point], roof: Roofs) -> None:
    xs, ys = [roof.ridge, *(p.per_byte for p in shown)], [roof.macs_per_s, *(p.low for p in shown)]
    axes.set(xlim=(min(xs) / 3, max(xs) * 4), ylim=(min(ys) / 2, max(roof.macs_per_s, *(p.high for p in shown)) * 2.5))


def _name_slowest(axes: Axes, shown: Sequence[Point]) -> None:
    across, up = (log(ends[1] / ends[0]) for ends in (axes.get_xlim(), axes.get_ylim()))
    named: list[tuple[float, float]] = []
    for point in sorted(shown, key=lambda p: -p.layer.latency_s)[:_NAMED]:
        x, y = log(point.per_byte) / across, log(point.rate) / up
        if all(abs(x - other_x) > _APART[0] or abs(y - other_y) > _APART[1] for other_x, other_y in named):
            named.append((x, y))
            beyond = log(point.per_byte / axes.get_xlim()[0]) / across > 0.6  # too near the right edge for a name there
            look = {"ha": "right" if beyond else "left", "va": "center", "fontsize": 7}
            at, aside = (point.per_byte, point.rate), (-7 if beyond else 7, 0)
            axes.annotate(short(point.layer.name), at, aside, textcoords="offset points", **look)  # type: ignore[arg-type]


def _draw_roofs(axes: Axes, roof: Roofs) -> None:
    left, right = axes.get_xlim()
    line = axes.axhline(roof.macs_per_s, color="black", linewidth=1.4)
    text = f"peak {format_rate(roof.macs_per_s, 'MAC/s')}"
    hover(line, text)
    axes.text(right, roof.macs_per_s * 1.07, text, ha="right", fontsize=8)
    for index, (name, rate) in enumerate(roof.bytes_per_s.items()):
        corner = roof.macs_per_s / rate
        ends = [left, max(left, min(corner, right))]
        label = f"{name} {format_rate(rate, 'B/s')}" + (", over its own bytes" if index else "")
        look = {"color": "black", "linewidth": 1.4} if index == 0 else {"color": GREY, "linewidth": 1.0}
        (line,) = axes.plot(ends, [rate * x for x in ends], linestyle=DASHES[index % 7], label=label, **look)  # type: ignore[arg-type]
        hover(line, label)
    axes.axvline(roof.ridge, color=GREY, linewidth=0.7, linestyle=":")
    axes.annotate(
        f"ridge {roof.ridge:.3g} MAC/B",
        (roof.ridge, axes.get_ylim()[0]),
        (4, 4),
        textcoords="offset points",
        fontsize=8,
    )


def _draw_points(axes: Axes, shown: Sequence[Point], name: str, marker: str, colour: str) -> None:
    label = f"bound by {name}"
    for index, point in enumerate(shown):
        # A bar of its own per layer, so that each has its text.
        whisker = [[point.rate - point.low], [point.high - point.rate]]
        drawn = axes.errorbar(
            point.per_byte,
            point.rate,
            yerr=whisker,
            marker=marker,
            markersize=6,
            color=colour,
            markeredgecolor="black",
            markeredgewidth=0.5,
            elinewidth=0.8,
            linestyle="",
            label=label if index == 0 else "_",
        )
        text = (
            f"{point.layer.name}: {format_rate(point.rate, 'MAC/s')} "
            f"({format_rate(point.low, 'MAC/s')} .. {format_rate(point.high, 'MAC/s')}), {point.per_byte:.3g} MAC/B, "
            f"{label}, {point.layer.utilization:.1%} of peak"
        )
        hover(drawn.lines[0], text)
