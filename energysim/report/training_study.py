"""All figures of a set of finished runs, by file name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from energysim.report import training_figures as draw
from energysim.train.data import Data
from energysim.train.evaluate import Predictions, predict
from energysim.train.explain import features, grad_cam, on_a_plane, parameter_shares, roc_curves, weights_of
from energysim.train.models import Trained
from energysim.train.runs import Group, summarize_group
from energysim.train.summary import ModelSummary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TSNE_IMAGES = 1000
_CAM_IMAGES = 8
_BATCH = 256


def figures_of(groups: Sequence[Group], data: Data, arch: str | None) -> Iterator[tuple[str, Figure]]:
    """(file name without suffix, figure), one after the other; pictures of single models are of the first seed's."""
    yield from _over_epochs(groups)
    per_class = [(group.label, group.results[0].test.per_class) for group in groups]
    yield "per_class_accuracy", draw.per_class_accuracy(per_class, data.classes)
    yield from _costs(groups, arch)
    for group in groups:
        yield from _of_one(group, data)


def _over_epochs(groups: Sequence[Group]) -> Iterator[tuple[str, Figure]]:
    curves = [draw.Curves(group.label, tuple(result.history for result in group.results)) for group in groups]
    yield "training_curves", draw.training_curves(curves)
    yield "loss_convergence", draw.loss_curves(curves)
    for name, figure in draw.logged_values(curves).items():
        yield f"logged_{file_name(name)}", figure


def _costs(groups: Sequence[Group], arch: str | None) -> Iterator[tuple[str, Figure]]:
    summaries = [summarize_group(group, arch, timed=True) for group in groups]
    yield "accuracy_parameters", draw.accuracy_against(summaries, lambda s: float(s.parameters), "parameters")
    panels: list[tuple[str, Callable[[ModelSummary], float]]] = [
        ("parameters", lambda s: float(s.parameters)),
        ("size (MB, float32)", lambda s: s.model_bytes / 1e6),
    ]
    if arch is not None:
        panels.append(("MACs (millions)", lambda s: _cost(s, "macs") / 1e6))
    yield "architecture_comparison", draw.bars(summaries, panels)
    times: list[tuple[str, Callable[[ModelSummary], float]]] = [
        ("inference, this CPU, batch 1 (ms)", lambda s: 1e3 * (s.inference_s or float("nan")))
    ]
    if arch is not None:
        times.append((f"predicted on {arch} (ms)", lambda s: 1e3 * _cost(s, "latency_s")))
    yield "inference_time", draw.bars(summaries, times)
    if arch is not None:
        energy = f"energy per inference on {arch} (uJ)"
        yield "accuracy_energy", draw.accuracy_against(summaries, lambda s: _cost(s, "energy_pj") / 1e6, energy)
        efficiency: list[tuple[str, Callable[[ModelSummary], float]]] = [
            (energy, lambda s: _cost(s, "energy_pj") / 1e6),
            ("points of top-1 per million MACs", lambda s: s.points_per_mmac or float("nan")),
        ]
        yield "energy_efficiency", draw.bars(summaries, efficiency)


def _cost(summary: ModelSummary, name: str) -> float:
    return float("nan") if summary.cost is None else float(getattr(summary.cost, name))


def _of_one(group: Group, data: Data) -> Iterator[tuple[str, Figure]]:
    trained = group.trained()
    name, first = file_name(group.label), group.results[0]
    predictions = predict(trained.model, data.batches("test", _BATCH))
    title = f"{group.label}, {data.name} (seed {first.seed})"
    yield f"{name}_confusion", draw.confusion_matrix(first.test.confusion, data.classes, title)
    yield f"{name}_roc", draw.roc(roc_curves(predictions, data.classes), title)
    yield f"{name}_reliability", draw.reliability(predictions, title)
    yield (
        f"{name}_parameters",
        draw.parameter_distribution(parameter_shares(trained.model), weights_of(trained.model), title),
    )
    yield from _pictures(trained, data, predictions, name, title)


def _pictures(
    trained: Trained, data: Data, predictions: Predictions, name: str, title: str
) -> Iterator[tuple[str, Figure]]:
    some = data.limited(_TSNE_IMAGES)
    found = [(features(trained.model, images), labels) for images, labels in some.batches("test", _BATCH)]
    points, labels = torch.cat([part for part, _ in found]), torch.cat([part for _, part in found])
    yield f"{name}_tsne", draw.feature_plane(on_a_plane(points), labels.numpy(), data.classes, title)
    if not any(isinstance(module, torch.nn.Conv2d) for module in trained.model.modules()):
        return
    images, truth = next(iter(data.limited(_CAM_IMAGES).batches("test", _CAM_IMAGES)))
    called = predictions.logits[: len(images)].argmax(1)
    maps = grad_cam(trained.model, images, called)
    shown = images * torch.tensor(data.std).view(1, 3, 1, 1) + torch.tensor(data.mean).view(1, 3, 1, 1)
    captions = [
        data.classes[yes] if yes == guess else f"{data.classes[yes]}, called {data.classes[guess]}"
        for yes, guess in zip(truth.tolist(), called.tolist(), strict=True)
    ]
    pixels = shown.clamp(0, 1).permute(0, 2, 3, 1).numpy()
    yield f"{name}_gradcam", draw.grad_cam_grid(pixels, maps.numpy(), captions, title)


def file_name(label: str) -> str:
    """A label as a part of a file's name."""
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in label)
