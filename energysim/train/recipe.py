"""How to train: a recipe from the `recipe:` of an experiment's YAML, checked with file, line and key."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from energysim.spec_files import SpecModel


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
    of the steps, down to lr / 250,000; momentum 0.95 - 0.85 - 0.95). cosine_restarts: ``cycles`` half cosines from lr
    down to ``min_lr``, as equal as whole epochs allow (Loshchilov and Hutter, 2017). constant.
    """

    name: Literal["cosine", "exponential", "step", "one_cycle", "cosine_restarts", "constant"] = "cosine"
    warmup_epochs: float = Field(default=0.0, ge=0)
    min_lr: float = Field(default=0.0, ge=0)
    decay: float = Field(default=0.95, gt=0, le=1)
    every: int = Field(default=10, ge=1)
    cycles: int = Field(default=5, ge=1)

    def cycle_ends(self, epochs: int) -> tuple[int, ...]:
        """The last epoch (from 1) of every cycle of a stage; fewer cycles where there are fewer epochs."""
        cycles = min(self.cycles, epochs) if self.name == "cosine_restarts" else 1
        return tuple(round(epochs * cycle / cycles) for cycle in range(1, cycles + 1))


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
    half of the epochs. ``stochastic_depth`` (0: off): how often training drops the last residual branch; the branches
    before it less often, linearly (Huang et al., 2016). ``snapshots``: a network is kept at the end of every cycle of
    ``cosine_restarts``, and they are tested as an ensemble too (Huang et al., 2017). Without ``stages`` the run is one
    stage of ``epochs`` with ``optimizer`` and ``schedule``.
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
    stochastic_depth: float = Field(default=0.0, ge=0, lt=1)
    snapshots: bool = False
    precision: Literal["32", "bf16", "16"] = "32"

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        if bool(self.stages) == (self.optimizer is not None):
            raise ValueError("an optimizer for the whole run, or stages with one each, is right")
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError(f"stages have names of their own: {', '.join(names)}")
        if self.snapshots and (self.stages or self.schedule.name != "cosine_restarts"):
            raise ValueError("snapshots are of one stage with the schedule cosine_restarts")
        if self.snapshots and (self.early_stopping or self.weight_averaging):
            raise ValueError("snapshots need every cycle whole: no early_stopping, no weight_averaging")
        return self

    def snapshot_epochs(self) -> tuple[int, ...]:
        """The epochs (from 1) at whose end a snapshot is kept."""
        return self.schedule.cycle_ends(self.epochs) if self.snapshots else ()

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
