"""Figures of trained models: curves, confusion, ROC, t-SNE, Grad-CAM, parameters, accuracy against cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from energysim.report.plots.style import DASHES, HATCHES, MARKERS, legend, new_figure, shades
from energysim.report.plots.svg import hover
from energysim.train.evaluate import Predictions
from energysim.train.hooks import EpochRecord
from energysim.train.summary import ModelSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from energysim.train.explain import RocCurve

_NUMBERED_CLASSES = 20
_SPOTS = 20  # marked epochs of a curve


@dataclass(frozen=True)
class Curves:
    """Histories of one model, a run per seed."""

    label: str
    histories: tuple[tuple[EpochRecord, ...], ...]


def training_curves(curves: Sequence[Curves]) -> Figure:
    """Training and validation accuracy over epochs: mean over the seeds, shaded from the lowest to the highest."""
    figure, (left, right) = new_figure(10, 4, 2)
    _bands(left, curves, lambda record: 100 * record.accuracy, "%")
    _bands(right, curves, lambda record: 100 * record.validation_accuracy, "%")
    for axes, title in ((left, "training (augmented)"), (right, "validation")):
        axes.set_title(title, fontsize=10)
        axes.set(xlabel="epoch", ylabel="top-1 accuracy (%)")
    legend(right)
    return figure


def loss_curves(curves: Sequence[Curves]) -> Figure:
    """Loss over epochs, logarithmic."""
    figure, (left, right) = new_figure(10, 4, 2)
    _bands(left, curves, lambda record: record.loss, "nats")
    _bands(right, curves, lambda record: record.validation_loss, "nats")
    for axes, title in ((left, "training (as minimized)"), (right, "validation cross-entropy")):
        axes.set_title(title, fontsize=10)
        axes.set(xlabel="epoch", ylabel="loss (nats)", yscale="log")
    legend(right)
    return figure


def logged_values(curves: Sequence[Curves]) -> dict[str, Figure]:
    """What hooks logged (sparsity, training energy, ...): a figure each, over epochs and against accuracy."""
    names = dict.fromkeys(
        name for item in curves for history in item.histories for record in history for name in record.extra
    )
    figures = {}
    for name in names:
        figure, (left, right) = new_figure(10, 4, 2)
        having = [item for item in curves if all(name in record.extra for run in item.histories for record in run)]
        _bands(left, having, _logged(name), "")
        for index, item in enumerate(having):
            for history in item.histories[:1]:
                values = [record.extra[name] for record in history]
                accuracies = [100 * record.validation_accuracy for record in history]
                right.plot(values, accuracies, marker=MARKERS[index % 10], markersize=3, label=item.label)
        left.set(xlabel="epoch", ylabel=name)
        right.set(xlabel=name, ylabel="validation top-1 (%)")
        if having:
            left.legend(fontsize=7)
            figures[name] = figure
    return figures


def confusion_matrix(confusion: Sequence[Sequence[int]], classes: Sequence[str], title: str) -> Figure:
    """Rows: the true class; shares of the row, with counts where there is room for them."""
    counts = np.asarray(confusion, dtype=float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 5.5 if len(classes) <= _NUMBERED_CLASSES else 8
    figure, (axes,) = new_figure(side, side * 0.9, 1)
    image = axes.imshow(shares, cmap="Greys", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class's images")
    axes.set(title=title, xlabel="called", ylabel="true class")
    if len(classes) <= _NUMBERED_CLASSES:
        axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=7)
        axes.set_yticks(range(len(classes)), classes, fontsize=7)
        for row, column in np.argwhere(counts > 0):
            shade = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", fontsize=6, color=shade)
    return figure


def per_class_accuracy(named: Sequence[tuple[str, Sequence[float | None]]], classes: Sequence[str]) -> Figure:
    """One group of bars per class, a bar per model."""
    figure, (axes,) = new_figure(max(6.0, 0.12 * len(classes) * (1 + len(named))), 4, 1)
    width = 0.8 / len(named)
    for index, (name, shares) in enumerate(named):
        at = np.arange(len(classes)) + (index - (len(named) - 1) / 2) * width
        heights = [100 * share if share is not None else 0.0 for share in shares]
        axes.bar(at, heights, width, label=name, hatch=HATCHES[index % len(HATCHES)], edgecolor="black", lw=0.3)
    axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=6)
    axes.set(ylabel="accuracy (%)", ylim=(0, 100))
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def roc(curves: Sequence[RocCurve], title: str) -> Figure:
    """Each class thin, the mean thick; the legend has the areas."""
    figure, (axes,) = new_figure(5, 4.6, 1)
    for index, curve in enumerate(curves[:-1]):
        label = f"{curve.label} ({curve.area:.3f})" if len(curves) <= _NUMBERED_CLASSES else None
        style = DASHES[index % len(DASHES)]
        axes.plot(curve.false_positive, curve.true_positive, lw=0.7, linestyle=style, label=label)
    mean = curves[-1]
    axes.plot(mean.false_positive, mean.true_positive, color="black", lw=2, label=f"mean ({mean.area:.3f})")
    axes.plot([0, 1], [0, 1], color="grey", lw=0.7, linestyle=":")
    axes.set(title=title, xlabel="false-positive rate", ylabel="true-positive rate")
    axes.legend(fontsize=6, loc="lower right")
    return figure


def feature_plane(
    points: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], classes: Sequence[str], title: str
) -> Figure:
    """t-SNE of the features, a marker per class. ``points`` [N, 2]."""
    figure, (axes,) = new_figure(6, 5, 1)
    for label, name in enumerate(classes):
        chosen = points[labels == label]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=8, marker=MARKERS[label % len(MARKERS)], label=name)
    axes.set(title=title, xlabel="t-SNE 1", ylabel="t-SNE 2")
    if len(classes) <= _NUMBERED_CLASSES:
        axes.legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def grad_cam_grid(
    images: np.ndarray[Any, Any], maps: np.ndarray[Any, Any], captions: Sequence[str], title: str
) -> Figure:
    """Images [N, H, W, 3] in 0..1 over the same with their Grad-CAM maps [N, H, W]."""
    figure, axes = new_figure(1.3 * len(images), 3.1, len(images), rows=2)
    for index, (image, heat, caption) in enumerate(zip(images, maps, captions, strict=True)):
        top, bottom = axes[index], axes[len(images) + index]
        top.imshow(image)
        top.set_title(caption, fontsize=7)
        bottom.imshow(image.mean(2), cmap="Greys_r")
        bottom.imshow(heat, cmap="inferno", alpha=0.55, vmin=0, vmax=1)
        top.axis("off")
        bottom.axis("off")
    figure.suptitle(title, fontsize=9)
    return figure


def parameter_distribution(shares: Sequence[tuple[str, int]], weights: np.ndarray[Any, Any], title: str) -> Figure:
    """Parameters per layer, and the histogram of the weights' values."""
    figure, (left, right) = new_figure(10, max(3.0, 0.13 * len(shares)), 2)
    left.barh(range(len(shares)), [count for _, count in shares], color="grey")
    left.set_yticks(range(len(shares)), [name for name, _ in shares], fontsize=5)
    left.invert_yaxis()
    left.set(title=title, xlabel="parameters", xscale="log")
    if weights.size:
        right.hist(weights, bins=101, color="grey", log=True)
    right.set(title="weights of convolutions and linear layers", xlabel="value", ylabel="count")
    return figure


def accuracy_against(
    summaries: Sequence[ModelSummary],
    of: Callable[[ModelSummary], float],
    label: str,
) -> Figure:
    """Top-1 with its standard deviation against a cost on a logarithmic axis; the line joins the Pareto front."""
    figure, (axes,) = new_figure(6, 4.5, 1)
    costs = [of(summary) for summary in summaries]
    accuracies = [100 * summary.top1.mean for summary in summaries]
    for index, (summary, cost, accuracy) in enumerate(zip(summaries, costs, accuracies, strict=True)):
        spread = 100 * (summary.top1.std or 0)
        marker = MARKERS[index % len(MARKERS)]
        drawn = axes.errorbar(cost, accuracy, yerr=spread, marker=marker, capsize=2, linestyle="", label=summary.name)
        hover(drawn[0], f"{summary.name}: {accuracy:.4g} % at {cost:.4g}, {label}")
    best = -np.inf
    front = []
    for cost, accuracy in sorted(zip(costs, accuracies, strict=True), key=lambda point: (point[0], -point[1])):
        if accuracy > best:
            best = accuracy
            front.append((cost, accuracy))
    axes.plot(*zip(*front, strict=True), color="black", lw=0.8, drawstyle="steps-post", label="Pareto front", zorder=0)
    axes.set(xlabel=label, ylabel=f"top-1 on {summaries[0].data} (%)", xscale="log")
    axes.tick_params(axis="x", which="minor", labelsize=6)  # within a decade they have labels too
    axes.legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def bars(summaries: Sequence[ModelSummary], panels: Sequence[tuple[str, Callable[[ModelSummary], float]]]) -> Figure:
    """One logarithmic panel of bars per quantity, the value on each bar."""
    figure, axes = new_figure(3.2 * len(panels), 0.8 + 0.33 * len(summaries) + 1, len(panels))
    for index, (label, of) in enumerate(panels):
        values = [of(summary) for summary in summaries]
        drawn = axes[index].barh(range(len(summaries)), values, color="lightgrey", edgecolor="black", lw=0.5)
        axes[index].bar_label(
            drawn, [f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" for value in values], fontsize=7, padding=2
        )
        axes[index].set_yticks(range(len(summaries)), [summary.name for summary in summaries], fontsize=7)
        axes[index].invert_yaxis()
        axes[index].set_xlabel(label, fontsize=8)
        axes[index].set_xscale("log")
        axes[index].margins(x=0.25)
    return figure


def reliability(predictions: Predictions, title: str, bins: int = 15) -> Figure:
    """Accuracy against confidence, bin by bin; perfectly calibrated is the diagonal."""
    confidence, called = predictions.probabilities.max(1)
    right = (called == predictions.targets).double().numpy()
    sure = confidence.double().numpy()
    edges = np.linspace(0, 1, bins + 1)
    at = np.clip(np.digitize(sure, edges) - 1, 0, bins - 1)
    means = [right[at == index].mean() if (at == index).any() else np.nan for index in range(bins)]
    figure, (axes,) = new_figure(4.5, 4.2, 1)
    axes.bar((edges[:-1] + edges[1:]) / 2, means, 1 / bins, color="lightgrey", edgecolor="black", lw=0.5)
    axes.plot([0, 1], [0, 1], color="black", lw=0.8, linestyle=":")
    axes.set(title=title, xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    return figure


def _logged(name: str) -> Callable[[EpochRecord], float]:
    return lambda record: record.extra[name]


def _bands(axes: Axes, curves: Sequence[Curves], of: Callable[[EpochRecord], float], unit: str) -> None:
    """A line per model, its mean over the seeds, shaded from the lowest to the highest."""
    for index, (item, colour) in enumerate(zip(curves, shades(len(curves)), strict=True)):
        length = max(len(history) for history in item.histories)
        values = np.full((len(item.histories), length), np.nan)
        for row, history in enumerate(item.histories):
            values[row, : len(history)] = [of(record) for record in history]
        epochs = np.arange(1, length + 1)
        mean, low, high = (reduced(values, axis=0) for reduced in (np.nanmean, np.nanmin, np.nanmax))
        spots = np.unique(np.linspace(0, length - 1, min(length, _SPOTS)).astype(int))
        marker = MARKERS[index % len(MARKERS)]
        look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4}
        dash = DASHES[index % len(DASHES)]
        axes.plot(epochs, mean, linestyle=dash, label=item.label, lw=1.2, markevery=list(spots), **look)
        if len(values) > 1:
            axes.fill_between(epochs, low, high, color=colour, alpha=0.15, lw=0)
        for at in spots:
            (spot,) = axes.plot(epochs[at], mean[at], **look)
            spread = f" ({low[at]:.4g} .. {high[at]:.4g} over the seeds)" if len(values) > 1 else ""
            hover(spot, f"{item.label}, epoch {epochs[at]}: {mean[at]:.4g} {unit}".rstrip() + spread)
