"""Which constants move the answer: a tornado of the total with each at its low and at its high value."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energysim.errors import EnergySimError
from energysim.report.plots.style import EDGE, HATCHES, legend, new_figure, shades
from energysim.report.plots.svg import hover
from energysim.sensitivity import Explanation, Swing, explain, with_device
from energysim.simulation.stored import StoredResult
from energysim.units import energy_unit, format_energy, format_time, time_unit

_MOST = 12  # constants
_METRICS = ("energy", "latency")


def sensitivity(result: StoredResult, variant: str | None = None, metric: str = "energy") -> Figure:
    """The tornado of a result. ``metric``: energy or latency.

    Raises EnergySimError for another metric, and where the device is not found again as it was.
    """
    return tornado(explain(with_device(result), variant), metric)


def tornado(explanation: Explanation, metric: str = "energy") -> Figure:
    """The constants that move the total most, widest first; the vertical line is the total with all at nominal."""
    if metric not in _METRICS:
        raise EnergySimError(f"{metric!r} has no constants", hint=", ".join(_METRICS))
    of_energy = metric == "energy"
    swings = explanation.energy_swings if of_energy else explanation.latency_swings
    shown = [swing for swing in swings if swing.width > 0][:_MOST]
    total = explanation.energy.value if of_energy else explanation.latency_s
    largest = max([total, *(max(s.at_low, s.at_high) for s in shown)])
    unit, one = (energy_unit if of_energy else time_unit)(largest)
    figure, (axes,) = new_figure(9, 1.7 + 0.3 * len(shown))
    _bars(axes, shown, total, one, format_energy if of_energy else format_time)
    still = len(swings) - len(shown)
    axes.set_xlabel(f"{metric} ({unit}), one constant at its low or high value, the others nominal")
    title = f"{explanation.workload} on {explanation.arch}, {explanation.variant}: what the {metric} rests on"
    axes.set_title(title if not still else f"{title}\n({still} other constants move it less or not)", fontsize=11)
    return figure


def _bars(axes: Axes, shown: Sequence[Swing], total: float, one: float, show: Callable[[float], str]) -> None:
    for end, colour, hatch in zip(("low", "high"), shades(2), HATCHES, strict=False):
        ends = [swing.at_low if end == "low" else swing.at_high for swing in shown]
        moves = [(at - total) / one for at in ends]
        look = {"color": colour, "hatch": hatch, "edgecolor": EDGE, "linewidth": 0.4}
        drawn = axes.barh(range(len(shown)), moves, 0.7, left=total / one, label=f"at its {end}", **look)  # type: ignore[arg-type]
        for bar, swing, at in zip(drawn, shown, ends, strict=True):
            value = getattr(swing.constant, end)
            estimate = ", an estimate" if swing.constant.estimate else ""
            hover(bar, f"{swing.name} at {value:.4g} {swing.unit}: {show(at)} instead of {show(total)}{estimate}")
    line = axes.axvline(total / one, color="black", linewidth=1)
    hover(line, f"all constants nominal: {show(total)}")
    axes.set_yticks(range(len(shown)), [swing.name for swing in shown], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.05)
    legend(axes)
