"""Claims about the energy of training, simulated: no run is needed to know what a step costs."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from torch import nn

from energysim.nn.zoo import cifar_resnet
from energysim.nn.zoo.feedforward import ffnn
from energysim.reproduce.check import Check, Claimed, Context
from energysim.reproduce.evidence import Evidence, Judgement, Sample
from energysim.reproduce.ledger import Verdict
from energysim.reproduce.printed import shown
from energysim.train.training_energy import Cost, training_cost
from energysim.workload import workload_of

_CLASSES, _SHAPE = 10, "3x32x32"
_IN_FEATURES = 3 * 32 * 32


class TrainingOrder(Check):
    """Energy of training: feed-forward above ResNet above pruned ResNet, by the sizes of both networks."""

    kind: Literal["training energy order"]
    arch: str
    batch: int
    optimizer: str
    resnets: tuple[tuple[int, int], ...]
    hidden: tuple[tuple[int, int], ...]
    pruned: float

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        samples = []
        resnets = self.resnets[-1:] if context.quick else self.resnets
        hidden = self.hidden[:1] if context.quick else self.hidden
        for depth, width in resnets:
            whole, left = self._step(depth, width, 0.0), self._step(depth, width, self.pruned)
            for first, second in hidden:
                forward = step_cost("ffnn", first, second, 0.0, self.arch, self.batch, self.optimizer).energy_j
                text = f"{_mj(forward)}, {_mj(whole)}, {_mj(left)}"
                where = (f"ResNet-{depth} of width {width}", f"feed-forward 3072-{first}-{second}-{_CLASSES}")
                holds = forward > whole > left
                samples.append(Sample(where, text, holds, whole / forward, forward / whole))
        reason = (
            f"mJ per step of {self.batch} images on {self.arch}: feed-forward, ResNet, ResNet with {self.pruned:.0%} "
            "of its channels gone",
            "a feed-forward network has a MAC per weight and image, a convolution one per weight and pixel",
        )
        return Evidence(tuple(samples), reason)

    def _step(self, depth: int, width: int, pruned: float) -> float:
        return step_cost("resnet", depth, width, pruned, self.arch, self.batch, self.optimizer).energy_j


class ShortcutEnergy(Check):
    """Whether shortcuts cost less energy: their step costs more, so it depends on how many epochs they save."""

    kind: Literal["shortcut energy"]
    arch: str
    batch: int
    optimizer: str
    depth: int
    width: int

    def judge(self, claimed: Claimed, context: Context) -> Judgement:
        size = (self.depth, self.width, 0.0, self.arch, self.batch, self.optimizer)
        with_them, without = step_cost("resnet", *size).energy_j, step_cost("plain", *size).energy_j
        ratio = with_them / without
        computed = f"{_mj(with_them)} per step with, {_mj(without)} without"
        reason = f"a step of ResNet-{self.depth} of width {self.width} costs {100 * (ratio - 1):.1f} % more with them"
        if ratio <= 1:
            return Judgement(computed, Verdict.REPRODUCED, (), f"a step costs {100 * (1 - ratio):.1f} % less with them")
        condition = f"training with shortcuts takes at most {100 / ratio:.1f} % of the epochs"
        return Judgement(computed, Verdict.ONLY_IF, (condition,), reason)


def _mj(joules: float) -> str:
    return f"{shown(joules * 1e3)} mJ"


@lru_cache(maxsize=64)
def step_cost(kind: str, first: int, second: int, pruned: float, arch: str, batch: int, optimizer: str) -> Cost:
    """One training step of a ResNet (``resnet``; ``plain``: without shortcuts) of a depth and width, or of a
    feed-forward network (``ffnn``) of two hidden layers; ``pruned``: share of the channels that is gone."""
    model: nn.Module = (
        ffnn(_CLASSES, _IN_FEATURES, (first, second))
        if kind == "ffnn"
        else cifar_resnet(first, second, shortcut=kind != "plain", num_classes=_CLASSES)
    )
    if pruned:
        from energysim.train.prune import prune_channels

        model = prune_channels(model, (3, 32, 32), pruned)
    workload = workload_of(model, f"1x{_SHAPE}", batch)
    return training_cost(workload, arch, batch=batch, optimizer=optimizer).total
