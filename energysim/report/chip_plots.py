"""Predicted against measured, as figures: a marker per layer or network, the line of equality, a band of 15 %."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energysim.calibration.jetson import NanoValidation
from energysim.report.chips import error
from energysim.report.plots.style import GREY, MARKERS, legend, new_figure, shades
from energysim.report.plots.svg import hover
from energysim.validation.chip_energy import ChipEnergyFit
from energysim.validation.eyeriss import ComparedLayer

_Value = Callable[[ComparedLayer], float]
_BAND = 0.15
_MARGIN = 1.25  # between the outermost markers and the frame, as a factor


@dataclass(frozen=True)
class _Spot:
    """A marker, in the unit of its panel."""

    name: str
    measured: float
    predicted: float


def eyeriss_figure(alexnet: Sequence[ComparedLayer], vgg: Sequence[ComparedLayer], fit: ChipEnergyFit) -> Figure:
    """Three panels over all layers: global-buffer bytes, processing time, energy with the two fitted numbers."""
    figure, panels = new_figure(12.5, 4.4, 3)
    networks = {"AlexNet": alexnet, "VGG-16": vgg}
    shown: tuple[tuple[str, str, _Value, _Value], ...] = (
        ("global buffer", "MB", lambda x: x.measured.glb_bytes / 1e6, lambda x: x.predicted.glb_bytes / 1e6),
        ("processing time", "ms", lambda x: x.measured.processing_s * 1e3, lambda x: x.predicted.latency_s * 1e3),
        (
            "energy (two numbers fitted)",
            "mJ",
            lambda x: x.measured.energy_j * 1e3,
            lambda x: fit.energy_j(x, x.measured.total_s) * 1e3,
        ),
    )
    for panel, (title, unit, measured, predicted) in zip(panels, shown, strict=True):
        series = {
            network: [_Spot(x.measured.name, measured(x), predicted(x)) for x in layers]
            for network, layers in networks.items()
        }
        _compare(panel, title, unit, series)
    legend(panels[-1])
    figure.suptitle(f"Eyeriss chip: {len(alexnet) + len(vgg)} layers, predicted against measured", fontsize=11)
    return figure


def nano_figure(nano: NanoValidation) -> Figure:
    """Latency of the networks: as shipped, and by the fit to the half that each is not in."""
    figure, (panel,) = new_figure(6.6, 4.6)
    series = {
        "as shipped": [_Spot(n.network, n.measured_s * 1e3, n.predicted_s * 1e3) for n in nano.networks],
        "fitted to the other half": [_Spot(n.network, n.measured_s * 1e3, n.other_half_s * 1e3) for n in nano.networks],
    }
    _compare(panel, "latency per image", "ms", series)
    legend(panel)
    figure.suptitle(f"Jetson Nano: {len(nano.networks)} networks, predicted against measured", fontsize=11)
    return figure


def _compare(panel: Axes, title: str, unit: str, series: dict[str, list[_Spot]]) -> None:
    """Equal logarithmic axes around all spots."""
    values = [value for spots in series.values() for spot in spots for value in (spot.measured, spot.predicted)]
    ends = [min(values) / _MARGIN, max(values) * _MARGIN]
    panel.set(
        xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel=f"measured ({unit})", ylabel=f"predicted ({unit})"
    )
    panel.set_aspect("equal")
    panel.set_title(title, fontsize=10)
    panel.tick_params(which="minor", labelsize=6)
    low, high = ([factor * end for end in ends] for factor in (1 - _BAND, 1 + _BAND))
    panel.fill_between(ends, low, high, color=GREY, alpha=0.25, linewidth=0, zorder=0, label=f"within {_BAND:.0%}")
    panel.plot(ends, ends, color="black", linewidth=0.8, zorder=1, label="equal")
    # Thin outlines: without the lightest shade.
    looks = zip(series.items(), shades(len(series) + 1), MARKERS, strict=False)
    for (name, spots), colour, marker in looks:
        look: dict[str, Any] = {
            "color": colour,
            "marker": marker,
            "markersize": 6,
            "fillstyle": "none",
            "markeredgewidth": 1.4,
        }
        panel.plot([], [], linestyle="", label=name, **look)
        for spot in spots:
            (drawn,) = panel.plot([spot.measured], [spot.predicted], **look)
            told = f"{spot.predicted:.4g} {unit}, measured {spot.measured:.4g} {unit}"
            hover(drawn, f"{spot.name}, {name}: {told} ({error(spot.predicted, spot.measured)})")
