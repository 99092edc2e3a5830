"""What too little overlap costs: accuracy and memory access of a trained network cut into tiles (system S4)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from energysim.errors import EnergySimError
from energysim.nn import MemoryOptimizedConv2d
from energysim.nn.zoo.memory_optimized import optimized
from energysim.train.evaluate import Predictions, accuracy_and_loss, predict


class OverlapError(EnergySimError):
    """A network without convolutions to tile."""


@dataclass(frozen=True)
class OverlapPoint:
    """``tile``: rows and columns of every ofmap tile (None: the planes are not cut). ``overlap``: ifmap rows that
    neighbouring tiles share (None: all that the window needs, exact); a layer that needs fewer shares fewer.

    ``changed``: share of the images whose answer is another than the uncut network's; ``deviation``: largest difference
    of a logit, relative to the largest logit. ``words``: what the convolutions move between DRAM and chip for one
    image: weights once, every ifmap tile with its halo, every ofmap.
    """

    tile: int | None
    overlap: int | None
    top1: float
    changed: float
    deviation: float
    words: int


def overlap_study(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    image_shape: tuple[int, ...],
    tiles: Sequence[int],
    overlaps: Sequence[int] | None = None,
) -> Iterator[OverlapPoint]:
    """The uncut network, then every tile size exact and with every overlap (0 up to what the windows need, by default).

    ``model`` stays as it is; its convolutions are cut with the weights that it was trained with. ``batches``: images to
    evaluate on. Raises OverlapError where nothing can be tiled.
    """
    held = list(batches)
    needed = max((max(layer.needed_overlap) for layer in _cut(model, 1, None)[1]), default=0)
    chosen = tuple(range(needed)) if overlaps is None else tuple(overlaps)
    uncut = predict(model, held)
    for tile, overlap in [(None, None), *((tile, share) for tile in tiles for share in (None, *chosen))]:
        network, layers = _cut(model, tile or max(image_shape[1:]), overlap)
        found = uncut if tile is None else predict(network, held)
        yield _point(tile, overlap, found, uncut, _words(network, layers, image_shape))


def _point(tile: int | None, overlap: int | None, found: Predictions, uncut: Predictions, words: int) -> OverlapPoint:
    top1, _ = accuracy_and_loss(found)
    changed = (found.logits.argmax(1) != uncut.logits.argmax(1)).double().mean()
    deviation = (found.logits - uncut.logits).abs().max() / uncut.logits.abs().max()
    return OverlapPoint(tile, overlap, top1, float(changed), float(deviation), words)


def _cut(model: nn.Module, tile: int, overlap: int | None) -> tuple[nn.Module, list[MemoryOptimizedConv2d]]:
    """A copy whose convolutions work on tiles, and these convolutions in the order of the modules."""
    network = copy.deepcopy(model)
    layers = []
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros":
            parent, _, child = name.rpartition(".")
            layer = optimized(module, tile, overlap=overlap)
            setattr(network.get_submodule(parent), child, layer)
            layers.append(layer)
    if not layers:
        raise OverlapError(f"{type(model).__name__} has no convolution to cut into tiles")
    return network, layers


def _words(network: nn.Module, layers: Sequence[MemoryOptimizedConv2d], image_shape: tuple[int, ...]) -> int:
    """Words of one image through all convolutions; one that runs twice counts twice, but for its weights."""
    total = sum(layer.weight.numel() for layer in layers)

    def add(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        nonlocal total
        assert isinstance(module, MemoryOptimizedConv2d)
        traffic = module.traffic(inputs[0].shape[-2], inputs[0].shape[-1])
        total += traffic.ifmap_words + traffic.ofmap_words

    handles = [layer.register_forward_pre_hook(add) for layer in layers]
    device = next(network.parameters()).device
    with torch.no_grad():
        network(torch.zeros(1, *image_shape, device=device))
    for handle in handles:
        handle.remove()
    return total
