"""The model under training and what updates its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, update_bn

from energysim.train.hooks import TrainState
from energysim.train.optimizer import Rate, climb, descend, frozen_statistics, make_optimizer, set_rate
from energysim.train.randomness import seed_of
from energysim.train.recipe import Stage
from energysim.train.run import Run


@dataclass
class Learner:
    """``wrapped``: the state's model under Fabric (devices, precision); ``average``: the weights averaged so far."""

    run: Run
    state: TrainState
    stage: Stage
    wrapped: Any
    optimizer: Any
    average: AveragedModel | None

    @property
    def lr(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def update(self, images: Tensor, targets: Tensor, rate: Rate) -> tuple[Tensor, Tensor]:
        """One step on images [N, C, H, W] and labels [N] or shares [N, classes]; logits and loss before it."""
        recipe, model = self.run.recipe, self.state.model
        set_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        logits, loss = self._backward(images, targets)
        if recipe.sam_rho:
            moves = climb(model, recipe.sam_rho)
            with frozen_statistics(model):
                self._backward(images, targets)
            descend(moves)
        if recipe.gradient_clip:
            self.run.fabric.clip_gradients(self.wrapped, self.optimizer, max_norm=recipe.gradient_clip)
        self.optimizer.step()
        for hook in self.run.hooks:
            hook.on_step_end(self.state)
        return logits.detach(), loss.detach()

    def _backward(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = self.wrapped(images)
        loss = F.cross_entropy(logits.float(), targets, label_smoothing=self.run.recipe.label_smoothing)
        for hook in self.run.hooks:
            loss = hook.loss(images, logits, targets, loss, self.state)
        self.run.fabric.backward(loss)
        return logits, loss

    def take_average(self, average: AveragedModel, epoch: int) -> None:
        """The model gets the averaged weights, with BatchNorm's statistics taken anew on the training images."""
        run, model = self.run, self.state.model
        model.load_state_dict(average.module.state_dict())
        torch.manual_seed(seed_of(run.seed, "average"))
        batches = run.data.training_batches(run.batch, run.seed, epoch)
        update_bn(batches, model, device=next(model.parameters()).device)

    def saved(self) -> dict[str, Any]:
        """For a checkpoint; ``restore`` takes it back."""
        return {
            "stage": self.stage.name,
            "optimizer": self.optimizer.state_dict(),
            "precision": self.run.fabric.strategy.precision.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        if saved["stage"] == self.stage.name:
            self.optimizer.load_state_dict(saved["optimizer"])
        self.run.fabric.strategy.precision.load_state_dict(saved["precision"])
        if self.average is not None:
            self.average.load_state_dict(saved["average"])


def make_learner(run: Run, state: TrainState, stage: Stage, average: AveragedModel | None = None) -> Learner:
    """A learner with a fresh optimizer; ``average`` is gone on with."""
    wrapped, optimizer = run.fabric.setup(state.model, make_optimizer(stage.optimizer, state.model.parameters()))
    if average is None and run.recipe.weight_averaging is not None:
        average = AveragedModel(state.model)
    return Learner(run, state, stage, wrapped, optimizer, average)
