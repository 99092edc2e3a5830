"""``result.plot``: the plots of a result as methods, for notebooks."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from energysim.report.plots.registry import PLOTS, Source
from energysim.simulation import SimulationResult
from energysim.simulation.stored import StoredResult

_OF_RESULTS = {
    name.replace("-", "_"): plot for name, plot in PLOTS.items() if plot.source in (Source.RESULT, Source.RESULTS)
}


class ResultPlots:
    """Every plot of PLOTS that is drawn from results, "-" in its name as "_"; the keywords are the plot's options."""

    def __init__(self, result: SimulationResult | StoredResult) -> None:
        self._result = result.stored() if isinstance(result, SimulationResult) else result

    def __getattr__(self, name: str) -> Callable[..., Figure]:
        plot = _OF_RESULTS.get(name)
        if plot is None:
            raise AttributeError(f"no plot {name!r}: {', '.join(_OF_RESULTS)}")
        given = [self._result] if plot.source is Source.RESULTS else self._result

        def draw(**options: str) -> Figure:
            return plot.draw(given, **options)

        draw.__doc__ = plot.draw.__doc__
        return draw

    def __dir__(self) -> list[str]:
        return list(_OF_RESULTS)
