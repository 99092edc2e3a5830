"""What a recipe sets in the model and the images, for a whole run or anew in every epoch."""

from __future__ import annotations

from torch import nn

from energysim.train.data import Data
from energysim.train.recipe import Recipe
from energysim.train.run import TrainingError


def set_dropout(model: nn.Module, recipe: Recipe, epoch: int) -> None:
    """The probability of every Dropout layer in an epoch (from 0), where the recipe has a schedule for it."""
    if recipe.dropout is None:
        return
    share = epoch / max(1, recipe.total_epochs - 1)
    probability = recipe.dropout.start + (recipe.dropout.end - recipe.dropout.start) * share
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = probability


def set_stochastic_depth(model: nn.Module, last: float) -> None:
    """How often each residual branch is dropped: branch l of L, in definition order, with l / L times ``last`` (the
    linear decay of Huang et al., 2016). 0 leaves the model as it is. Raises TrainingError for a model without branches
    that can be dropped."""
    if not last:
        return
    from torchvision.ops import StochasticDepth as TorchvisionsOwn

    from energysim.nn.zoo import StochasticDepth

    branches = [module for module in model.modules() if isinstance(module, StochasticDepth | TorchvisionsOwn)]
    if not branches:
        raise TrainingError(
            "stochastic_depth drops residual branches, and this model has none that can be dropped",
            hint="enhanced_cnn, the ResNets with shortcuts and efficientnet_b0_cifar have",
        )
    for count, branch in enumerate(branches, start=1):
        branch.p = last * count / len(branches)


def image_side(recipe: Recipe, data: Data, epoch: int) -> int | None:
    """Side of the training images under progressive resizing in an epoch (from 0), None for the full one."""
    half = recipe.total_epochs / 2
    if not recipe.resize or recipe.resize >= data.size or epoch >= half:
        return None
    return recipe.resize + round((data.size - recipe.resize) * epoch / half)
