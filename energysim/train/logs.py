"""What a run writes beside its checkpoints: a CSV that always matches the newest one, and TensorBoard's events."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from energysim.train.checkpoint import RunFiles, write_whole
from energysim.train.extras import require
from energysim.train.hooks import EpochRecord


def csv_text(history: Sequence[EpochRecord]) -> str:
    """One line per epoch; columns of hooks after the loop's own, empty where an epoch lacks them."""
    extra = dict.fromkeys(name for record in history for name in record.extra)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, (*EpochRecord.columns(), *extra), lineterminator="\n")
    writer.writeheader()
    writer.writerows(record.to_dict() for record in history)
    return stream.getvalue()


def write_csv(files: RunFiles, history: Sequence[EpochRecord]) -> None:
    write_whole(files.metrics, csv_text(history).encode())


class EventLog:
    """TensorBoard's scalars of a run. Epochs after ``epochs_done``, left by a killed process, are purged."""

    def __init__(self, directory: Path, epochs_done: int) -> None:
        tensorboard = require("torch.utils.tensorboard", "TensorBoard logs")
        self._writer: Any = tensorboard.SummaryWriter(str(directory), purge_step=epochs_done + 1)

    def add(self, record: EpochRecord) -> None:
        for name, value in record.to_dict().items():
            if isinstance(value, int | float) and name != "epoch":
                self._writer.add_scalar(name, value, record.epoch)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
