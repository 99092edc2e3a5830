"""One model compressed in several ways, each trained and simulated: what it costs beside what it reaches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from energysim.errors import NotFoundError, did_you_mean
from energysim.train.data import Data
from energysim.train.density import with_densities
from energysim.train.distill import Distillation
from energysim.train.evaluate import accuracy_and_loss, predict
from energysim.train.hooks import Hook
from energysim.train.models import Trained, load_trained
from energysim.train.prune import MagnitudePruning, StructuredPruning, pruning_times, weight_density
from energysim.train.quantize import QuantizationAware, calibrate, quantized_network
from energysim.train.recipe import Recipe
from energysim.train.session import Session, run_session
from energysim.train.summary import DeviceCost, Spread, device_cost
from energysim.workload import Workload, workload_of

if TYPE_CHECKING:
    from lightning_fabric import Fabric

METHODS = ("baseline", "prune", "magnitude", "ptq", "qat", "distill")
_CALIBRATION_BATCHES = 8
_FINE_TUNING = 0.1  # learning rate of quantization-aware training, of the recipe's


@dataclass(frozen=True)
class Settings:
    """``ratio``: share of channels that structured pruning takes; ``sparsity``: share of weights that magnitude pruning
    zeroes; ``every``: epochs between prunings; ``bits``: words of the quantized networks; ``teacher``: a workload (then
    ``teacher_epochs`` instead of the recipe's), or the directory of a finished run."""

    methods: tuple[str, ...] = METHODS
    ratio: float = 0.5
    sparsity: float = 0.8
    every: int = 5
    bits: int = 8
    teacher: str = "resnet18"
    teacher_epochs: int | None = None
    temperature: float = 4.0
    share: float = 0.7


@dataclass(frozen=True)
class Compressed:
    """``parameters``, ``density`` (share of weights that are not zero) and ``cost`` are of the first seed's network."""

    method: str
    top1: Spread
    parameters: int
    density: float
    cost: DeviceCost


Progress = Callable[[str], Callable[[int, int, str], None] | None]


def compress(
    session: Session, settings: Settings, fabric: Fabric, progress: Progress, warn: Callable[[str], None]
) -> Iterator[Compressed]:
    """Trains and costs ``session.workloads[0]`` by every method, over all of the session's seeds.

    Every run lies in a directory of its own under ``session.out`` and resumes like any other. Raises NotFoundError for
    an unknown method, PruningError where the recipe is too short for pruning, and what training raises.
    """
    for method in settings.methods:
        if method not in METHODS:
            hint = did_you_mean(method, METHODS) or f"one of {', '.join(METHODS)}"
            raise NotFoundError(f"unknown method {method!r}", hint=hint)
    if {"prune", "magnitude"} & set(settings.methods):
        pruning_times(session.recipe.total_epochs, settings.every)
    work = _Work(session, settings, fabric, progress, warn)
    for method in settings.methods:
        yield work.done(method)


@dataclass
class _Work:
    session: Session
    settings: Settings
    fabric: Fabric
    progress: Progress
    warn: Callable[[str], None]

    def done(self, method: str) -> Compressed:
        nets = [self._network(method, seed) for seed in self.session.seeds]
        top1 = [
            self._accuracy(model, self.session.opened(seed))
            for model, seed in zip(nets, self.session.seeds, strict=True)
        ]
        return self._costed(method, nets[0], Spread.of(top1))

    def _network(self, method: str, seed: int) -> nn.Module:
        if method != "ptq":
            return self._trained(method, seed).model
        base, data = self._trained("baseline", seed), self.session.opened(seed)
        batches = list(data.batches("train", self.session.recipe.batch))[:_CALIBRATION_BATCHES]
        return calibrate(quantized_network(base.model, data.image_shape, self.settings.bits), batches)

    def _trained(self, method: str, seed: int) -> Trained:
        """The finished run of one method and seed (``run_session`` returns at once where it is finished)."""
        start = self._trained("baseline", seed).file if method == "qat" else None
        recipe = _fine_tuning(self.session.recipe) if method == "qat" else self.session.recipe
        hooks = functools.partial(self._hooks, method, self.session.opened(seed), start)
        return self._run(method, seed, self.session.workloads[0], recipe, hooks)

    def _run(
        self, label: str, seed: int, workload: str, recipe: Recipe, hooks: Callable[[], Sequence[Hook]]
    ) -> Trained:
        session = replace(
            self.session,
            workloads=(workload,),
            recipe=recipe,
            out=self.session.out / label,
            seeds=(seed,),
            make_hooks=hooks,
        )
        named = lambda run: self.progress(f"{label} {run}")  # noqa: E731
        for _ in run_session(session, self.fabric, named, self.warn):
            pass
        return load_trained(session.directory(workload, seed))

    def _hooks(self, method: str, data: Data, start: Path | None) -> Sequence[Hook]:
        settings = self.settings
        if method == "prune":
            return (StructuredPruning(data.image_shape, settings.ratio, settings.every),)
        if method == "magnitude":
            return (MagnitudePruning(settings.sparsity, settings.every),)
        if method == "qat":
            return (QuantizationAware(data.image_shape, settings.bits, start),)
        if method == "distill":
            return (Distillation(self._teacher(), settings.temperature, settings.share),)
        return ()

    def _teacher(self) -> nn.Module:
        given = Path(self.settings.teacher)
        if given.is_dir():
            return load_trained(given).model
        recipe, epochs = self.session.recipe, self.settings.teacher_epochs
        if epochs is not None:
            recipe = recipe.with_epochs(epochs)
        return self._run("teacher", self.session.seeds[0], self.settings.teacher, recipe, tuple).model

    def _accuracy(self, model: nn.Module, data: Data) -> float:
        return accuracy_and_loss(predict(model, data.batches("test", self.session.recipe.batch)))[0]

    def _costed(self, method: str, model: nn.Module, top1: Spread) -> Compressed:
        data = self.session.opened(self.session.seeds[0])
        images, _ = next(iter(data.batches("validation", self.session.recipe.batch)))
        graph = with_densities(traceable(model, data).trace(), model, images)
        assert self.session.arch is not None
        return Compressed(
            method,
            top1,
            sum(parameter.numel() for parameter in model.parameters()),
            weight_density(model),
            device_cost(graph, self.session.arch),
        )


def traceable(model: nn.Module, data: Data) -> Workload:
    """A trained model as a workload, for one image."""
    return workload_of(model, "x".join(map(str, (1, *data.image_shape))))


def _fine_tuning(recipe: Recipe) -> Recipe:
    """Half of the epochs at a tenth of the learning rate: the start is a trained network."""
    shorter = recipe.with_epochs(max(1, recipe.total_epochs // 2))
    if shorter.optimizer is None:
        return shorter
    optimizer = shorter.optimizer.model_dump()
    return shorter.changed(optimizer={**optimizer, "lr": shorter.optimizer.lr * _FINE_TUNING})
