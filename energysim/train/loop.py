"""The training loop: one run of one model, resumable at any step to the same trajectory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, update_bn

from energysim.errors import EnergySimError
from energysim.train.checkpoint import (
    CheckpointError,
    Found,
    RunFiles,
    newest,
    write_checkpoint,
    write_last,
    write_whole,
)
from energysim.train.data import Data
from energysim.train.evaluate import accuracy_and_loss, metrics_of, predict
from energysim.train.hooks import EpochRecord, Hook, TrainState
from energysim.train.interrupt import StopRequest, stop_request
from energysim.train.logs import EventLog, write_csv
from energysim.train.mixing import batch_mixer
from energysim.train.optimizer import climb, descend, frozen_statistics, make_optimizer, rate_at, set_rate
from energysim.train.randomness import seed_of, seeded
from energysim.train.recipe import Recipe, Stage
from energysim.train.result import RunResult, read_result
from energysim.train.runtime import make_fabric

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Progress = Callable[[int, int, str], None]
CHECKPOINT_SECONDS = 300.0


class TrainingError(EnergySimError):
    """A run cannot go on: the loss is no number, or model, data and recipe do not fit."""


class Interrupted(KeyboardInterrupt):
    """The user stopped the run; its checkpoint is written."""


@dataclass
class _Place:
    """Where the run stands. ``loss`` and ``right`` are sums over the ``images`` of the epoch begun; ``best``
    the weights kept so far."""

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


@dataclass(frozen=True)
class _Run:
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
        """Images of a step: small sets have smaller batches."""
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
class _Learner:
    """The model under training and what updates it; replaced as a whole when a hook changes the structure."""

    model: nn.Module
    wrapped: Any
    optimizer: Any
    average: AveragedModel | None


def fit(
    model_factory: Callable[[], nn.Module],
    recipe: Recipe,
    data: Data,
    run_dir: str | Path,
    seed: int = 0,
    *,
    resume: bool = True,
    hooks: Sequence[Hook] = (),
    about: dict[str, Any] | None = None,
    fabric: Fabric | None = None,
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
) -> RunResult:
    """Train one model and test the weights of its best validation epoch (of its average, where the recipe averages).

    ``model_factory`` is called once, seeded by ``seed``. In ``run_dir``: checkpoints, metrics.csv, TensorBoard's events
    and, at the end, final.pt and result.json. With ``resume`` a run that was interrupted or killed goes on from its
    newest whole checkpoint, and a finished one returns its result; else it starts over. On one machine's CPU a resumed
    run has bit for bit the losses of an uninterrupted one. ``about``: plain values for the checkpoint ("workload",
    "arguments", ...). ``fabric``: devices and precision (default: the first GPU, else the CPU).

    Raises:
        CheckpointError: a checkpoint cannot be written, is damaged beyond the one before it, or is another run's.
        TrainingError: the loss is not finite; the model's output does not fit the data set.
        Interrupted: Ctrl-C or SIGTERM; the checkpoint is written.
    """
    files = RunFiles(Path(run_dir))
    run = _Run(recipe, data, files, seed, fabric or make_fabric(recipe), tuple(hooks), dict(about or {}))
    if not resume and run.fabric.is_global_zero:
        files.start_over()
    run.fabric.barrier()
    found = newest(files) if resume else None
    if found is not None:
        _check_same_run(run, found)
        if found.warning and warn:
            warn(found.warning)
        if found.content["place"]["finished"] and files.result.exists():
            return read_result(files.result)
    with seeded(seed, "run"), stop_request() as stop:
        return _Trainer(run, model_factory, found).train(stop, progress)


def _check_same_run(run: _Run, found: Found) -> None:
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


class _Trainer:
    """Runs the epochs. The only object of the loop that changes; every method does one part of an epoch."""

    def __init__(self, run: _Run, model_factory: Callable[[], nn.Module], found: Found | None) -> None:
        self.run = run
        self.place = _Place()
        with seeded(run.seed, "weights"):
            model = model_factory()
        saved = found.content if found else None
        for hook in run.hooks:
            model = hook.prepare(model, None if saved is None else saved["hooks"].get(hook.name, {}))
        self.state = TrainState(model, run.recipe, run.seed)
        _check_output(model, run.data)
        if saved is not None:
            self._restore(saved)
        self.learner = self._learner(saved)
        self._checkpoint_at = time.monotonic()

    # -- where the run stands, to and from a checkpoint

    def _restore(self, saved: dict[str, Any]) -> None:
        self.state.model.load_state_dict(saved["model"])
        self.state.history = [EpochRecord(**record) for record in saved["history"]]
        self.place = _Place(**saved["place"], best=saved["best"])
        self.state.epoch = self.place.epoch

    def _learner(self, saved: dict[str, Any] | None) -> _Learner:
        """Optimizer and device wrapping for the model that the state holds, in the stage where the run stands."""
        model = self.state.model
        epoch = min(self.place.epoch, self.run.recipe.total_epochs - 1)
        stage, _ = self.run.recipe.stage_at(epoch)
        wrapped, optimizer = self.run.fabric.setup(model, make_optimizer(stage.optimizer, model.parameters()))
        average = None
        if self.run.recipe.weight_averaging is not None:
            average = AveragedModel(model)
        if saved is not None:
            if saved["stage"] == stage.name:
                optimizer.load_state_dict(saved["optimizer"])
            self.run.fabric.strategy.precision.load_state_dict(saved["precision"])
            if average is not None:
                average.load_state_dict(saved["average"])
        device = next(model.parameters()).device
        self.place.loss, self.place.right = self.place.loss.to(device), self.place.right.to(device)
        self._stage_of_optimizer = stage.name
        return _Learner(model, wrapped, optimizer, average)

    def _content(self) -> dict[str, Any]:
        place = {key: value for key, value in vars(self.place).items() if key != "best"}
        return {
            "identity": self.run.identity,
            "about": self.run.about,
            "place": place,
            "best": self.place.best,
            "stage": self._stage_of_optimizer,
            "model": self.state.model.state_dict(),
            "optimizer": self.learner.optimizer.state_dict(),
            "precision": self.run.fabric.strategy.precision.state_dict(),
            "average": None if self.learner.average is None else self.learner.average.state_dict(),
            "history": [asdict(record) for record in self.state.history],
            "hooks": {hook.name: hook.state_dict() for hook in self.run.hooks},
            "hook_classes": {
                hook.name: f"{type(hook).__module__}:{type(hook).__qualname__}" for hook in self.run.hooks
            },
        }

    def _save(self) -> None:
        if self.run.fabric.is_global_zero:
            write_last(self.run.files, self._content())
        self._checkpoint_at = time.monotonic()

    # -- epochs

    def train(self, stop: StopRequest, progress: Progress | None) -> RunResult:
        run = self.run
        log = EventLog(run.files.tensorboard, len(self.state.history)) if run.fabric.is_global_zero else None
        try:
            while not self._done():
                self._epoch(stop, progress)
                record = self._close_epoch()
                self._save()
                if log is not None:
                    write_csv(run.files, self.state.history)
                    log.add(record)
                self._stop_if_asked(stop)
            return self._finish()
        finally:
            if log is not None:
                log.close()

    def _done(self) -> bool:
        stopping = self.run.recipe.early_stopping
        early = stopping is not None and self.place.stale_epochs >= stopping.patience
        return early or self.place.epoch >= self.run.recipe.total_epochs

    def _epoch(self, stop: StopRequest, progress: Progress | None) -> None:
        run, place, recipe = self.run, self.place, self.run.recipe
        stage, within = recipe.stage_at(place.epoch)
        self.state.epoch = place.epoch
        if stage.name != self._stage_of_optimizer:
            self.learner = self._learner(None)
        _set_dropout(self.state.model, recipe, place.epoch)
        mixer = batch_mixer(recipe, run.data.num_classes)
        loader = run.data.training_batches(
            run.batch,
            run.seed,
            place.epoch,
            augment=stage.augment or recipe.augment,
            start=place.step,
            rank=run.fabric.global_rank,
            world=run.fabric.world_size,
            size=_side(recipe, run.data, place.epoch),
        )
        self.learner.wrapped.train()
        began = time.perf_counter()
        before_s = place.seconds
        for images, labels in loader:
            torch.manual_seed(seed_of(run.seed, "step", place.epoch, place.step, run.fabric.global_rank))
            self._step(stage, within, *mixer(*run.fabric.to_device((images, labels))))
            place.step += 1
            place.seconds = before_s + time.perf_counter() - began
            if progress is not None:
                done = place.epoch * run.steps + place.step
                progress(done, recipe.total_epochs * run.steps, self._told())
            if place.step < run.steps:
                self._stop_if_asked(stop)
                if time.monotonic() - self._checkpoint_at > CHECKPOINT_SECONDS and run.fabric.world_size == 1:
                    self._save()

    def _step(self, stage: Stage, within: int, images: Tensor, targets: Tensor) -> None:
        run, learner, recipe = self.run, self.learner, self.run.recipe
        step = within * run.steps + self.place.step
        rate = rate_at(stage, step, run.steps)
        averaging = recipe.weight_averaging
        if averaging is not None and self.place.epoch + 1 >= averaging.start_epoch:
            rate = replace(rate, lr=averaging.lr)
        set_rate(learner.optimizer, rate)
        learner.optimizer.zero_grad(set_to_none=True)
        logits, loss = self._backward(images, targets)
        if recipe.sam_rho:
            moves = climb(learner.model, recipe.sam_rho)
            with frozen_statistics(learner.model):
                self._backward(images, targets)
            descend(moves)
        if recipe.gradient_clip:
            run.fabric.clip_gradients(learner.wrapped, learner.optimizer, max_norm=recipe.gradient_clip)
        learner.optimizer.step()
        for hook in run.hooks:
            hook.on_step_end(self.state)
        answers = targets if targets.ndim == 1 else targets.argmax(1)
        self.place.loss += loss.detach().double() * len(images)
        self.place.right += (logits.argmax(1) == answers).sum()
        self.place.images += len(images)

    def _backward(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = self.learner.wrapped(images)
        loss = F.cross_entropy(logits.float(), targets, label_smoothing=self.run.recipe.label_smoothing)
        for hook in self.run.hooks:
            loss = hook.loss(images, logits, targets, loss, self.state)
        self.run.fabric.backward(loss)
        return logits, loss

    def _close_epoch(self) -> EpochRecord:
        run, place = self.run, self.place
        began = time.perf_counter()
        loss, right, images = self._totals()
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss of epoch {place.epoch + 1} is {float(loss)}",
                hint="a lower learning rate, gradient_clip or precision '32' is right; the checkpoint before is kept",
            )
        accuracy, validation_loss = accuracy_and_loss(
            predict(self.learner.wrapped, run.data.batches("validation", run.recipe.batch))
        )
        stage, _ = run.recipe.stage_at(place.epoch)
        record = EpochRecord(
            epoch=place.epoch + 1,
            stage=stage.name,
            lr=float(self.learner.optimizer.param_groups[0]["lr"]),
            loss=float(loss) / images,
            accuracy=int(right) / images,
            validation_loss=validation_loss,
            validation_accuracy=accuracy,
            seconds=place.seconds + time.perf_counter() - began,
        )
        record = self._hooked(record)
        self.state.history.append(record)
        self._keep_best(record)
        averaging = run.recipe.weight_averaging
        if self.learner.average is not None and averaging is not None and place.epoch + 1 >= averaging.start_epoch:
            self.learner.average.update_parameters(self.state.model)
        place.next_epoch()
        return record

    def _totals(self) -> tuple[Tensor, Tensor, int]:
        """Loss, right answers and images of the epoch, over all processes."""
        place, fabric = self.place, self.run.fabric
        if fabric.world_size == 1:
            return place.loss, place.right, place.images
        sums = torch.stack([place.loss, place.right.double(), torch.full_like(place.loss, place.images)])
        reduced: Any = fabric.all_reduce(sums, reduce_op="sum")
        return reduced[0], reduced[1], int(reduced[2])

    def _hooked(self, record: EpochRecord) -> EpochRecord:
        extra: dict[str, float] = {}
        model = self.state.model
        torch.manual_seed(seed_of(self.run.seed, "epoch end", self.place.epoch))
        for hook in self.run.hooks:
            extra.update(hook.on_epoch_end(self.state, record))
        if self.state.model is not model:
            self.place.best, self.place.stale_epochs = None, 0
            self.learner = self._learner(None)
        return replace(record, extra=extra)

    def _keep_best(self, record: EpochRecord) -> None:
        best, stopping = self.place.best, self.run.recipe.early_stopping
        gain = stopping.min_delta if stopping is not None else 0.0
        if best is None or record.validation_accuracy > best["validation_accuracy"] + gain:
            weights = {name: value.detach().clone() for name, value in self.state.model.state_dict().items()}
            kept = {"epoch": record.epoch, "validation_accuracy": record.validation_accuracy, "model": weights}
            self.place.best, self.place.stale_epochs = kept, 0
        else:
            self.place.stale_epochs += 1

    def _stop_if_asked(self, stop: StopRequest) -> None:
        if stop.asked:
            self._save()
            raise Interrupted(
                f"stopped in epoch {self.place.epoch + 1}, step {self.place.step}; saved in "
                f"{self.run.files.last}: the same command goes on from there"
            )

    def _told(self) -> str:
        text = f"epoch {self.place.epoch + 1}/{self.run.recipe.total_epochs}"
        if self.state.history:
            last = self.state.history[-1]
            text += f", loss {last.loss:.3f}, validation {last.validation_accuracy:.1%}"
        return text

    # -- the end

    def _finish(self) -> RunResult:
        run, place, model = self.run, self.place, self.state.model
        early = place.epoch < run.recipe.total_epochs
        average = self.learner.average
        if average is not None and int(average.n_averaged) > 0:
            self._take_average(average)
            accuracy, _ = accuracy_and_loss(predict(self.learner.wrapped, self._validation()))
            best_epoch = place.epoch
        else:
            assert place.best is not None
            model.load_state_dict(place.best["model"])
            accuracy, best_epoch = place.best["validation_accuracy"], place.best["epoch"]
        for hook in run.hooks:
            hook.finish(self.state)
        result = RunResult(
            directory=str(run.files.directory),
            seed=run.seed,
            history=tuple(self.state.history),
            best_epoch=best_epoch,
            validation_accuracy=accuracy,
            test=metrics_of(predict(self.learner.wrapped, run.data.batches("test", run.recipe.batch))),
            parameters=sum(parameter.numel() for parameter in self.state.model.parameters()),
            seconds=sum(record.seconds for record in self.state.history),
            stopped_early=early,
            device=str(next(model.parameters()).device),
            about=run.about,
        )
        if run.fabric.is_global_zero:
            place.finished = True
            content = self._content()
            final = {key: content[key] for key in ("identity", "about", "model", "hooks", "hook_classes")}
            write_checkpoint(run.files.final, final)
            write_whole(run.files.result, result.to_json().encode())
            self._save()
        run.fabric.barrier()
        return result

    def _validation(self) -> Any:
        return self.run.data.batches("validation", self.run.recipe.batch)

    def _take_average(self, average: AveragedModel) -> None:
        """The averaged weights, with BatchNorm's statistics taken anew on the training images."""
        model, run = self.state.model, self.run
        model.load_state_dict(average.module.state_dict())
        batches = run.data.training_batches(run.batch, run.seed, self.place.epoch)
        torch.manual_seed(seed_of(run.seed, "average"))
        update_bn(batches, model, device=next(model.parameters()).device)


def _check_output(model: nn.Module, data: Data) -> None:
    """One image through the model, before hours of training find out that it does not fit."""
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


def _set_dropout(model: nn.Module, recipe: Recipe, epoch: int) -> None:
    if recipe.dropout is None:
        return
    share = epoch / max(1, recipe.total_epochs - 1)
    probability = recipe.dropout.start + (recipe.dropout.end - recipe.dropout.start) * share
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = probability


def _side(recipe: Recipe, data: Data, epoch: int) -> int | None:
    """Side of the training images under progressive resizing, None for the full one."""
    half = recipe.total_epochs / 2
    if not recipe.resize or recipe.resize >= data.size or epoch >= half:
        return None
    return recipe.resize + round((data.size - recipe.resize) * epoch / half)
