"""Finished runs as `energysim train` leaves them, with figures of the test's choice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from energysim.train.evaluate import Metrics
from energysim.train.hooks import EpochRecord
from energysim.train.result import RunResult


def make_run(
    directory: Path,
    top1: float,
    *,
    epochs: int,
    top5: float | None = None,
    seed: int = 0,
    validation: Sequence[float] = (),
    lr: float = 0.1,
    extra: dict[str, float] | None = None,
    stopped_early: bool = False,
    **about: Any,
) -> None:
    """``validation``: accuracy after each epoch (the last goes on); ``about``: name, recipe_name, data, workload."""
    reached = [*validation, *([validation[-1] if validation else top1] * (epochs - len(validation)))]
    history = tuple(
        EpochRecord(number, "all", lr, 0.1, 0.9, 0.2, accuracy, 1.0, extra or {})
        for number, accuracy in enumerate(reached, 1)
    )
    metrics = Metrics(100, 0.5, top1, top5, (top1,), ((100,),), 0.01)
    result = RunResult(str(directory), seed, history, epochs, top1, metrics, 10, 1.0, stopped_early, "cpu", about)
    directory.mkdir(parents=True)
    (directory / "result.json").write_text(result.to_json())
