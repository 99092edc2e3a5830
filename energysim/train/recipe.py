"""How to train: a recipe from the `recipe:` of an experiment's YAML, checked with file, line and key."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from energysim.errors import did_you_mean
from energysim.spec_files import SpecFile, SpecModel, find_spec, list_specs, load_yaml, validate_model


class Optimizer(SpecModel):
    """``lr`` is the peak learning rate; ``momentum`` is of SGD, ``betas`` of Adam and AdamW."""

    name: Literal["sgd", "adam", "adamw"]
    lr: float = Field(gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0)


class Schedule(SpecModel):
    """Learning rate over a stage, changed every step.

    cosine: ``warmup_epochs`` linearly from 0 to lr, then half a cosine down to ``min_lr``. exponential: times ``decay``
    per epoch. step: times ``decay`` every ``every`` epochs. one_cycle: Smith's single cycle (lr / 25 up to lr at 30 %
    of the steps, down to lr / 250,000; momentum 0.95 - 0.85 - 0.95). constant.
    """

    name: Literal["cosine", "exponential", "step", "one_cycle", "constant"] = "cosine"
    warmup_epochs: float = Field(default=0.0, ge=0)
    min_lr: float = Field(default=0.0, ge=0)
    decay: float = Field(default=0.95, gt=0, le=1)
    every: int = Field(default=10, ge=1)


class RandAugmentSpec(SpecModel):
    """RandAugment: N operations of magnitude M of 30 (Cubuk et al., 2020)."""

    operations: int = Field(default=2, ge=1)
    magnitude: int = Field(default=10, ge=0, le=30)


class Augment(SpecModel):
    """What happens to every training image. ``crop_padding``: random crop after padding by so many pixels; ``flip``:
    horizontal flip, half of the time; ``cutout``: a zeroed square of so many pixels (0: none)."""

    crop_padding: int = Field(default=0, ge=0)
    flip: bool = False
    randaugment: RandAugmentSpec | None = None
    cutout: int = Field(default=0, ge=0)


class DropoutSchedule(SpecModel):
    """Probability of every Dropout layer, linearly from the first epoch to the last."""

    start: float = Field(default=0.5, ge=0, lt=1)
    end: float = Field(default=0.2, ge=0, lt=1)


class EarlyStopping(SpecModel):
    """Stop where validation accuracy has not risen by ``min_delta`` for ``patience`` epochs."""

    patience: int = Field(ge=1)
    min_delta: float = Field(default=0.0, ge=0)


class WeightAveraging(SpecModel):
    """Stochastic weight averaging: the mean of the weights at the ends of the epochs from ``start_epoch`` (from 1) on;
    from there the learning rate stays at ``lr`` (Izmailov et al., 2018)."""

    start_epoch: int = Field(ge=1)
    lr: float = Field(gt=0)


class Stage(SpecModel):
    """A part of a run with its own optimizer, whose state starts empty; ``augment`` replaces the recipe's."""

    name: str
    epochs: int = Field(ge=1)
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    augment: Augment | None = None


class Recipe(SpecModel):
    """One training run, all of it but the model, the data set and the seed.

    ``batch``: images per step over all devices. Of ``mixup_alpha`` and ``cutmix_alpha`` (0: off) each batch draws one
    where both are on. ``sam_rho`` (0: off): radius of sharpness-aware minimization. ``gradient_clip`` (0: off): largest
    norm. ``resize``: progressive resizing: side of the images in the first epoch, growing linearly to the full size at
    half of the epochs. Without ``stages`` the run is one stage of ``epochs`` with ``optimizer`` and ``schedule``.
    """

    epochs: int = Field(default=100, ge=1)
    batch: int = Field(default=128, ge=1)
    optimizer: Optimizer | None = None
    schedule: Schedule = Schedule()
    stages: tuple[Stage, ...] = ()
    augment: Augment = Augment()
    mixup_alpha: float = Field(default=0.0, ge=0)
    cutmix_alpha: float = Field(default=0.0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    dropout: DropoutSchedule | None = None
    early_stopping: EarlyStopping | None = None
    weight_averaging: WeightAveraging | None = None
    sam_rho: float = Field(default=0.0, ge=0)
    gradient_clip: float = Field(default=0.0, ge=0)
    resize: int = Field(default=0, ge=0)
    precision: Literal["32", "bf16", "16"] = "32"

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        if bool(self.stages) == (self.optimizer is not None):
            raise ValueError("an optimizer for the whole run, or stages with one each, is right")
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError(f"stages have names of their own: {', '.join(names)}")
        return self

    def staged(self) -> tuple[Stage, ...]:
        """The stages in order; one called "all" where the recipe names none."""
        if self.stages:
            return self.stages
        assert self.optimizer is not None
        return (Stage(name="all", epochs=self.epochs, optimizer=self.optimizer, schedule=self.schedule),)

    @property
    def total_epochs(self) -> int:
        return sum(stage.epochs for stage in self.staged())

    def stage_at(self, epoch: int) -> tuple[Stage, int]:
        """The stage of an epoch (from 0) and the epoch within it."""
        within = epoch
        for stage in self.staged():
            if within < stage.epochs:
                return stage, within
            within -= stage.epochs
        raise ValueError(f"the recipe has {self.total_epochs} epochs, counted from 0; not {epoch}")

    def changed(self, **values: object) -> Recipe:
        """This recipe with other values, checked like a file's."""
        return Recipe.model_validate({**self.model_dump(), **values})

    def with_epochs(self, epochs: int) -> Recipe:
        """The same recipe over so many epochs. Stages keep their shares (each at least one epoch); the warm-ups and the
        start of weight averaging shrink or grow alike."""
        if epochs < 1:
            raise ValueError(f"{epochs} epochs are no run")
        factor = epochs / self.total_epochs
        stages = _shared(self.stages, epochs) if self.stages else ()
        averaging = self.weight_averaging
        if averaging is not None:
            start = max(1, round(averaging.start_epoch * factor))
            averaging = averaging.model_copy(update={"start_epoch": start})
        return self.model_copy(
            update={
                "epochs": epochs,
                "stages": stages,
                "schedule": _warmed(self.schedule, factor),
                "weight_averaging": averaging,
            }
        )


def _warmed(schedule: Schedule, factor: float) -> Schedule:
    return schedule.model_copy(update={"warmup_epochs": schedule.warmup_epochs * factor})


def _shared(stages: tuple[Stage, ...], epochs: int) -> tuple[Stage, ...]:
    """Stages with their epochs scaled to a new total, as many as there is an epoch for (the first ones)."""
    total = sum(stage.epochs for stage in stages)
    kept, left = [], epochs
    for index, stage in enumerate(stages):
        after = len(stages) - index - 1
        share = left if after == 0 else min(max(1, round(stage.epochs * epochs / total)), max(left - after, 1))
        if share < 1 or left < 1:
            break
        schedule = _warmed(stage.schedule, share / stage.epochs)
        kept.append(stage.model_copy(update={"epochs": share, "schedule": schedule}))
        left -= share
    return tuple(kept)


class Entry(SpecModel):
    """A workload of an experiment; ``epochs`` instead of the recipe's (large networks in a quick experiment)."""

    workload: str
    epochs: int | None = Field(default=None, ge=1)


def _entry(value: object) -> object:
    return {"workload": value} if isinstance(value, str) else value


class Experiment(SpecModel):
    """A file of ``experiments/``: which workloads are trained on which data set with which recipe and how often.

    ``workloads``: names, or mappings of ``workload`` and ``epochs``. ``data``: see ``open_data``. ``seeds``: 0, 1, ...
    ``seeds - 1``. ``arch``: the device whose energy stands beside the accuracy. ``recipe``: the recipe, or the name of
    the experiment that has it.
    """

    recipe: Recipe | str
    description: str = ""
    workloads: tuple[Annotated[Entry, BeforeValidator(_entry)], ...] = ()
    data: str = "digits"
    seeds: int = Field(default=1, ge=1)
    arch: str | None = None


def load_experiment(name_or_path: str) -> Experiment:
    """An experiment by name or path, its recipe resolved. Raises NotFoundError or SpecError (file, line, key)."""
    spec = load_yaml(find_spec("experiments", name_or_path))
    if spec.at(("sweep",)) is not None:
        raise spec.error("this is a sweep over a design space", ("sweep",), hint=f"energysim sweep {name_or_path}")
    found = validate_model(Experiment, spec, data=_recipe_checked_alone(spec))
    if isinstance(found.recipe, str):
        if found.recipe not in list_specs("experiments"):
            hint = did_you_mean(found.recipe, list_specs("experiments"))
            raise spec.error(f"no experiment named {found.recipe!r} to take the recipe from", ("recipe",), hint)
        found = found.model_copy(update={"recipe": load_recipe(found.recipe)})
    return found


def load_recipe(name_or_path: str) -> Recipe:
    """The recipe of an experiment by name or path. Raises NotFoundError, or SpecError with file, line and key."""
    recipe = load_experiment(name_or_path).recipe
    assert isinstance(recipe, Recipe)
    return recipe


def _recipe_checked_alone(spec: SpecFile) -> object:
    """The document with its recipe checked by itself: a message about a union of types would name no key."""
    document = spec.plain
    if isinstance(document, dict) and isinstance(document.get("recipe"), dict):
        return {**document, "recipe": validate_model(Recipe, spec, ("recipe",))}
    return document
