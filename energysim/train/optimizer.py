"""Optimizers and learning rates: the rate is a function of the step, so that nothing about it needs to be stored."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from energysim.train.recipe import Optimizer, Schedule, Stage

# One-cycle: L. Smith, "Super-Convergence" (2018), with the shape that fast.ai and PyTorch made common.
_CYCLE_RISE = 0.3
_CYCLE_START = 25.0
_CYCLE_END = 1e4
_CYCLE_MOMENTUM = (0.95, 0.85)


@dataclass(frozen=True, slots=True)
class Rate:
    """Learning rate of a step, and SGD's momentum (Adam's first beta) where the schedule moves it."""

    lr: float
    momentum: float | None = None


def rate_at(stage: Stage, step: int, steps_per_epoch: int) -> Rate:
    """The rate of step ``step`` (from 0) of a stage."""
    schedule, peak = stage.schedule, stage.optimizer.lr
    steps = stage.epochs * steps_per_epoch
    match schedule.name:
        case "one_cycle":
            return _one_cycle(peak, step, steps)
        case "cosine":
            return Rate(_cosine(schedule, peak, step, steps, steps_per_epoch))
        case "cosine_restarts":
            return Rate(_restarted(schedule, peak, step, stage.epochs, steps_per_epoch))
        case "exponential":
            return Rate(max(schedule.min_lr, peak * schedule.decay ** (step // steps_per_epoch)))
        case "step":
            return Rate(max(schedule.min_lr, peak * schedule.decay ** (step // steps_per_epoch // schedule.every)))
    return Rate(peak)


def _cosine(schedule: Schedule, peak: float, step: int, steps: int, steps_per_epoch: int) -> float:
    warmup = round(schedule.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return peak * (step + 1) / warmup
    return _between(peak, schedule.min_lr, (step - warmup) / max(1, steps - warmup))


def _restarted(schedule: Schedule, peak: float, step: int, epochs: int, steps_per_epoch: int) -> float:
    ends = [end * steps_per_epoch for end in schedule.cycle_ends(epochs)]
    cycle = bisect_right(ends[:-1], step)
    begin = ends[cycle - 1] if cycle else 0
    return _between(peak, schedule.min_lr, (step - begin) / (ends[cycle] - begin))


def _one_cycle(peak: float, step: int, steps: int) -> Rate:
    rise = max(1.0, _CYCLE_RISE * steps)
    high, low = _CYCLE_MOMENTUM
    if step < rise:
        share = step / rise
        return Rate(_between(peak / _CYCLE_START, peak, share), _between(high, low, share))
    share = (step - rise) / max(1.0, steps - 1 - rise)
    return Rate(_between(peak, peak / _CYCLE_START / _CYCLE_END, share), _between(low, high, share))


def _between(start: float, end: float, share: float) -> float:
    """Half a cosine from ``start`` (share 0) to ``end`` (share 1)."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2


def make_optimizer(spec: Optimizer, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    if spec.name == "sgd":
        return torch.optim.SGD(
            parameters, lr=spec.lr, momentum=spec.momentum, weight_decay=spec.weight_decay, nesterov=spec.nesterov
        )
    kind = torch.optim.Adam if spec.name == "adam" else torch.optim.AdamW
    return kind(parameters, lr=spec.lr, betas=spec.betas, weight_decay=spec.weight_decay)


def set_rate(optimizer: torch.optim.Optimizer, rate: Rate) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate.lr
        if rate.momentum is not None and "betas" in group:
            group["betas"] = (rate.momentum, group["betas"][1])
        elif rate.momentum is not None:
            group["momentum"] = rate.momentum


def climb(model: nn.Module, rho: float) -> list[tuple[nn.Parameter, Tensor]]:
    """Sharpness-aware minimization's first half (Foret et al., 2021): the weights move ``rho`` along the gradient.

    Returns the moves, to be taken back by ``descend`` once the gradient there is known; the gradients are cleared.
    """
    learning = [parameter for parameter in model.parameters() if parameter.grad is not None]
    gradients = [parameter.grad for parameter in learning if parameter.grad is not None]
    if not gradients:
        return []
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]))
    scale = rho / (norm + 1e-12)
    moves = []
    with torch.no_grad():
        for parameter, gradient in zip(learning, gradients, strict=True):
            move = gradient * scale
            parameter.add_(move)
            moves.append((parameter, move))
            parameter.grad = None
    return moves


def descend(moves: list[tuple[nn.Parameter, Tensor]]) -> None:
    """Take the moves of ``climb`` back."""
    with torch.no_grad():
        for parameter, move in moves:
            parameter.sub_(move)


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """BatchNorm's running statistics stay as they are within: a second pass over a batch must not count it twice."""
    layers = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    before = [(layer, layer.momentum) for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in before:
            layer.momentum = momentum
