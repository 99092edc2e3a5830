"""Finished runs on disk, grouped by model: the input of `compare` and of the figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from energysim.errors import EnergySimError, NotFoundError
from energysim.train.models import Trained, load_trained
from energysim.train.result import RunResult, read_result
from energysim.train.session import cost_of
from energysim.train.summary import ModelSummary, summarize

_TIMED_RUNS = 20
_TIMED_SECONDS = 0.3


@dataclass(frozen=True)
class Group:
    """Runs of one model with different seeds; ``label`` tells it from the other groups."""

    label: str
    results: tuple[RunResult, ...]

    @property
    def first(self) -> Path:
        """Directory of the first seed's run."""
        return Path(self.results[0].directory)

    def trained(self) -> Trained:
        """The model of the first seed's run."""
        return load_trained(self.first)


def find_groups(paths: Sequence[Path]) -> tuple[Group, ...]:
    """The groups of :func:`all_groups`, of one data set. Raises EnergySimError where the runs are of several."""
    groups = all_groups(paths)
    data = {str(result.about.get("data")) for group in groups for result in group.results}
    if len(data) > 1:
        raise EnergySimError(
            f"these runs are of {len(data)} data sets: {', '.join(sorted(data))}", hint="runs of one data set compare"
        )
    return groups


def all_groups(paths: Sequence[Path]) -> tuple[Group, ...]:
    """Groups of finished runs below the paths (a run, its checkpoint, or a directory of runs), in their order.

    Raises NotFoundError where a path holds no finished run.
    """
    found: dict[Path, list[RunResult]] = {}
    for path in paths:
        for file in _result_files(path):
            run = file.parent
            key = run.parent if run.name.startswith("seed") else run
            result = replace(read_result(file), directory=str(run))
            if all(result.directory != known.directory for known in found.setdefault(key, [])):
                found[key].append(result)
    names = [str(results[0].about.get("name", key.name)) for key, results in found.items()]
    return tuple(
        Group(name if names.count(name) == 1 else f"{name} ({key})", tuple(sorted(results, key=lambda r: r.seed)))
        for name, (key, results) in zip(names, found.items(), strict=True)
    )


def _result_files(path: Path) -> list[Path]:
    start = path.parent if path.suffix == ".pt" else path
    files = sorted(start.rglob("result.json")) if path.suffix != ".pt" else [start / "result.json"]
    directories = {file.parent for file in files}
    # Runs that another one starts from lie within its directory.
    own = [file for file in files if not directories.intersection(file.parent.parents) and file.is_file()]
    if not path.exists() or not own:
        what = f"no finished run in {str(path)!r}" if path.exists() else f"no {str(path)!r}"
        raise NotFoundError(
            what, hint="a directory that `energysim train` made, or a checkpoint of a finished run in it"
        )
    return own


def summarize_group(group: Group, arch: str | None, timed: bool) -> ModelSummary:
    """The group's line; ``arch``: with the cost there; ``timed``: with the time of an inference on this machine."""
    cost = None if arch is None else cost_of(group.first, arch)
    summary = replace(summarize(group.results, cost), name=group.label)
    if timed:
        trained = group.trained()
        summary = replace(summary, inference_s=inference_seconds(trained.model, tuple(trained.about["image_shape"])))
    return summary


def inference_seconds(model: nn.Module, image_shape: tuple[int, ...]) -> float:
    """Median time of one inference, batch 1, on the model's device, which is a CPU: nothing runs behind."""
    images = torch.zeros(1, *image_shape)
    times: list[float] = []
    with torch.inference_mode():
        for _ in range(3):
            model(images)
        while len(times) < _TIMED_RUNS or sum(times) < _TIMED_SECONDS:
            began = time.perf_counter()
            model(images)
            times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]
