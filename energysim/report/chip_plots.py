"""Predicted against measured, as figures."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energysim.calibration.jetson import NanoValidation
from energysim.report.plots.style import MARKERS, new_figure
from energysim.validation.chip_energy import ChipEnergyFit
from energysim.validation.eyeriss import ComparedLayer

_SIZE = (6.0, 4.2)  # inches


def eyeriss_figure(alexnet: Sequence[ComparedLayer], vgg: Sequence[ComparedLayer], fit: ChipEnergyFit) -> Figure:
    """Three panels over all layers: global-buffer bytes, processing time, energy with the two fitted numbers."""
    figure, panels = new_figure(3 * 4.0, 4.2, 3)
    for (network, layers), marker in zip((("AlexNet", alexnet), ("VGG-16", vgg)), MARKERS, strict=False):
        series = (
            [(layer.measured.glb_bytes / 1e6, layer.predicted.glb_bytes / 1e6) for layer in layers],
            [(layer.measured.processing_s * 1e3, layer.predicted.latency_s * 1e3) for layer in layers],
            [(layer.measured.energy_j * 1e3, fit.energy_j(layer, layer.measured.total_s) * 1e3) for layer in layers],
        )
        for panel, points in zip(panels, series, strict=True):
            _scatter(panel, points, marker, network)
    for panel, what in zip(
        panels, ("global buffer, MB", "processing, ms", "energy, mJ (two numbers fitted)"), strict=True
    ):
        _square(panel, what)
    return figure


def nano_figure(nano: NanoValidation) -> Figure:
    """Latency of the nine networks: as shipped, and by the fit to the half that each is not in."""
    figure, (panel,) = new_figure(*_SIZE)
    for marker, name, points in (
        ("o", "as shipped", [(n.measured_s * 1e3, n.predicted_s * 1e3) for n in nano.networks]),
        ("^", "fitted to the other half", [(n.measured_s * 1e3, n.other_half_s * 1e3) for n in nano.networks]),
    ):
        _scatter(panel, points, marker, name)
    _square(panel, "latency, ms per image")
    return figure


def _scatter(panel: Axes, points: Sequence[tuple[float, float]], marker: str, label: str) -> None:
    panel.loglog(*zip(*points, strict=True), marker, fillstyle="none", label=label)


def _square(panel: Axes, what: str) -> None:
    """Equal axes with the line of equality and a band of 15 % about it."""
    low = min(panel.get_xlim()[0], panel.get_ylim()[0])
    high = max(panel.get_xlim()[1], panel.get_ylim()[1])
    panel.plot([low, high], [low, high], "-", color="0.4", linewidth=0.8)
    panel.fill_between(
        [low, high], [0.85 * low, 0.85 * high], [1.15 * low, 1.15 * high], color="0.9", zorder=0, label="within 15 %"
    )
    panel.set(xlim=(low, high), ylim=(low, high), xlabel="measured", ylabel="predicted", title=what)
    panel.legend(frameon=False)
