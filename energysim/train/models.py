"""The model of a training run: built to fit a data set, and built again from a checkpoint."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from energysim.errors import Location, NotFoundError
from energysim.train.checkpoint import CheckpointError, RunFiles, read_checkpoint
from energysim.train.data import Data, open_data
from energysim.train.hooks import EpochRecord, Hook
from energysim.workload import Workload, WorkloadError, resolve_workload


def fitted_workload(spec: str, data: Data) -> Workload:
    """A workload with the data set's classes and image size. Raises NotFoundError, SpecError, WorkloadError."""
    return _fitted(spec, data.num_classes, data.image_shape)


def _fitted(spec: str, classes: int, image_shape: tuple[int, ...]) -> Workload:
    shape = "x".join(map(str, (1, *image_shape)))
    found = resolve_workload(spec, shape, offered={"num_classes": classes})
    if found.build is None:
        raise WorkloadError(f"{spec!r} has no PyTorch model to train", hint="a name, package.module:factory or file.py")
    return found


def about_run(spec: str, workload: Workload, data: Data, recipe_name: str) -> dict[str, Any]:
    """What a checkpoint needs to say for its model to be built, and its data opened, again."""
    return {
        "workload": spec,
        "name": workload.name,
        "arguments": {"num_classes": data.num_classes},
        "recipe_name": recipe_name,
        "data": data.name,
        "image_shape": list(data.image_shape),
        "classes": list(data.classes),
    }


@dataclass(frozen=True, eq=False)
class Trained:
    """A model from a checkpoint, in evaluation mode, with its weights."""

    file: Path
    model: nn.Module
    workload: Workload
    about: dict[str, Any]
    seed: int
    history: tuple[EpochRecord, ...]

    def data(self, root: str | Path = "data", name: str | None = None, verified: bool = True) -> Data:
        """The data set that it was trained on, split alike (or the one called ``name``)."""
        size = self.about["image_shape"][-1]
        return open_data(name or self.about["data"], root, image_size=size, seed=self.seed, verified=verified)

    def traceable(self) -> Workload:
        """The trained network as a workload: what pruning and quantization changed is in it."""
        shape = "x".join(map(str, (1, *self.about["image_shape"])))
        from energysim.workload import workload_of

        found = workload_of(self.model, shape)
        return Workload(self.workload.name, found.origin, found.inputs, found.build, found.read)


def load_trained(path: Path) -> Trained:
    """The model of a checkpoint, or of a run's directory (its final.pt, else its last.pt).

    Raises NotFoundError, CheckpointError (damaged, or the model's code has changed since), WorkloadError.
    """
    file = path
    if path.is_dir():
        file = next((path / name for name in ("final.pt", "last.pt") if (path / name).exists()), path / "final.pt")
    content = read_checkpoint(file)
    about: Mapping[str, Any] = content["about"]
    if "workload" not in about:
        raise CheckpointError("it does not name its workload", where=Location(str(file)))
    workload = _fitted(about["workload"], about["arguments"]["num_classes"], tuple(about["image_shape"]))
    model = workload.model()
    for name, reference in content["hook_classes"].items():
        model = _hook_class(reference, file).rebuilt(model, content["hooks"][name])
    try:
        model.load_state_dict(content["model"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"its weights do not fit {about['workload']!r}: {reason}", where=Location(str(file))
        ) from None
    history = tuple(EpochRecord(**record) for record in content["history"])
    return Trained(file, model.eval(), workload, dict(about), content["identity"]["seed"], history)


def load_snapshots(run_dir: Path) -> tuple[Trained, ...]:
    """The networks of a run's snapshot ensemble, as far as the run has come.

    Raises NotFoundError where it has none, and what ``load_trained`` raises.
    """
    files = RunFiles(run_dir).snapshots
    if not files:
        hint = "the directory of a run whose recipe has `snapshots: true`"
        raise NotFoundError(f"no snapshots in {str(run_dir)!r}", hint=hint)
    return tuple(load_trained(file) for file in files)


def _hook_class(reference: str, file: Path) -> type[Hook]:
    """A checkpoint may name code of energysim only: reading one must not run anything else."""
    module, _, name = reference.partition(":")
    if not module.startswith("energysim."):
        raise CheckpointError(f"it was trained with {reference}, which is not energysim's", where=Location(str(file)))
    found = getattr(importlib.import_module(module), name, None)
    if not (isinstance(found, type) and issubclass(found, Hook)):
        raise CheckpointError(f"it was trained with {reference}, which does not exist here", where=Location(str(file)))
    return found
