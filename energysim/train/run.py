"""What a run is made of: what never changes while it lasts, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from energysim.errors import EnergySimError
from energysim.train.checkpoint import CheckpointError, Found, RunFiles
from energysim.train.data import Data
from energysim.train.hooks import Hook
from energysim.train.recipe import Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class TrainingError(EnergySimError):
    """A run cannot go on: the loss is no number, or model, data and recipe do not fit."""


@dataclass(frozen=True)
class Run:
    """What does not change during a run."""

    recipe: Recipe
    data: Data
    files: RunFiles
    seed: int
    fabric: Fabric
    hooks: tuple[Hook, ...]
    about: dict[str, Any]

    @property
    def batch(self) -> int:
        """Images of a step: a set smaller than the recipe's batch is one batch."""
        return min(self.recipe.batch, len(self.data.train))

    @property
    def steps(self) -> int:
        return self.data.steps(self.batch, self.fabric.world_size)

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be gone on from."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "seed": self.seed,
            "data": [self.data.name, self.data.size, len(self.data.train)],
            "processes": self.fabric.world_size,
            "hooks": [hook.name for hook in self.hooks],
            "model": {key: self.about[key] for key in ("workload", "arguments") if key in self.about},
        }


@dataclass
class Place:
    """Where a run stands. ``epoch``, ``step`` count what is done; ``loss`` and ``right`` are sums over the ``images``
    of the epoch begun; ``best`` holds the weights kept so far."""

    epoch: int = 0
    step: int = 0
    loss: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    right: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.int64))
    images: int = 0
    seconds: float = 0.0
    best: dict[str, Any] | None = None
    stale_epochs: int = 0
    finished: bool = False

    def next_epoch(self) -> None:
        self.epoch, self.step, self.images, self.seconds = self.epoch + 1, 0, 0, 0.0
        self.loss, self.right = torch.zeros_like(self.loss), torch.zeros_like(self.right)

    def to(self, device: torch.device) -> None:
        self.loss, self.right = self.loss.to(device), self.right.to(device)


def check_same_run(run: Run, found: Found) -> None:
    """Raises CheckpointError where a checkpoint is of another model, data set, recipe or seed, naming what differs."""
    before, now = found.content["identity"], run.identity
    differing = [key for key in now if before.get(key) != now[key]]
    if "recipe" in differing:
        old, new = before["recipe"], now["recipe"]
        differing += [f"recipe.{key}" for key in new if old.get(key) != new[key]]
        differing.remove("recipe")
    if differing:
        raise CheckpointError(
            f"{str(found.file)!r} belongs to a run with another {', another '.join(differing)}",
            hint="another --out for another run, or --fresh to start over",
        )


def check_output(model: nn.Module, data: Data) -> None:
    """One image through the model, before hours of training find out. Raises TrainingError where it does not fit."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            logits = model(torch.zeros(1, *data.image_shape, device=device))
    except (RuntimeError, ValueError, TypeError) as error:
        shape = "x".join(map(str, data.image_shape))
        reason = str(error).partition("\n")[0]
        raise TrainingError(f"the model does not take {data.name}'s images of {shape}: {reason}") from None
    finally:
        model.train(was_training)
    if not isinstance(logits, Tensor) or logits.shape != (1, data.num_classes):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        want = (1, data.num_classes)
        raise TrainingError(
            f"the model's output for one image is {got}; {want} is right for {data.name}",
            hint="a factory that takes num_classes is built to fit",
        )
