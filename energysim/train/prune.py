"""Pruning while training: whole channels, which makes the network smaller, or single weights, which makes it sparse."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from energysim.errors import EnergySimError
from energysim.train.extras import require
from energysim.train.hooks import EpochRecord, Hook, TrainState


class PruningError(EnergySimError):
    """A network cannot be pruned so, or a run has no room for it."""


def prune_channels(model: nn.Module, image_shape: tuple[int, ...], ratio: float) -> nn.Module:
    """A copy without the share ``ratio`` of the channels of every layer, those of smallest magnitude (L1).

    What depends on a channel goes with it: BatchNorm's entries, the next layer's inputs, the same channel of what it is
    added to (torch-pruning's dependency graph). The layer that makes the logits keeps its outputs. ``image_shape``
    [C, H, W]. Raises PruningError where the network's structure cannot be followed, UnavailableError without
    torch-pruning.
    """
    library = require("torch_pruning", "structured pruning")
    pruned = copy.deepcopy(model)
    weight = next(pruned.parameters())
    example = torch.zeros(1, *image_shape, device=weight.device)
    training = {module: module.training for module in pruned.modules()}
    pruned.eval()
    try:
        pruner = library.pruner.BasePruner(
            pruned,
            example,
            importance=library.importance.MagnitudeImportance(p=1),
            pruning_ratio=ratio,
            ignored_layers=[_last_layer(pruned, example)],
        )
        pruner.step()
        with torch.no_grad():
            pruned(example)
    except Exception as error:  # whatever it stumbles over in a network that it does not understand
        raise PruningError(f"{type(model).__name__} cannot be pruned by channels: {error}") from error
    for module, mode in training.items():
        module.training = mode
    return pruned


def _last_layer(model: nn.Module, example: Tensor) -> nn.Module:
    """The convolution or linear layer that runs last."""
    ran: list[nn.Module] = []
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(lambda module, _in, _out: ran.append(module)) for layer in layers]
    with torch.no_grad():
        model(example)
    for handle in handles:
        handle.remove()
    return ran[-1]


def structure_of(model: nn.Module) -> dict[str, Any]:
    """What ``with_structure`` needs: the shape of every tensor, and the groups of every convolution."""
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    groups = {name: module.groups for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}
    return {"shapes": shapes, "groups": groups}


def with_structure(model: nn.Module, structure: dict[str, Any]) -> nn.Module:
    """The model (changed in place) with layers of the given sizes; their weights have no meaning yet."""
    for name, module in model.named_modules():
        for key, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            shape = structure["shapes"][f"{name}.{key}" if name else key]
            if list(tensor.shape) != shape:
                resized = torch.zeros(shape, dtype=tensor.dtype, device=tensor.device)
                is_weight = isinstance(tensor, nn.Parameter)
                setattr(module, key, nn.Parameter(resized, tensor.requires_grad) if is_weight else resized)
        if isinstance(module, nn.Conv2d):
            module.groups = structure["groups"][name]
            module.out_channels, module.in_channels = module.weight.shape[0], module.weight.shape[1] * module.groups
        elif isinstance(module, nn.Linear):
            module.out_features, module.in_features = module.weight.shape
        elif isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.num_features = len(module.running_mean)
    return model


class StructuredPruning(Hook):
    """Every ``every`` epochs channels go, equally many each time in relation, until the share ``ratio`` is gone.

    The last epochs are without pruning: the run trains what remains. Raises PruningError where the run ends before.
    """

    name = "structured pruning"

    def __init__(self, image_shape: tuple[int, ...], ratio: float = 0.5, every: int = 5) -> None:
        _check_share(ratio)
        self.image_shape, self.ratio, self.every = image_shape, ratio, every
        self._structure: dict[str, Any] = {}

    def prepare(self, model: nn.Module, saved: dict[str, Any] | None) -> nn.Module:
        if saved:
            model = self.rebuilt(model, saved)
        self._structure = structure_of(model)
        return model

    @classmethod
    def rebuilt(cls, model: nn.Module, saved: dict[str, Any]) -> nn.Module:
        return with_structure(model, saved)

    def on_epoch_end(self, state: TrainState, record: EpochRecord) -> dict[str, float]:
        times = pruning_times(state.recipe.total_epochs, self.every)
        if record.epoch % self.every == 0 and record.epoch < state.recipe.total_epochs:
            state.model = prune_channels(state.model, self.image_shape, 1 - (1 - self.ratio) ** (1 / times))
            self._structure = structure_of(state.model)
        return {"parameters": float(sum(parameter.numel() for parameter in state.model.parameters()))}

    def state_dict(self) -> dict[str, Any]:
        return self._structure


class MagnitudePruning(Hook):
    """Every ``every`` epochs the smallest weights of all convolutions and linear layers together become zero and stay
    so; the share grows in equal steps to ``sparsity``."""

    name = "magnitude pruning"

    def __init__(self, sparsity: float = 0.5, every: int = 5) -> None:
        _check_share(sparsity)
        self.sparsity, self.every = sparsity, every
        self._masks: dict[str, Tensor] = {}

    def prepare(self, model: nn.Module, saved: dict[str, Any] | None) -> nn.Module:
        self._masks = dict(saved["masks"]) if saved else {}
        return model

    def on_step_end(self, state: TrainState) -> None:
        with torch.no_grad():
            for name, mask in self._masks.items():
                weight = state.model.get_parameter(name)
                weight.mul_(mask.to(weight.device))

    def on_epoch_end(self, state: TrainState, record: EpochRecord) -> dict[str, float]:
        times = pruning_times(state.recipe.total_epochs, self.every)
        if record.epoch % self.every == 0 and record.epoch < state.recipe.total_epochs:
            # Another module, so that the loop forgets the best weights so far, which were less sparse.
            state.model = copy.deepcopy(state.model)
            self._masks = sparsify(state.model, self.sparsity * record.epoch / self.every / times)
        return {"sparsity": 1 - weight_density(state.model)}

    def state_dict(self) -> dict[str, Any]:
        return {"masks": self._masks}


def sparsify(model: nn.Module, sparsity: float) -> dict[str, Tensor]:
    """Set the share ``sparsity`` of all weights of convolutions and linear layers, the smallest, to zero; the masks."""
    weights = {f"{name}.weight" if name else "weight": module.weight for name, module in _weighted(model).items()}
    flat = torch.cat([weight.detach().flatten() for weight in weights.values()])
    method: Any = prune.L1Unstructured(amount=sparsity)
    kept = method.compute_mask(flat, torch.ones_like(flat)).bool()
    parts = kept.split([weight.numel() for weight in weights.values()])
    masks = {name: part.view_as(weight) for (name, weight), part in zip(weights.items(), parts, strict=True)}
    with torch.no_grad():
        for name, weight in weights.items():
            weight.mul_(masks[name])
    return masks


def weight_density(model: nn.Module) -> float:
    """Share of the weights of convolutions and linear layers that are not zero."""
    weights = [module.weight for module in _weighted(model).values()]
    nonzero, words = sum(int(weight.count_nonzero()) for weight in weights), sum(int(w.numel()) for w in weights)
    return nonzero / words


def pruning_times(epochs: int, every: int) -> int:
    """How often a run of so many epochs prunes. Raises PruningError where it never does."""
    times = (epochs - 1) // every
    if not times:
        hint = f"{every + 1} epochs or more, or pruning more often"
        raise PruningError(f"a run of {epochs} epochs ends before the first pruning, after {every}", hint=hint)
    return times


def _weighted(model: nn.Module) -> dict[str, Any]:
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise PruningError(f"a share of {share} cannot be pruned", hint="more than 0 and less than 1")
