"""What a trained model reaches: top-1, top-5, per class, confusion matrix, calibration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from energysim.train.extras import require

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Metrics:
    """Shares are in 0..1. ``per_class``: recall of each class (None for a class without images); ``confusion[i][j]``:
    images of class i that were called j; ``calibration_error``: expected calibration error with 15 bins (Guo et al.,
    2017); ``temperature``: what the logits were divided by before. ``top5`` is None below six classes."""

    images: int
    loss: float
    top1: float
    top5: float | None
    per_class: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration_error: float
    temperature: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Metrics:
        rows = {"per_class": tuple(plain["per_class"]), "confusion": tuple(tuple(row) for row in plain["confusion"])}
        return cls(**{**plain, **rows})


@dataclass(frozen=True, eq=False)
class Predictions:
    """``logits`` [N, classes] float32 and ``targets`` [N], on the CPU."""

    logits: Tensor
    targets: Tensor

    @property
    def probabilities(self) -> Tensor:
        return self.logits.softmax(1)


def predict(model: nn.Module, loader: Iterable[tuple[Tensor, Tensor]]) -> Predictions:
    """The model's logits on every image of the loader, in evaluation mode (its mode before is restored)."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    logits, targets = [], []
    try:
        with torch.inference_mode():
            for images, labels in loader:
                logits.append(model(images.to(device)).float().cpu())
                targets.append(labels)
    finally:
        model.train(was_training)
    return Predictions(torch.cat(logits), torch.cat(targets))


def accuracy_and_loss(predictions: Predictions) -> tuple[float, float]:
    """Top-1 share and mean cross-entropy (nats)."""
    right = (predictions.logits.argmax(1) == predictions.targets).double().mean()
    return float(right), float(F.cross_entropy(predictions.logits.double(), predictions.targets))


def metrics_of(predictions: Predictions, temperature: float = 1.0) -> Metrics:
    """All metrics of logits divided by ``temperature``. Raises UnavailableError without torchmetrics."""
    functional = require("torchmetrics.functional.classification", "evaluating a model")
    logits, targets = predictions.logits / temperature, predictions.targets
    classes = logits.shape[1]
    confusion = functional.multiclass_confusion_matrix(logits, targets, num_classes=classes)
    top1, loss = accuracy_and_loss(Predictions(logits, targets))
    counts, right = confusion.sum(1).tolist(), confusion.diagonal().tolist()
    calibration = functional.multiclass_calibration_error(
        logits.softmax(1), targets, num_classes=classes, n_bins=CALIBRATION_BINS
    )
    top5 = None
    if classes > 5:
        best = logits.topk(5, dim=1).indices
        top5 = float((best == targets.unsqueeze(1)).any(1).double().mean())
    return Metrics(
        images=len(targets),
        loss=loss,
        top1=top1,
        top5=top5,
        per_class=tuple(hit / count if count else None for hit, count in zip(right, counts, strict=True)),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        calibration_error=float(calibration),
        temperature=temperature,
    )


def evaluate(model: nn.Module, loader: Iterable[tuple[Tensor, Tensor]]) -> Metrics:
    """All metrics of a model on a loader's images."""
    return metrics_of(predict(model, loader))


def averaged(parts: Sequence[Predictions]) -> Predictions:
    """Test-time augmentation: the log of the mean probability over several views of the same images."""
    mean = torch.stack([part.probabilities for part in parts]).mean(0)
    return Predictions(mean.clamp_min(torch.finfo(mean.dtype).tiny).log(), parts[0].targets)


def fit_temperature(validation: Predictions) -> float:
    """The temperature that minimizes the cross-entropy on validation images (temperature scaling, Guo et al., 2017)."""
    logits, targets = validation.logits.double(), validation.targets
    low, high = -3.0, 3.0  # of the logarithm; the loss has one minimum in 1 / temperature
    golden = (5**0.5 - 1) / 2

    def loss(log_temperature: float) -> float:
        return float(F.cross_entropy(logits / torch.tensor(log_temperature).double().exp(), targets))

    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-4:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(right)
    return float(torch.tensor((low + high) / 2).double().exp())
