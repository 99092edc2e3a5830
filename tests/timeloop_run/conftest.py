"""Timeloop by recordings: its programs on PATH are stand-ins that replay what the real ones answered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from energysim.engines.timeloop_run import version

_FAKE = Path(__file__).parent / "fake_timeloop.py"
sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))  # the numbers of the golden cases


@pytest.fixture
def timeloop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with both programs, alone in front of PATH; temporary files go to ``tmp_path / "tmp"``."""
    programs, temporary = tmp_path / "bin", tmp_path / "tmp"
    programs.mkdir()
    temporary.mkdir()
    for name in ("timeloop-model", "timeloop-mapper"):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{_FAKE}" {name} "$@"\n')
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(version, "_checked", set())
    monkeypatch.delenv("ENERGYSIM_TIMELOOP", raising=False)
    yield programs
    assert not list(temporary.glob("energysim-*")), "a run left files behind"
