"""MixUp and CutMix on a batch on its device."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from energysim.train.recipe import Recipe

Mixer = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def batch_mixer(recipe: Recipe, classes: int) -> Mixer:
    """What a recipe does to a batch: (images [N, C, H, W], labels [N]) to (images, labels or shares [N, classes]).

    torchvision's MixUp (Zhang et al., 2018) and CutMix (Yun et al., 2019); where both are on, one of them by chance.
    """
    from torchvision.transforms import v2

    mixers = []
    if recipe.mixup_alpha:
        mixers.append(v2.MixUp(alpha=recipe.mixup_alpha, num_classes=classes))
    if recipe.cutmix_alpha:
        mixers.append(v2.CutMix(alpha=recipe.cutmix_alpha, num_classes=classes))
    if not mixers:
        return lambda images, labels: (images, labels)
    mixer: Mixer = mixers[0] if len(mixers) == 1 else v2.RandomChoice(mixers)
    return mixer
