"""The public errors. Every bad input ends in exactly one of these, with the place and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """Where in a file something is wrong; ``line`` counts from 1, ``key`` is a dotted path."""

    file: str
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        text = self.file if self.line is None else f"{self.file}:{self.line}"
        return text if self.key is None else f"{text}: {self.key}"


class EnergySimError(Exception):
    """What is wrong, where, and what would be right. The command line prints it and exits with 2."""

    def __init__(self, what: str, *, where: Location | None = None, hint: str | None = None) -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        text = self.what if self.where is None else f"{self.where}: {self.what}"
        return text if self.hint is None else f"{text} ({self.hint})"


class SpecError(EnergySimError):
    """A YAML file (architecture, workload, experiment, Timeloop input) is malformed."""


class UnitError(EnergySimError):
    """A quantity has no unit, the wrong unit, or is no number."""


class NotFoundError(EnergySimError):
    """A named thing (spec, workload, layer, file) does not exist."""


class TraceError(EnergySimError):
    """A model cannot be turned into a layer graph."""


class MappingError(EnergySimError):
    """A given mapping does not fit its problem or architecture."""


class InfeasibleError(EnergySimError):
    """No mapping exists: which memory, which tensor, how many bytes are needed and available."""


class UnavailableError(EnergySimError):
    """An optional engine, estimator, reader or data set is not installed or not reachable."""


class ProgramError(EnergySimError):
    """Another program (Timeloop, Accelergy) failed, ran out of time, or wrote what cannot be read."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str | None:
    """A hint naming the closest known words, or None where nothing is close."""
    close = difflib.get_close_matches(wrong, list(known), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(repr(str(word)) for word in close)}?" if close else None
