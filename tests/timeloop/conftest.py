"""Fixtures of the Timeloop reader: files by name, and small ones written on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from energysim.engines.timeloop import TimeloopInput, read_timeloop

FILES = Path(__file__).parent / "files"


@pytest.fixture
def read() -> Callable[..., TimeloopInput]:
    """Reads files of tests/timeloop/files by stem."""
    return lambda *stems: read_timeloop([FILES / f"{stem}.yaml" for stem in stems])


@pytest.fixture
def read_text(tmp_path: Path) -> Callable[..., TimeloopInput]:
    """Reads texts as files in.yaml, in1.yaml... after the files of the stems given."""

    def run(*texts: str, after: tuple[str, ...] = ()) -> TimeloopInput:
        paths = [FILES / f"{stem}.yaml" for stem in after]
        for index, text in enumerate(texts):
            paths.append(tmp_path / f"in{index or ''}.yaml")
            paths[-1].write_text(text)
        return read_timeloop(paths)

    return run
