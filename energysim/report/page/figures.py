"""The plots of the page, as its elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import matplotlib.figure
from markupsafe import Markup

from energysim.errors import EnergySimError
from energysim.report.page.sources import SweepPoints
from energysim.report.plots import PLOTS, Plot, Source, inline_svg
from energysim.simulation.stored import StoredResult


@dataclass(frozen=True, slots=True)
class Figure:
    """``svg`` is empty where the plot cannot be drawn: ``about`` then says why."""

    name: str
    svg: Markup
    about: str


def result_figures(result: StoredResult, variant: str, prefix: str) -> tuple[Figure, ...]:
    """Every plot of one result; those of one variant show ``variant``. ``prefix`` makes their ids the result's own."""
    return tuple(_figure(plot, f"{prefix}-{plot.name}-", draw) for plot, draw in _drawings(result, variant))


def sweep_figures(sweep: SweepPoints, prefix: str) -> tuple[Figure, ...]:
    """Every plot of a sweep that its points have enough for."""
    plots = (plot for plot in PLOTS.values() if plot.source is Source.SWEEP)
    return tuple(_figure(plot, f"{prefix}-{plot.name}-", partial(plot.draw, sweep.frame)) for plot in plots)


def _drawings(result: StoredResult, variant: str) -> Iterator[tuple[Plot, Callable[[], matplotlib.figure.Figure]]]:
    for plot in PLOTS.values():
        chosen = {"variant": variant} if "variant" in plot.options else {}
        if plot.source is Source.RESULTS:
            yield plot, partial(plot.draw, [result])
        elif plot.source is Source.RESULT:
            yield plot, partial(plot.draw, result, **chosen)


def _figure(plot: Plot, prefix: str, draw: Callable[[], matplotlib.figure.Figure]) -> Figure:
    about = plot.about[:1].upper() + plot.about[1:]
    try:
        return Figure(
            plot.name, Markup(inline_svg(draw(), prefix)), f"{about}."
        )  # markup of our own: ElementTree escapes
    except EnergySimError as error:
        return Figure(plot.name, Markup(), f"{about}: not drawn, {error}.")
