"""Every plot by name: what it shows, what it is drawn from, and the function that draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from matplotlib.figure import Figure

from energysim.report.plots import energy, roofline, traffic


class Source(StrEnum):
    """What a plot's function takes."""

    RESULTS = "results"  # (results: Sequence[StoredResult])
    RESULT = "result"  # (result: StoredResult, variant: str | None = None)


@dataclass(frozen=True)
class Plot:
    """``draw``: a function of what ``source`` says, and of the keywords ``options``, each of which has a default."""

    name: str
    about: str
    source: Source
    draw: Callable[..., Figure]
    options: tuple[str, ...] = ()


_ALL = (
    Plot("energy", "energy of every variant, by memory level and by tensor", Source.RESULTS, energy.energy),
    Plot("layer-energy", "energy of each layer by memory level", Source.RESULT, energy.layer_energy, ("variant",)),
    Plot("traffic", "DRAM traffic of each layer against its floor", Source.RESULT, traffic.traffic, ("variant",)),
    Plot("roofline", "MAC/s of each layer under the roofs", Source.RESULT, roofline.roofline, ("variant",)),
)
PLOTS: dict[str, Plot] = {plot.name: plot for plot in _ALL}
