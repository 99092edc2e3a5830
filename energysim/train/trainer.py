"""The epochs of one run, from wherever it stands to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from energysim.train.checkpoint import write_checkpoint, write_last, write_whole
from energysim.train.epoch_settings import image_side, set_dropout, set_stochastic_depth
from energysim.train.evaluate import accuracy_and_loss, metrics_of, predict
from energysim.train.hooks import EpochRecord, TrainState
from energysim.train.interrupt import StopRequest
from energysim.train.learner import Learner, make_learner
from energysim.train.logs import EventLog, write_csv
from energysim.train.mixing import batch_mixer
from energysim.train.optimizer import Rate, rate_at
from energysim.train.randomness import seed_of, seeded
from energysim.train.recipe import WeightAveraging
from energysim.train.result import RunResult
from energysim.train.run import Place, Run, TrainingError, check_output
from energysim.train.snapshots import check_snapshots, ensemble_metrics

Progress = Callable[[int, int, str], None]
CHECKPOINT_SECONDS = 300.0


class Interrupted(KeyboardInterrupt):
    """The user stopped the run; its checkpoint is written."""


class Trainer:
    """One run in progress: its place, its learner and its history."""

    def __init__(self, run: Run, model_factory: Callable[[], nn.Module], saved: dict[str, Any] | None) -> None:
        """``saved``: the content of the checkpoint to go on from."""
        with seeded(run.seed, "weights"):
            model = model_factory()
        set_stochastic_depth(model, run.recipe.stochastic_depth)
        for hook in run.hooks:
            model = hook.prepare(model, None if saved is None else saved["hooks"].get(hook.name, {}))
        check_output(model, run.data)
        self.run, self.place = run, Place()
        self.state = TrainState(model, run.recipe, run.seed)
        if saved is not None:
            model.load_state_dict(saved["model"])
            self.state.history = [EpochRecord(**record) for record in saved["history"]]
            self.place = Place(**saved["place"], best=saved["best"])
            check_snapshots(run, self.place.epoch)
        self.learner = self._new_learner(None)
        if saved is not None:
            self.learner.restore(saved["learner"])
        self._saved_at = time.monotonic()

    def train(self, stop: StopRequest, progress: Progress | None) -> RunResult:
        """Raises Interrupted, with the checkpoint written, once ``stop`` asks for it."""
        files, first = self.run.files, self.run.fabric.is_global_zero
        log = EventLog(files.tensorboard, len(self.state.history)) if first else None
        try:
            while not self._done():
                self._epoch(stop, progress)
                record = self._close_epoch()
                self._save()
                if log is not None:
                    write_csv(files, self.state.history)
                    log.add(record)
                self._stop_if_asked(stop)
            return self._finish()
        finally:
            if log is not None:
                log.close()

    def _new_learner(self, before: Learner | None) -> Learner:
        """For the stage where the run stands; the average of ``before`` is gone on with."""
        stage, _ = self.run.recipe.stage_at(min(self.place.epoch, self.run.recipe.total_epochs - 1))
        learner = make_learner(self.run, self.state, stage, None if before is None else before.average)
        self.place.to(next(self.state.model.parameters()).device)
        return learner

    def _done(self) -> bool:
        stopping = self.run.recipe.early_stopping
        early = stopping is not None and self.place.stale_epochs >= stopping.patience
        return early or self.place.epoch >= self.run.recipe.total_epochs

    # -- one epoch

    def _epoch(self, stop: StopRequest, progress: Progress | None) -> None:
        run, place, recipe = self.run, self.place, self.run.recipe
        self.state.epoch = place.epoch
        stage, _ = recipe.stage_at(place.epoch)
        if stage.name != self.learner.stage.name:
            self.learner = self._new_learner(self.learner)
        set_dropout(self.state.model, recipe, place.epoch)
        mixer = batch_mixer(recipe, run.data.num_classes)
        loader = run.data.training_batches(
            run.batch,
            run.seed,
            place.epoch,
            augment=stage.augment or recipe.augment,
            start=place.step,
            rank=run.fabric.global_rank,
            world=run.fabric.world_size,
            size=image_side(recipe, run.data, place.epoch),
        )
        self.learner.wrapped.train()
        before_s, began = place.seconds, time.perf_counter()
        for images, labels in loader:
            torch.manual_seed(seed_of(run.seed, "step", place.epoch, place.step, run.fabric.global_rank))
            self._step(*mixer(*run.fabric.to_device((images, labels))))
            place.seconds = before_s + time.perf_counter() - began
            if progress is not None:
                done = place.epoch * run.steps + place.step
                progress(done, recipe.total_epochs * run.steps, self._told())
            # Several processes stop and save together, at the end of an epoch.
            if place.step < run.steps and run.fabric.world_size == 1:
                self._stop_if_asked(stop)
                if time.monotonic() - self._saved_at > CHECKPOINT_SECONDS:
                    self._save()

    def _step(self, images: Tensor, targets: Tensor) -> None:
        place = self.place
        logits, loss = self.learner.update(images, targets, self._rate())
        answers = targets if targets.ndim == 1 else targets.argmax(1)
        place.loss += loss.double() * len(images)
        place.right += (logits.argmax(1) == answers).sum()
        place.images += len(images)
        place.step += 1

    def _rate(self) -> Rate:
        stage, within = self.run.recipe.stage_at(self.place.epoch)
        rate = rate_at(stage, within * self.run.steps + self.place.step, self.run.steps)
        averaging = self._averaging()
        return rate if averaging is None else replace(rate, lr=averaging.lr)

    def _averaging(self) -> WeightAveraging | None:
        """The recipe's weight averaging, in the epochs that it covers."""
        averaging = self.run.recipe.weight_averaging
        return averaging if averaging is not None and self.place.epoch + 1 >= averaging.start_epoch else None

    def _close_epoch(self) -> EpochRecord:
        run, place = self.run, self.place
        began = time.perf_counter()
        loss, right, images = self._totals()
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss of epoch {place.epoch + 1} is {float(loss)}",
                hint="a lower learning rate, gradient_clip or precision '32'; the checkpoint before is kept",
            )
        validation = predict(self.learner.wrapped, run.data.batches("validation", run.recipe.batch))
        # The first process's, so that all stop early alike: BatchNorm's statistics are every process's own.
        accuracy, validation_loss = run.fabric.broadcast(accuracy_and_loss(validation))
        record = EpochRecord(
            epoch=place.epoch + 1,
            stage=self.learner.stage.name,
            lr=self.learner.lr,
            loss=float(loss) / images,
            accuracy=int(right) / images,
            validation_loss=validation_loss,
            validation_accuracy=accuracy,
            seconds=place.seconds + time.perf_counter() - began,
        )
        validated = self.state.model
        record = self._hooked(record)
        self.state.history.append(record)
        if self.state.model is validated:  # else the accuracy is that of a network which a hook has replaced
            self._keep_best(record)
        if self.learner.average is not None and self._averaging() is not None:
            self.learner.average.update_parameters(self.state.model)
        place.next_epoch()
        self._keep_snapshot()
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
            if self.run.recipe.snapshots:
                raise TrainingError("snapshots are of one network, and a hook has replaced it", hint="snapshots: false")
            self.place.best, self.place.stale_epochs = None, 0
            self.learner = self._new_learner(None)
        return replace(record, extra=extra)

    def _keep_best(self, record: EpochRecord) -> None:
        best, stopping = self.place.best, self.run.recipe.early_stopping
        gain = stopping.min_delta if stopping is not None else 0.0
        if best is None or record.validation_accuracy > best["validation_accuracy"] + gain:
            weights = {name: value.detach().clone() for name, value in self.state.model.state_dict().items()}
            self.place.best = {
                "epoch": record.epoch,
                "validation_accuracy": record.validation_accuracy,
                "model": weights,
            }
            self.place.stale_epochs = 0
        else:
            self.place.stale_epochs += 1

    # -- checkpoints and the end

    def _network(self) -> dict[str, Any]:
        """What it takes to build the network as it is and to judge it."""
        content = self._content()
        return {key: content[key] for key in ("identity", "about", "model", "history", "hooks", "hook_classes")}

    def _content(self) -> dict[str, Any]:
        hooks = self.run.hooks
        return {
            "identity": self.run.identity,
            "about": self.run.about,
            "place": {key: value for key, value in vars(self.place).items() if key != "best"},
            "best": self.place.best,
            "model": self.state.model.state_dict(),
            "learner": self.learner.saved(),
            "history": [asdict(record) for record in self.state.history],
            "hooks": {hook.name: hook.state_dict() for hook in hooks},
            "hook_classes": {hook.name: f"{type(hook).__module__}:{type(hook).__qualname__}" for hook in hooks},
        }

    def _keep_snapshot(self) -> None:
        """Before the checkpoint that says that the cycle is done: killed in between, a run writes it again, alike."""
        ends = self.run.recipe.snapshot_epochs()
        if self.place.epoch in ends and self.run.fabric.is_global_zero:
            write_checkpoint(self.run.files.snapshot(ends.index(self.place.epoch) + 1), self._network())

    def _save(self) -> None:
        if self.run.fabric.is_global_zero:
            write_last(self.run.files, self._content())
        self._saved_at = time.monotonic()

    def _stop_if_asked(self, stop: StopRequest) -> None:
        if self._anywhere(stop.asked):
            self._save()
            raise Interrupted(
                f"stopped in epoch {self.place.epoch + 1} after step {self.place.step}; saved in "
                f"{self.run.files.last}: the same command goes on from there"
            )

    def _anywhere(self, asked: bool) -> bool:
        """Whether any process was asked."""
        if self.run.fabric.world_size == 1:
            return asked
        flag: Any = self.run.fabric.all_reduce(torch.tensor(float(asked)), reduce_op="sum")
        return bool(flag > 0)

    def _told(self) -> str:
        text = f"epoch {self.place.epoch + 1}/{self.run.recipe.total_epochs}"
        if self.state.history:
            last = self.state.history[-1]
            text += f", loss {last.loss:.3f}, validation {last.validation_accuracy:.1%}"
        return text

    def _finish(self) -> RunResult:
        run, place = self.run, self.place
        run.fabric.barrier()  # the first process has written the last snapshot
        ensemble = ensemble_metrics(run, self.learner)
        best_epoch, accuracy = self._take_kept_weights()
        for hook in run.hooks:
            hook.finish(self.state)
        test = predict(self.learner.wrapped, run.data.batches("test", run.recipe.batch))
        result = RunResult(
            directory=str(run.files.directory),
            seed=run.seed,
            history=tuple(self.state.history),
            best_epoch=best_epoch,
            validation_accuracy=accuracy,
            test=metrics_of(test),
            parameters=sum(parameter.numel() for parameter in self.state.model.parameters()),
            seconds=run.about.get("seconds_before", 0.0) + sum(record.seconds for record in self.state.history),
            stopped_early=place.epoch < run.recipe.total_epochs,
            device=str(next(self.state.model.parameters()).device),
            about=run.about,
            ensemble=ensemble,
            snapshots=len(run.recipe.snapshot_epochs()),
        )
        if run.fabric.is_global_zero:
            place.finished = True
            write_checkpoint(run.files.final, self._network())
            write_whole(run.files.result, result.to_json().encode())
            self._save()
        run.fabric.barrier()
        return result

    def _take_kept_weights(self) -> tuple[int, float]:
        """The average where there is one, else the best epoch's: its epoch (from 1) and validation accuracy."""
        run, average, best = self.run, self.learner.average, self.place.best
        if average is not None and int(average.n_averaged) > 0:
            self.learner.take_average(average, self.place.epoch)
            validation = predict(self.learner.wrapped, run.data.batches("validation", run.recipe.batch))
            return self.place.epoch, accuracy_and_loss(validation)[0]
        assert best is not None
        self.state.model.load_state_dict(best["model"])
        return best["epoch"], best["validation_accuracy"]
