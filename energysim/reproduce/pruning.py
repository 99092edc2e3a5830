"""Claims about the compute that pruning saves: the network's channels go as in a training run, nothing is trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import torch
from torch import nn

from energysim.reproduce.check import Check, Claimed, Context
from energysim.reproduce.evidence import Evidence, Sample, compared
from energysim.reproduce.printed import parse_printed
from energysim.train.experiment import load_recipe
from energysim.train.prune import prune_channels, pruning_times
from energysim.workload import resolve_workload

_RATIOS = (0.1, 0.15, 0.2, 0.3, 0.5)
_QUICK_RATIOS = (0.1, 0.3)
_SINGLE_PRUNINGS = 8  # halvings of an interval of shares: to better than half a percent


class PrunedCompute(Check):
    """Percent of the MACs that pruning saves, by the share of channels that is gone at the end: of an inference of the
    final network, and of the whole training run, in which the network shrinks every ``every`` epochs."""

    kind: Literal["pruned compute"]
    workload: str
    recipe: str
    every: int

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        printed = parse_printed(claimed.text)
        epochs = load_recipe(self.recipe).total_epochs
        inference: list[Sample] = []
        training: list[Sample] = []
        for ratio in _QUICK_RATIOS if context.quick else _RATIOS:
            share = f"{ratio:.0%} of the channels go"
            stages = pruning_stages(self.workload, ratio, epochs, self.every)
            whole, last = stages[0], stages[-1]
            spent = sum(part.epochs * part.training_macs for part in stages)
            saved = 100 * (1 - last.inference_macs / whole.inference_macs)
            saved_in_run = 100 * (1 - spent / (epochs * whole.training_macs))
            inference.append(compared(printed, saved, claimed.unit, ("inference of the final network", share)))
            training.append(compared(printed, saved_in_run, claimed.unit, ("the whole training run", share)))
        reasons = (f"{self.workload}, {epochs} epochs, pruned every {self.every}",)
        return Evidence((*training, *inference), reasons)


class Stage:
    """A part of a training run with one structure: MACs of an inference, and of a training step per image."""

    def __init__(self, model: nn.Module, image_shape: tuple[int, ...], epochs: int) -> None:
        self.epochs = epochs
        self.inference_macs, self.training_macs = executed_macs(model, image_shape)


@lru_cache(maxsize=32)
def pruning_stages(workload: str, ratio: float, epochs: int, every: int) -> tuple[Stage, ...]:
    """The structures of a run that prunes every so many epochs, as `StructuredPruning` does."""
    return tuple(_stages(workload, ratio, epochs, every))


def _stages(workload: str, ratio: float, epochs: int, every: int) -> Iterator[Stage]:
    found = resolve_workload(workload)
    model, shape = found.model().eval(), found.input_shapes[0][1:]
    times = pruning_times(epochs, every)
    for number in range(times + 1):
        if number:
            model = prune_channels(model, shape, 1 - (1 - ratio) ** (1 / times))
        yield Stage(model, shape, every if number < times else epochs - times * every)


@lru_cache(maxsize=8)
def channels_for(workload: str, percent: float) -> float:
    """Share of channels, by bisection, whose pruning takes so many percent of an inference's MACs."""
    found = resolve_workload(workload)
    model, shape = found.model().eval(), found.input_shapes[0][1:]
    whole = executed_macs(model, shape)[0]
    low, high = 0.0, 1.0
    for _ in range(_SINGLE_PRUNINGS):
        middle = (low + high) / 2
        left = executed_macs(prune_channels(model, shape, middle), shape)[0]
        low, high = (middle, high) if left > (1 - percent / 100) * whole else (low, middle)
    return (low + high) / 2


def executed_macs(model: nn.Module, image_shape: tuple[int, ...]) -> tuple[int, int]:
    """(MACs of an inference, of a training step) of one image, counted by PyTorch as it would run them (on its device
    ``meta``, which computes shapes only)."""
    from torch.utils.flop_counter import FlopCounterMode

    image, trained = torch.zeros(1, *image_shape, device="meta"), copy.deepcopy(model).to("meta")
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        trained(image)
    with FlopCounterMode(display=False) as both:
        trained(image).sum().backward()
    return forward.get_total_flops() // 2, both.get_total_flops() // 2
