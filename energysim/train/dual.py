"""System S2's two stages for the dual CNN: its sub-networks apart, then both joined and unfrozen step by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from energysim.nn.zoo.dual import UNFREEZE_STEPS, DualCNN, SubCNN
from energysim.train.checkpoint import RunFiles, read_checkpoint
from energysim.train.hooks import EpochRecord, Hook, TrainState
from energysim.train.recipe import Augment, Recipe

Fit = Callable[..., Any]


class JoinedBranches(Hook):
    """The dual network starts from the features of two trained sub-networks, only its classifier trainable.

    After every quarter of the epochs one more part becomes trainable: the dense layers, the second, the first
    convolutions.
    """

    name = "joined branches"

    def __init__(self, raw: Path, augmented: Path) -> None:
        self._files = (raw, augmented)
        self._open_parts = 1

    def prepare(self, model: nn.Module, saved: dict[str, Any] | None) -> nn.Module:
        assert isinstance(model, DualCNN)
        if saved is None:
            model.join(*(_trained_sub(file, model) for file in self._files))
        else:
            self._open_parts = saved["open_parts"]
        model.unfreeze(self._open_parts)
        return model

    def on_epoch_end(self, state: TrainState, record: EpochRecord) -> dict[str, float]:
        assert isinstance(state.model, DualCNN)
        trained_with = self._open_parts
        self._open_parts = open_parts(state.epoch + 1, state.recipe.total_epochs)
        state.model.unfreeze(self._open_parts)
        return {"trainable_parts": float(trained_with)}

    def state_dict(self) -> dict[str, Any]:
        return {"open_parts": self._open_parts}


def open_parts(epoch: int, epochs: int) -> int:
    """How many parts are trainable in an epoch (from 0): one more after every quarter."""
    count = len(UNFREEZE_STEPS)
    return min(count, 1 + epoch * count // epochs)


def stage_recipes(recipe: Recipe) -> tuple[Recipe, Recipe, Recipe]:
    """Recipes of the raw sub-network, the augmented one and the joined network. Raises ValueError unless the recipe has
    two stages."""
    apart, joined = recipe.staged()
    augmented = recipe.changed(
        stages=(), epochs=apart.epochs, optimizer=apart.optimizer.model_dump(), schedule=apart.schedule.model_dump()
    )
    raw = augmented.changed(augment=Augment().model_dump(), mixup_alpha=0.0, cutmix_alpha=0.0)
    last = recipe.changed(
        stages=(), epochs=joined.epochs, optimizer=joined.optimizer.model_dump(), schedule=joined.schedule.model_dump()
    )
    return raw, augmented, last


def is_dual(model_factory: Callable[[], nn.Module], recipe: Recipe) -> bool:
    """Whether the two-stage way applies: a dual CNN and a recipe of two stages."""
    return len(recipe.staged()) == 2 and isinstance(model_factory(), DualCNN)


def fit_dual(fit: Fit, model_factory: Callable[[], nn.Module], recipe: Recipe, run_dir: Path, **options: Any) -> Any:
    """Three runs: ``run_dir``/raw, ``run_dir``/augmented and, from both, ``run_dir`` itself, whose result is returned.
    ``fit`` takes (factory, recipe, run_dir, hooks=..., about=..., **options); each run resumes like any other."""
    raw, augmented, joined = stage_recipes(recipe)
    dual = model_factory()
    assert isinstance(dual, DualCNN)
    pool, classes = _pool_of(dual), dual.classifier.out_features
    about = options.pop("about")
    hooks = tuple(options.pop("hooks", ()))
    sub_about = {**about, "workload": "sub_cnn", "name": "sub_cnn"}
    before_s = 0.0
    for name, part in (("raw", raw), ("augmented", augmented)):
        done = fit(lambda: SubCNN(classes, pool), part, run_dir / name, about={**sub_about, "branch": name}, **options)
        before_s += done.seconds
    about = {**about, "seconds_before": before_s}
    files = (RunFiles(run_dir / "raw").final, RunFiles(run_dir / "augmented").final)
    return fit(model_factory, joined, run_dir, hooks=(JoinedBranches(*files), *hooks), about=about, **options)


def _trained_sub(file: Path, dual: DualCNN) -> SubCNN:
    sub = SubCNN(dual.classifier.out_features, _pool_of(dual))
    sub.load_state_dict(read_checkpoint(file)["model"])
    return sub


def _pool_of(dual: DualCNN) -> int:
    """The pooling window that the network was built with."""
    window = next(module.kernel_size for module in dual.modules() if isinstance(module, nn.MaxPool2d))
    return window if isinstance(window, int) else window[0]
