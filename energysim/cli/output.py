"""What commands share: text to a file or stdout, progress that is quiet in a pipe."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from energysim.errors import EnergySimError


def command_line() -> str:
    """What was typed, as the metadata of figures tells it."""
    return shlex.join(["energysim", *sys.argv[1:]])


def write_text(text: str, target: str) -> None:
    """To stdout for '-', else to a file, whole or not at all."""
    if target == "-":
        click.echo(text)
        return
    path = Path(target)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise EnergySimError(f"cannot write {target!r}: {error.strerror}") from error


def check_directory(directory: Path, marker: str, force: bool) -> None:
    """Raises EnergySimError unless ``directory`` may be written: it is new or empty, or, with ``force``, an earlier
    result, which ``marker``, a JSON file with the key ``energysim``, tells."""
    try:
        if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
            return
    except OSError as error:
        raise EnergySimError(f"cannot read {str(directory)!r}: {error.strerror}") from error
    if not directory.is_dir():
        raise EnergySimError(f"{str(directory)!r} is a file", hint="the name of a directory is right here")
    if not _is_ours(directory / marker):
        raise EnergySimError(f"{str(directory)!r} holds other files", hint="a new or an empty directory is right here")
    if not force:
        raise EnergySimError(f"{str(directory)!r} holds an earlier result", hint="--force replaces it")


def _is_ours(marker: Path) -> bool:
    import json

    try:
        content = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "energysim" in content


def write_directory(
    files: Mapping[str, str], directory: Path, marker: str, force: bool, executable: tuple[str, ...] = ()
) -> None:
    """``files`` (relative path -> text) as one directory, whole or not at all; see :func:`check_directory`."""
    check_directory(directory, marker, force)
    directory = directory.absolute()
    temporary = directory.with_name(f".{directory.name}.{os.getpid()}.partial")
    old = temporary.with_suffix(".old")
    try:
        for name, text in files.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            if name in executable:
                path.chmod(0o755)
        if directory.exists():
            directory.rename(old)
        temporary.rename(directory)
    except OSError as error:
        if old.exists() and not directory.exists():
            old.rename(directory)
        raise EnergySimError(f"cannot write {str(directory)!r}: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def progress_bar(
    verb: str, remaining: bool = False, counted: bool = True
) -> Iterator[Callable[[int, int, str], None] | None]:
    """A bar on a terminal's stderr; None in a pipe. The callable takes (done, total, what is being done).

    ``remaining``: with the time that is left, for long work in even steps. ``counted``: with done and total, which
    count something; else as a percentage.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: list[ProgressColumn] = [TextColumn("{task.description}"), BarColumn()]
    columns += [MofNCompleteColumn() if counted else TaskProgressColumn(), TimeElapsedColumn()]
    if remaining:
        columns += [TextColumn("left:"), TimeRemainingColumn()]
    speed_over_s = 600.0 if remaining else 30.0
    with Progress(*columns, speed_estimate_period=speed_over_s, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(verb)

        def update(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{verb} {what}")

        yield update
