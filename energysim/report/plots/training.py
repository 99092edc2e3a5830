"""Training runs: curves over epochs, and accuracy against what an inference costs.

The figures themselves are in `report/training_figures.py`, which needs PyTorch: imported on use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from energysim.report.training_figures import Curves
    from energysim.train.runs import Group
    from energysim.train.summary import DeviceCost


def training_curves(groups: Sequence[Group]) -> Figure:
    """Training and validation accuracy of each model: mean over the seeds, shaded from lowest to highest."""
    from energysim.report.training_figures import training_curves as draw

    return _titled(draw(_curves(groups)), groups, "accuracy over epochs")


def loss_curves(groups: Sequence[Group]) -> Figure:
    """The same of the losses."""
    from energysim.report.training_figures import loss_curves as draw

    return _titled(draw(_curves(groups)), groups, "loss over epochs")


def accuracy_energy(groups: Sequence[Group], arch: str = "jetson_nano") -> Figure:
    """Test accuracy (mean and deviation over the seeds) against the energy of an inference, and the front."""
    return _against(groups, arch, f"energy per inference on {arch} (uJ)", lambda cost: cost.energy_pj / 1e6)


def accuracy_latency(groups: Sequence[Group], arch: str = "jetson_nano") -> Figure:
    """The same against the latency of an inference."""
    return _against(groups, arch, f"latency per inference on {arch} (ms)", lambda cost: cost.latency_s * 1e3)


def _against(groups: Sequence[Group], arch: str, axis: str, of: Callable[[DeviceCost], float]) -> Figure:
    from energysim.report.training_figures import accuracy_against
    from energysim.train.runs import summarize_group

    summaries = [summarize_group(group, arch, timed=False) for group in groups]
    figure = accuracy_against(summaries, lambda s: float("nan") if s.cost is None else of(s.cost), axis)
    return _titled(figure, groups, f"accuracy against {axis.partition(' ')[0]}")


def _curves(groups: Sequence[Group]) -> list[Curves]:
    from energysim.report.training_figures import Curves

    return [Curves(group.label, tuple(result.history for result in group.results)) for group in groups]


def _titled(figure: Figure, groups: Sequence[Group], what: str) -> Figure:
    seeds = max(len(group.results) for group in groups)
    data = groups[0].results[0].about.get("data", "")
    figure.suptitle(f"{data}: {what}" + (f", {seeds} seeds" if seeds > 1 else ""), fontsize=11)
    return figure
