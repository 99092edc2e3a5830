"""Every plot by name: what it shows, what it is drawn from, and the function that draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from matplotlib.figure import Figure

from energysim.report.plots.ablation import ablation
from energysim.report.plots.energy import energy, layer_energy
from energysim.report.plots.growth import growth
from energysim.report.plots.heatmap import heatmap
from energysim.report.plots.occupancy import occupancy
from energysim.report.plots.pareto import pareto
from energysim.report.plots.roofline import roofline
from energysim.report.plots.sensitivity import sensitivity
from energysim.report.plots.traffic import traffic
from energysim.report.plots.training import accuracy_energy, accuracy_latency, loss_curves, training_curves


class Source(StrEnum):
    """What a plot's function takes."""

    RESULTS = "results"  # (results: Sequence[StoredResult])
    RESULT = "result"  # (result: StoredResult, variant: str | None = None)
    SWEEP = "sweep"  # (frame: pandas.DataFrame), see `points`
    RUNS = "runs"  # (groups: Sequence[energysim.train.runs.Group])


@dataclass(frozen=True)
class Plot:
    """``draw``: a function of what ``source`` says, and of the keywords ``options``, each of which has a default. It
    raises EnergySimError for an input that does not have what it shows."""

    name: str
    about: str
    source: Source
    draw: Callable[..., Figure]
    options: tuple[str, ...] = ()


_ALL = (
    Plot("energy", "energy of every variant, by memory level and by tensor", Source.RESULTS, energy),
    Plot("layer-energy", "energy of each layer by memory level", Source.RESULT, layer_energy, ("variant",)),
    Plot("traffic", "DRAM traffic of each layer against its floor", Source.RESULT, traffic, ("variant",)),
    Plot("roofline", "MAC/s of each layer under the roofs", Source.RESULT, roofline, ("variant",)),
    Plot("occupancy", "on-chip memory over time", Source.RESULT, occupancy, ("variant",)),
    Plot("sensitivity", "constants that move the total most", Source.RESULT, sensitivity, ("variant", "metric")),
    Plot("heatmap", "a metric over two swept parameters", Source.SWEEP, heatmap, ("metric", "x", "y")),
    Plot("growth", "a metric over one swept parameter", Source.SWEEP, growth, ("metric", "x")),
    Plot("pareto", "one metric against another, and the front", Source.SWEEP, pareto, ("metric", "against")),
    Plot("ablation", "the points side by side: traffic, energy, latency, accuracy", Source.SWEEP, ablation),
    Plot("training-curves", "accuracy over epochs", Source.RUNS, training_curves),
    Plot("loss-curves", "loss over epochs", Source.RUNS, loss_curves),
    Plot("accuracy-energy", "accuracy against energy, and the front", Source.RUNS, accuracy_energy, ("arch",)),
    Plot("accuracy-latency", "accuracy against latency, and the front", Source.RUNS, accuracy_latency, ("arch",)),
)
PLOTS: dict[str, Plot] = {plot.name: plot for plot in _ALL}
