"""The plots of the page, as its elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import matplotlib.figure
from markupsafe import Markup

from energysim.errors import EnergySimError
from energysim.report.page.sources import SweepPoints
from energysim.report.plots import PLOTS, Plot, Source, inline_svg
from energysim.simulation.stored import StoredResult

if TYPE_CHECKING:
    from energysim.train.runs import Group

Draw = Callable[[], matplotlib.figure.Figure]


@dataclass(frozen=True, slots=True)
class Figure:
    """``svg`` is empty where the plot cannot be drawn: ``about`` then says why. ``variant``: which one it shows, None
    where it shows all of them."""

    name: str
    svg: Markup
    about: str
    variant: str | None = None


def result_figures(result: StoredResult, prefix: str) -> tuple[Figure, ...]:
    """Every plot of one result, those of one variant once for each. ``prefix`` makes their ids the result's own."""
    return tuple(
        _figure(plot, f"{prefix}-{plot.name}-{number}-", draw, variant)
        for plot in PLOTS.values()
        for number, (variant, draw) in enumerate(_drawings(plot, result))
    )


def sweep_figures(sweep: SweepPoints, prefix: str) -> tuple[Figure, ...]:
    """Every plot of a sweep that its points have enough for."""
    plots = (plot for plot in PLOTS.values() if plot.source is Source.SWEEP)
    return tuple(_figure(plot, f"{prefix}-{plot.name}-", partial(plot.draw, sweep.frame)) for plot in plots)


def training_figures(groups: Sequence[Group], prefix: str) -> tuple[Figure, ...]:
    """The curves of runs on one data set. (What an inference costs would have to be simulated: no page does.)"""
    plots = (plot for plot in PLOTS.values() if plot.source is Source.RUNS and "arch" not in plot.options)
    return tuple(_figure(plot, f"{prefix}-{plot.name}-", partial(plot.draw, groups)) for plot in plots)


def _drawings(plot: Plot, result: StoredResult) -> Iterator[tuple[str | None, Draw]]:
    """What ``plot`` shows of a result: one figure, or one per variant."""
    if plot.source is Source.RESULTS:
        yield None, partial(plot.draw, [result])
    elif plot.source is Source.RESULT and "variant" in plot.options:
        for variant in result.variants:
            yield variant.variant, partial(plot.draw, result, variant=variant.variant)
    elif plot.source is Source.RESULT:
        yield None, partial(plot.draw, result)


def _figure(plot: Plot, prefix: str, draw: Draw, variant: str | None = None) -> Figure:
    about = plot.about[:1].upper() + plot.about[1:]
    try:
        svg = Markup(inline_svg(draw(), prefix))  # markup of our own: ElementTree escapes
    except EnergySimError as error:
        return Figure(plot.name, Markup(), f"{about}: not drawn, {error}.", variant)
    return Figure(plot.name, svg, f"{about}.", variant)
