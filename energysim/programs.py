"""Other programs: found on PATH or behind a command prefix, run with a time limit, never left behind.

A child gets a process group of its own, no terminal, and its output in a file. It is stopped - asked first, killed two
seconds later, with everything it started - when its time is up, when the caller is interrupted, or when another
thread calls :func:`stop_all`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from energysim.errors import EnergySimError, UnavailableError

LOG = "output.txt"
"""What a program printed, in its directory."""
_DIRECTORY = "{dir}"
_GRACE_S = 2.0
_TAIL_LINES = 5
_TAIL_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run. ``prefix`` stands before its name (``docker run ...``); ``variable`` is where it came from."""

    name: str
    prefix: tuple[str, ...] = ()
    variable: str = ""

    def command(self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str]) -> list[str]:
        """The words to execute. Behind a prefix the environment travels as ``env NAME=value``: what runs there (a
        container) sees only that of its own."""
        prefix = [word.replace(_DIRECTORY, str(directory)) for word in self.prefix]
        settings = ["env", *(f"{name}={value}" for name, value in environment.items())] if environment else []
        return [*prefix, *(settings if self.prefix else []), self.name, *arguments]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended. ``limited``: it was stopped at its time limit. ``output`` is everything that it printed."""

    returncode: int
    output: str
    limited: bool
    seconds: float

    def tail(self) -> str:
        """The last words that say something, for an error message."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        told = [line for line in lines if "error" in line.lower()] or lines
        return " | ".join(told[-_TAIL_LINES:])[-_TAIL_CHARACTERS:] or "it printed nothing"


def find_program(name: str, variable: str, how_to_get: str) -> Program:
    """The program behind the prefix in the environment variable, or else on PATH.

    Raises UnavailableError where there is neither, saying how to get it.
    """
    text = os.environ.get(variable, "").strip()
    if text:
        try:
            prefix = tuple(shlex.split(text))
        except ValueError as error:
            raise UnavailableError(f"{variable}={text!r} is no command: {error}", hint=_prefix_hint(variable)) from None
        if shutil.which(prefix[0]) is None:
            raise UnavailableError(f"{variable} starts with {prefix[0]!r}, which is not installed", hint=how_to_get)
        return Program(name, prefix, variable)
    if shutil.which(name) is None:
        raise UnavailableError(
            f"{name} is not installed: it is not on PATH, and {variable} names no command", hint=how_to_get
        )
    return Program(name)


def _prefix_hint(variable: str) -> str:
    return f"for example {variable}='docker run --rm --init -v {_DIRECTORY}:{_DIRECTORY} -w {_DIRECTORY} IMAGE'"


# --- children -------------------------------------------------------------------------------------------------------

_children: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()
_stopping = threading.Event()


def stop_all() -> None:
    """Stops every running child; programs that threads start from now on are refused until :func:`resume`."""
    _stopping.set()
    with _lock:
        children = list(_children)
    for child in children:
        _signal(child, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, deadline - time.monotonic()))
        _signal(child, signal.SIGKILL)


def resume() -> None:
    """Programs may start again."""
    _stopping.clear()


def run(
    program: Program,
    arguments: Sequence[str],
    directory: Path,
    *,
    environment: Mapping[str, str] | None = None,
    limit_s: float | None = None,
    ask_s: float = _GRACE_S,
) -> Finished:
    """Runs a program in a directory until it ends or its time is up.

    At ``limit_s`` it is interrupted (as by Ctrl-C) and has ``ask_s`` seconds to write down what it has. Raises
    UnavailableError where it cannot be started, EnergySimError where the directory cannot be written to, and
    KeyboardInterrupt where this process was interrupted or ``stop_all`` was called; no child outlives any of them.
    """
    settings = dict(environment or {})
    command = program.command(arguments, directory, settings)
    started = time.monotonic()
    limited = False
    with _child(program, command, directory, settings) as child:
        try:
            child.wait(limit_s)
        except subprocess.TimeoutExpired:
            limited = True
            _signal(child, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(ask_s)
    if _stopping.is_set():
        raise KeyboardInterrupt
    output = (directory / LOG).read_text(encoding="utf-8", errors="replace")
    return Finished(child.returncode, output, limited, time.monotonic() - started)


@contextlib.contextmanager
def _child(
    program: Program, command: list[str], directory: Path, settings: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A child that is dead, with its whole process group, when the block is left."""
    try:
        log = (directory / LOG).open("wb")
    except OSError as error:
        raise EnergySimError(f"cannot write to {str(directory)!r}: {error.strerror}") from error
    with log:
        with _lock:
            if _stopping.is_set():
                raise KeyboardInterrupt
            try:
                child = subprocess.Popen(
                    command,
                    cwd=directory,
                    env=os.environ | settings,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                )
            except OSError as error:
                raise UnavailableError(f"{program.name} cannot be started: {error.strerror}") from error
            _children.add(child)
        try:
            yield child
        finally:
            _end(child)
            with _lock:
                _children.discard(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    _signal(child, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_S)
    _signal(child, signal.SIGKILL)  # also what the child started and left behind
    child.wait()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
