"""`timeloop-model` and `timeloop-mapper` as processes: one directory per run, gone when the run is over."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from energysim.engines.timeloop_run.inputs import RunInput
from energysim.engines.timeloop_run.results import SUFFIX, TEXT_SUFFIX, RunResult, read_leakage, read_result
from energysim.errors import EnergySimError, InfeasibleError, ProgramError
from energysim.programs import Finished, Program, find_program, run

VARIABLE = "ENERGYSIM_TIMELOOP"
MODEL, MAPPER = "timeloop-model", "timeloop-mapper"
HOW_TO_GET = (
    "its authors tell how to install it or run it in a container: https://timeloop.csail.mit.edu/installation; "
    f"then put {MODEL} and {MAPPER} on PATH, or the command that reaches them into {VARIABLE} (docs/engines.md)"
)
MODEL_LIMIT_S = 600.0
"""A model evaluates one mapping, normally within a second: what takes this long hangs."""
_MORE_TIME = "a longer --time-limit, or --engine native, whose search is complete"
_INPUT = "input.yaml"
# Without it the levels and networks that move nothing are left out, and a reader cannot tell nothing from not there.
_ALWAYS = {"TIMELOOP_HIDE_INCONSEQUENTIAL_STATS": "0"}
_NO_LINKS = {"TIMELOOP_DISABLE_LINK_TRANSFERS": "1"}
EXHAUSTIVE = {"TIMELOOP_DISABLE_TEMPORAL_EXTRAPOLATION": "1", "TIMELOOP_DISABLE_SPATIAL_EXTRAPOLATION": "1"}
"""Timeloop's own switches to walk every iteration instead of scaling the second one."""


def timeloop(name: str) -> Program:
    """One of Timeloop's programs. Raises UnavailableError where it is not installed."""
    return find_program(name, VARIABLE, HOW_TO_GET)


def run_model(
    given: RunInput, *, limit_s: float = MODEL_LIMIT_S, environment: Mapping[str, str] | None = None
) -> RunResult:
    """Evaluates one mapping. Raises ProgramError where Timeloop refuses it, fails or takes too long."""
    program = timeloop(MODEL)
    with _directory(given) as directory:
        ended = run(program, [_INPUT], directory, environment=_settings(given, environment), limit_s=limit_s)
        if ended.limited:
            raise ProgramError(f"{MODEL} did not end within {limit_s:g} s", hint="a smaller problem, or a larger limit")
        _check(MODEL, ended)
        result = read_result(directory / f"{MODEL}{SUFFIX}", _spaces(given))
        return replace(result, leakage_pj=read_leakage(directory / f"{MODEL}{TEXT_SUFFIX}"))


def run_mapper(given: RunInput, *, limit_s: float | None = None, ask_s: float = 30.0) -> tuple[str, str, RunResult]:
    """The best mapping found: (the input, the mapping as Timeloop wrote it, its counts).

    At ``limit_s`` the search is asked to end and gives the best so far. Raises InfeasibleError where it found none
    (it then ends as if all were well and writes empty files), ProgramError where it fails.
    """
    program = timeloop(MAPPER)
    with _directory(given) as directory:
        ended = run(program, [_INPUT], directory, environment=_settings(given, None), limit_s=limit_s, ask_s=ask_s)
        if ended.limited and ended.returncode == -signal.SIGINT:  # not even far enough to take note of it
            raise InfeasibleError(f"{MAPPER} found no valid mapping within {limit_s:g} s", hint=_MORE_TIME)
        if ended.limited and ended.returncode < 0:
            raise ProgramError(f"{MAPPER} did not end {ask_s:g} s after its time limit of {limit_s:g} s")
        _check(MAPPER, ended)
        mapping, statistics = directory / f"{MAPPER}.map.yaml", directory / f"{MAPPER}{SUFFIX}"
        text = _text(mapping)
        if not _text(statistics).strip() or "target" not in text:
            within = f" within {limit_s:g} s" if ended.limited else ""
            raise InfeasibleError(f"{MAPPER} found no valid mapping{within}", hint=_why(ended))
        return given.text, text, read_result(statistics, _spaces(given))


def _spaces(given: RunInput) -> list[str]:
    return [tensor.name for tensor in given.layout.problem.tensors]


def _settings(given: RunInput, more: Mapping[str, str] | None) -> dict[str, str]:
    return {**_ALWAYS, **({} if given.link_transfers else _NO_LINKS), **(more or {})}


@contextmanager
def _directory(given: RunInput) -> Iterator[Path]:
    """A directory with the input in it, removed at the end."""
    try:
        directory = Path(tempfile.mkdtemp(prefix="energysim-timeloop-")).resolve()
    except OSError as error:
        what = f"no directory for a Timeloop run: {error.strerror}"
        raise EnergySimError(what, hint="set TMPDIR to a directory that can be written to") from error
    try:
        with _written(directory):
            (directory / _INPUT).write_text(given.text, encoding="utf-8")
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)  # a container may have written as another user


@contextmanager
def _written(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnergySimError(f"cannot write to {str(directory)!r}: {error.strerror}") from error


def _check(name: str, ended: Finished) -> None:
    if ended.returncode != 0:
        how = f"was ended by signal {-ended.returncode}" if ended.returncode < 0 else f"failed ({ended.returncode})"
        raise ProgramError(f"{name} {how}: {ended.tail()}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _why(ended: Finished) -> str:
    """What the threads said when they gave up, else a way on."""
    told = [line.split("STATEMENT:")[1].strip() for line in ended.output.splitlines() if "STATEMENT:" in line]
    return told[-1] if told else _MORE_TIME
