"""What commands share: text to a file or stdout, progress that is quiet in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from energysim.errors import EnergySimError


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


@contextmanager
def progress_bar(verb: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """A bar on a terminal's stderr; None in a pipe. The callable takes (done, total, what is being done)."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(verb)

        def update(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{verb} {what}")

        yield update
