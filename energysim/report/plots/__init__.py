"""Figures of results, sweeps and training runs: one pure function each, which returns a matplotlib figure."""

from energysim.report.plots.registry import PLOTS, Plot, Source
from energysim.report.plots.save import save_figure
from energysim.report.plots.svg import inline_svg

__all__ = ["PLOTS", "Plot", "Source", "inline_svg", "save_figure"]
