"""The training loop: one run of one model, resumable at any step to the same trajectory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from energysim.train.checkpoint import RunFiles, held, newest
from energysim.train.data import Data
from energysim.train.hooks import Hook
from energysim.train.interrupt import stop_request
from energysim.train.randomness import seeded
from energysim.train.recipe import Recipe
from energysim.train.result import RunResult, read_result
from energysim.train.run import Run, TrainingError, check_same_run
from energysim.train.runtime import make_fabric
from energysim.train.trainer import Interrupted, Progress, Trainer

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Interrupted", "Progress", "TrainingError", "fit"]


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
        CheckpointError: a checkpoint cannot be written, is damaged beyond the one before it, or is another run's; or
            another process trains in ``run_dir``.
        TrainingError: the loss is not finite; the model's output does not fit the data set.
        Interrupted: Ctrl-C or SIGTERM; the checkpoint is written.
    """
    files = RunFiles(Path(run_dir))
    run = Run(recipe, data, files, seed, fabric or make_fabric(recipe), tuple(hooks), dict(about or {}))
    with held(files) if run.fabric.is_global_zero else nullcontext():
        if not resume and run.fabric.is_global_zero:
            files.start_over()
        run.fabric.barrier()
        found = newest(files) if resume else None
        if found is not None:
            check_same_run(run, found)
            if found.warning and warn:
                warn(found.warning)
            if found.content["place"]["finished"] and files.result.exists():
                return read_result(files.result)
        with seeded(seed, "run"), stop_request() as stop:
            return Trainer(run, model_factory, found.content if found else None).train(stop, progress)
