"""What a trained network sees: ROC curves, its features on a plane, and where it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from energysim.errors import EnergySimError
from energysim.train.evaluate import Predictions
from energysim.train.extras import require


@dataclass(frozen=True, eq=False)
class RocCurve:
    """One class against the others, or ("mean") the mean over classes of the true-positive rate at each false one."""

    label: str
    false_positive: np.ndarray[Any, Any]
    true_positive: np.ndarray[Any, Any]
    area: float


def roc_curves(predictions: Predictions, classes: tuple[str, ...]) -> tuple[RocCurve, ...]:
    """A curve per class that has images and is not the only one, then the mean. Raises UnavailableError."""
    metrics = require("sklearn.metrics", "ROC curves")
    probabilities, targets = predictions.probabilities.numpy(), predictions.targets.numpy()
    curves = []
    for label, name in enumerate(classes):
        positive = targets == label
        if positive.any() and not positive.all():
            false, true, _ = metrics.roc_curve(positive, probabilities[:, label])
            curves.append(RocCurve(name, false, true, float(metrics.auc(false, true))))
    grid = np.linspace(0, 1, 501)
    mean = np.mean([np.interp(grid, curve.false_positive, curve.true_positive) for curve in curves], axis=0)
    area = float(np.mean([curve.area for curve in curves]))
    return (*curves, RocCurve("mean", np.concatenate([[0.0], grid]), np.concatenate([[0.0], mean]), area))


def features(model: nn.Module, images: Tensor) -> Tensor:
    """What the last linear layer reads (or, without one, the logits), flattened: [N, features], on the CPU."""
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        with torch.no_grad():
            logits: Tensor = model(images)
        return logits.flatten(1).cpu()
    caught: list[Tensor] = []
    handle = linear[-1].register_forward_pre_hook(lambda _module, inputs: caught.append(inputs[0].detach()))
    try:
        with torch.no_grad():
            model(images)
    finally:
        handle.remove()
    return caught[-1].flatten(1).float().cpu()


def on_a_plane(points: Tensor, seed: int = 0) -> np.ndarray[Any, Any]:
    """t-SNE of [N, features] to [N, 2] (van der Maaten and Hinton, 2008; scikit-learn's)."""
    manifold = require("sklearn.manifold", "t-SNE")
    perplexity = min(30.0, max(2.0, (len(points) - 1) / 3))
    found: np.ndarray[Any, Any] = manifold.TSNE(
        n_components=2, perplexity=perplexity, random_state=seed, init="pca"
    ).fit_transform(points.numpy())
    return found


def last_convolution(model: nn.Module) -> nn.Conv2d:
    """The last convolution by definition order: one larger than 1x1 where there is one, and no gate of one channel.

    Raises EnergySimError where the network has none.
    """
    found = [module for module in model.modules() if isinstance(module, nn.Conv2d) and module.out_channels > 1]
    spatial = [module for module in found if module.kernel_size != (1, 1)]
    if not found:
        raise EnergySimError("Grad-CAM needs a convolution, and this network has none")
    return (spatial or found)[-1]


def grad_cam(model: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """Where the network looks for its answer (Selvaraju et al., 2017; captum's LayerGradCam): [N, H, W] in 0..1.

    At the last convolution larger than 1x1, enlarged to the images' size; ``classes`` [N] are what is explained.
    """
    attr = require("captum.attr", "Grad-CAM")
    was_inplace = [module for module in model.modules() if getattr(module, "inplace", False)]
    for module in was_inplace:
        setattr(module, "inplace", False)  # noqa: B010  captum's hooks need each layer's output to stay
    try:
        cam = attr.LayerGradCam(model, last_convolution(model))
        maps = cam.attribute(images, target=classes, relu_attributions=True)
    finally:
        for module in was_inplace:
            setattr(module, "inplace", True)  # noqa: B010
    large: Tensor = attr.LayerAttribution.interpolate(maps.detach(), tuple(images.shape[-2:]), "bilinear")[:, 0]
    highest = large.amax(dim=(1, 2), keepdim=True)
    return large / highest.clamp_min(torch.finfo(large.dtype).tiny)


def parameter_shares(model: nn.Module) -> tuple[tuple[str, int], ...]:
    """Parameters of every layer that has some, in definition order."""
    counted = [
        (name or type(module).__name__, sum(parameter.numel() for parameter in module.parameters(recurse=False)))
        for name, module in model.named_modules()
    ]
    return tuple((name, count) for name, count in counted if count)


def weights_of(model: nn.Module) -> np.ndarray[Any, Any]:
    """All weights of convolutions and linear layers, flat."""
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
    parts = [module.weight.detach().flatten().float().cpu() for module in model.modules() if isinstance(module, kinds)]
    flat: np.ndarray[Any, Any] = torch.cat(parts).numpy() if parts else np.zeros(0)
    return flat
