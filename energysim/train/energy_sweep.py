"""Accuracy against the energy that training it took (system S3): depth, width, shortcuts, learning rate, pruning.

One factor at a time is moved away from a base. Every point is a workload file and a run of its own, so it resumes, and
`evaluate`, `compare` and `simulate` take it like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from energysim.train.checkpoint import write_whole
from energysim.train.hooks import Hook
from energysim.train.models import fitted_workload
from energysim.train.prune import StructuredPruning, pruning_times
from energysim.train.result import RunResult
from energysim.train.session import Session, run_session
from energysim.train.summary import Spread
from energysim.train.training_energy import TrainingEnergy, optimizer_key

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from energysim.train.recipe import Recipe

Progress = Callable[[str], Callable[[int, int, str], None] | None]


@dataclass(frozen=True)
class Point:
    """A network and how it is trained. ``kind``: resnet, or ffnn (then depth, width and shortcut mean nothing)."""

    kind: str = "resnet"
    depth: int = 14
    width: int = 16
    shortcut: bool = True
    lr: float = 0.001
    pruned: bool = False

    @property
    def label(self) -> str:
        net = "ffnn" if self.kind == "ffnn" else f"resnet{self.depth} width {self.width}"
        plain = "" if self.shortcut else " without shortcuts"
        return f"{net}{plain}{' pruned' if self.pruned else ''} lr {self.lr:g}"

    def workload_yaml(self) -> str:
        """The network as a workload file."""
        if self.kind == "ffnn":
            return "model: energysim.nn.zoo:ffnn\ninput: 1x3x32x32\n"
        arguments = f"depth: {self.depth}, width: {self.width}, shortcut: {str(self.shortcut).lower()}, init: xavier"
        return f"model: energysim.nn.zoo:cifar_resnet\narguments: {{{arguments}}}\ninput: 1x3x32x32\n"


@dataclass(frozen=True)
class SweepRow:
    """``training_j``: of the whole run, mean over seeds; ``first_epoch_j``, ``macs``: of its first epoch.
    ``epochs_to``: epochs until validation accuracy first reached ``target``, None where that of a seed never did."""

    point: Point
    top1: Spread
    training_j: float
    first_epoch_j: float
    macs: int
    parameters: int
    epochs_to: float | None


def points_around(
    base: Point, depths: Sequence[int], widths: Sequence[int], rates: Sequence[float], extras: bool = True
) -> tuple[Point, ...]:
    """The base, every other depth, width and learning rate, and with ``extras`` no shortcuts, pruning, and the
    feed-forward network."""
    points = [base]
    points += [replace(base, depth=depth) for depth in depths]
    points += [replace(base, width=width) for width in widths]
    points += [replace(base, lr=rate) for rate in rates]
    if extras:
        points += [replace(base, shortcut=False), replace(base, pruned=True), replace(base, kind="ffnn")]
    return tuple(dict.fromkeys(points))


def energy_sweep(
    points: Sequence[Point],
    session: Session,
    fabric: Fabric,
    progress: Progress,
    warn: Callable[[str], None],
    *,
    ratio: float = 0.3,
    every: int = 5,
    target: float = 0.9,
) -> Iterator[SweepRow]:
    """Trains every point over the session's seeds (its workloads are not used), the energy logged per epoch.

    ``ratio``: share of channels that pruned points lose. Raises PruningError where the recipe is too short to prune,
    DepthError for a depth that no ResNet has.
    """
    if any(point.pruned for point in points):
        pruning_times(session.recipe.total_epochs, every)
    files = {point: session.out / "workloads" / f"{point.label.replace(' ', '-')}.yaml" for point in points}
    for point, file in files.items():  # all of them before the first is trained: a network that cannot be costs nothing
        write_whole(file, point.workload_yaml().encode())
        fitted_workload(str(file), session.opened(session.seeds[0])).model()
    for point, file in files.items():
        yield _row(point, _runs(point, file, session, fabric, progress, warn, ratio, every), target)


def _runs(
    point: Point,
    file: Path,
    session: Session,
    fabric: Fabric,
    progress: Progress,
    warn: Callable[[str], None],
    ratio: float,
    every: int,
) -> tuple[RunResult, ...]:
    recipe, data = _at_rate(session.recipe, point.lr), session.opened(session.seeds[0])
    assert session.arch is not None and recipe.optimizer is not None
    arch, optimizer = session.arch, optimizer_key(recipe.optimizer)

    def hooks() -> Sequence[Hook]:
        logging = TrainingEnergy(arch, data.image_shape, len(data.train), optimizer, recipe.batch)
        pruning = (StructuredPruning(data.image_shape, ratio, every),) if point.pruned else ()
        return (logging, *pruning)

    out = session.out / point.label.replace(" ", "-")
    own = replace(session, workloads=(str(file),), recipe=recipe, out=out, make_hooks=hooks)
    (results,) = run_session(own, fabric, lambda run: progress(f"{point.label} {run}"), warn)
    return results


def _at_rate(recipe: Recipe, lr: float) -> Recipe:
    """Raises ValueError for a recipe of stages, which have learning rates of their own."""
    if recipe.optimizer is None:
        raise ValueError("a sweep over learning rates needs a recipe of one stage")
    return recipe.changed(optimizer={**recipe.optimizer.model_dump(), "lr": lr})


def _row(point: Point, results: Sequence[RunResult], target: float) -> SweepRow:
    first = results[0].history[0].extra
    reached = [
        next((record.epoch for record in result.history if record.validation_accuracy >= target), None)
        for result in results
    ]
    epochs = [epoch for epoch in reached if epoch is not None]
    return SweepRow(
        point,
        Spread.of([result.test.top1 for result in results]),
        sum(result.history[-1].extra["cumulative_energy_j"] for result in results) / len(results),
        first["energy_j"],
        round(first["training_macs"]),
        results[0].parameters,
        sum(epochs) / len(epochs) if len(epochs) == len(results) else None,
    )
