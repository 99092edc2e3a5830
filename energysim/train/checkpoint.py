"""Checkpoints: written whole or not at all, the one before kept, damage found when they are read."""

from __future__ import annotations

import fcntl
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from energysim.errors import EnergySimError, Location, NotFoundError
from energysim.files import write_whole as _write_whole

FORMAT = "energysim-train"
VERSION = 1


class CheckpointError(EnergySimError):
    """A checkpoint cannot be written, is damaged, or belongs to another run."""


@dataclass(frozen=True)
class RunFiles:
    """Names of what a run leaves in its directory."""

    directory: Path

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.directory / "last.pt"

    @property
    def coming(self) -> Path:
        """A whole checkpoint on its way to be the newest; left behind only by a kill between two renames."""
        return self.directory / "next.pt"

    @property
    def previous(self) -> Path:
        """The checkpoint before it."""
        return self.directory / "previous.pt"

    @property
    def final(self) -> Path:
        """The weights that the run is judged by, once it is finished."""
        return self.directory / "final.pt"

    def snapshot(self, number: int) -> Path:
        """The network at the end of a cycle of the learning rate (from 1), where the recipe keeps them."""
        return self.directory / f"snapshot{number}.pt"

    @property
    def snapshots(self) -> tuple[Path, ...]:
        """Those that are there, in the order of their cycles."""
        numbers = (file.stem.removeprefix("snapshot") for file in self.directory.glob("snapshot*.pt"))
        return tuple(self.snapshot(number) for number in sorted(int(text) for text in numbers if text.isdecimal()))

    @property
    def metrics(self) -> Path:
        return self.directory / "metrics.csv"

    @property
    def result(self) -> Path:
        return self.directory / "result.json"

    @property
    def tensorboard(self) -> Path:
        return self.directory / "tensorboard"

    def start_over(self) -> None:
        """Remove what an earlier run left here (its TensorBoard files stay)."""
        own = (self.coming, self.last, self.previous, self.final, self.metrics, self.result)
        for file in (*own, *self.snapshots):
            file.unlink(missing_ok=True)


@contextmanager
def held(files: RunFiles) -> Iterator[None]:
    """The run's directory, for this process alone; the system lets go of it when the process ends, however it ends.

    Raises CheckpointError where another process trains there, or the directory cannot be made.
    """
    try:
        files.directory.mkdir(parents=True, exist_ok=True)
        stream = (files.directory / ".lock").open("a")
    except OSError as error:
        raise CheckpointError(f"cannot write into {str(files.directory)!r}: {error.strerror}") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f"another process is training in {str(files.directory)!r}"
            raise CheckpointError(what, hint="wait for it, or another --out") from None
        yield


def write_whole(path: Path, content: bytes) -> None:
    """``content`` under ``path`` on the disk, or the file as it was and CheckpointError (full disk, no permission)."""
    try:
        _write_whole(path, content)
    except EnergySimError as error:
        raise CheckpointError(error.what) from None


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Tensors and plain values to a file. Raises CheckpointError; then ``path`` is as it was."""
    stream = io.BytesIO()
    torch.save({"format": FORMAT, "version": VERSION, **content}, stream)
    write_whole(path, stream.getvalue())


def write_last(files: RunFiles, content: dict[str, Any]) -> None:
    """The run's newest checkpoint; what was the newest becomes ``previous``. At every moment one of them is whole."""
    write_checkpoint(files.coming, content)
    try:
        if files.last.exists():
            files.last.replace(files.previous)
        files.coming.replace(files.last)
    except OSError as error:
        raise CheckpointError(f"cannot rename {str(files.coming)!r}: {error.strerror}") from None


def read_checkpoint(path: Path, device: str = "cpu") -> dict[str, Any]:
    """The content, its tensors on ``device``.

    Only tensors and plain values are ever unpickled. Raises NotFoundError, or CheckpointError where the file is damaged
    (every record's checksum is compared) or no checkpoint of energysim.
    """
    where = Location(str(path))
    if not path.is_file():
        raise NotFoundError(f"no checkpoint {str(path)!r}")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        content = None if damaged else torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file raises nearly anything
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"the checkpoint is damaged: {reason}", where=where) from None
    if damaged:
        raise CheckpointError(f"the checkpoint is damaged: {damaged} has another checksum", where=where)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError("no checkpoint that `energysim train` wrote", where=where)
    if content.get("version") != VERSION:
        got = content.get("version")
        raise CheckpointError(f"a checkpoint of version {got!r}; this energysim reads {VERSION}", where=where)
    return content


@dataclass(frozen=True)
class Found:
    """The newest whole checkpoint of a run, and what was wrong with a newer one."""

    content: dict[str, Any]
    file: Path
    warning: str | None = None


def newest(files: RunFiles) -> Found | None:
    """The newest whole checkpoint; None where the run has none. Raises CheckpointError where all are damaged."""
    problems: list[CheckpointError] = []
    for file in (files.coming, files.last, files.previous):
        if not file.exists():
            continue
        try:
            content = read_checkpoint(file)
        except CheckpointError as error:
            problems.append(error)
            continue
        warning = f"{problems[0]}; going on from {file.name}" if problems else None
        return Found(content, file, warning)
    if problems:
        hint = f"delete {str(files.directory)!r}, or --fresh to start over"
        raise CheckpointError(problems[0].what, where=problems[0].where, hint=hint)
    return None
