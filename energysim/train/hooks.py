"""What may take part in a training run: pruning, quantization, distillation, energy logging."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from energysim.train.recipe import Recipe


@dataclass(frozen=True)
class EpochRecord:
    """One line of a run's log. ``epoch`` from 1; ``loss`` as trained on (augmented, mixed); accuracies in 0..1;
    ``extra`` is what hooks add; ``seconds`` counts training and validation."""

    epoch: int
    stage: str
    lr: float
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float
    extra: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.columns()}
        return {**plain, **self.extra}

    @staticmethod
    def columns() -> tuple[str, ...]:
        return (
            "epoch",
            "stage",
            "lr",
            "loss",
            "accuracy",
            "validation_loss",
            "validation_accuracy",
            "seconds",
        )


@dataclass
class TrainState:
    """What a hook sees. ``model`` is the bare module (not wrapped for devices); ``epoch`` counts from 0."""

    model: nn.Module
    recipe: Recipe
    seed: int
    epoch: int = 0
    history: list[EpochRecord] = field(default_factory=list)


class Hook:
    """Base of hooks; every method may be left as it is.

    Hooks run in the given order, on every process of a distributed run, so they must be deterministic; the loop has
    seeded torch for the epoch (the step) before it calls them. ``state_dict`` holds tensors and plain values and lands
    in the checkpoint.
    """

    name = "hook"

    def prepare(self, model: nn.Module, saved: dict[str, Any] | None) -> nn.Module:
        """The model to train, before the optimizer sees it: once per process start. ``saved`` is this hook's
        ``state_dict`` when the run resumes: then the model must get the *structure* that it had; its weights follow."""
        return model

    @classmethod
    def rebuilt(cls, model: nn.Module, saved: dict[str, Any]) -> nn.Module:
        """For `evaluate` and `compare`: a fresh model with the structure that a run with this hook left behind, from
        the hook's ``state_dict`` in the checkpoint; weights follow. Found by its class: hooks live in energysim."""
        return model

    def loss(self, images: Tensor, logits: Tensor, targets: Tensor, loss: Tensor, state: TrainState) -> Tensor:
        """The loss to minimize, from the recipe's ``loss`` (a scalar). ``images`` [N, C, H, W], ``targets`` [N] class
        numbers or [N, classes] shares."""
        return loss

    def on_step_end(self, state: TrainState) -> None:
        """After every update of the weights (to hold pruned weights at zero, for example)."""

    def on_epoch_end(self, state: TrainState, record: EpochRecord) -> dict[str, float]:
        """After an epoch and its validation; what it returns is logged with the epoch. Assigning another module to
        ``state.model`` (after structured pruning) makes the loop go on with that one and a fresh optimizer state."""
        return {}

    def finish(self, state: TrainState) -> None:
        """After the last epoch, on the weights that are kept, before they are tested."""

    def state_dict(self) -> dict[str, Any]:
        return {}
