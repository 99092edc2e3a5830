"""The command: what it prints and writes, an exported program, Ctrl-C, and a missing device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from energysim.calibration import read_measurements
from energysim.cli import cli
from energysim.errors import UnavailableError
from energysim.measure import inference
from energysim.measure.result import Window


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small exported program, which cannot be switched to evaluation mode."""
    path = tmp_path_factory.mktemp("measured") / "net.pt2"
    torch.export.save(torch.export.export(nn.Linear(16, 4).eval(), (torch.zeros(2, 16),)), path)
    return path


def test_one_window_is_printed_and_written_as_json_and_csv(program: Path, tmp_path: Path) -> None:
    out, rows = tmp_path / "out.json", tmp_path / "rows.csv"
    arguments = ["measure", str(program), "--repeat", "1", "--json", str(out), "--csv", str(rows)]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0 and "latency" in done.output and "n = 1 windows" in done.output
    data = json.loads(out.read_text())
    assert data["windows"][0]["seconds"] >= 2.0 and data["idle_seconds"] >= 2.0
    assert (data["energy_j"] is None) == bool(data["unavailable"])
    (row,) = read_measurements(rows)
    assert row.latency_s == pytest.approx(data["latency_s"]["mean"]) and row.batch == 2


def test_after_an_interrupt_the_complete_windows_are_printed_and_the_exit_code_is_130(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inference that is interrupted after the first window, as by Ctrl-C (the loop itself: test_windows.py)."""
    window = inference._window
    windows = []

    def interrupted(*arguments: Any) -> Window:
        if windows:
            raise KeyboardInterrupt
        windows.append(window(*arguments))
        return windows[0]

    monkeypatch.setattr(inference, "_window", interrupted)
    out = tmp_path / "out.json"
    done = CliRunner().invoke(cli, ["measure", str(program), "--json", str(out)])
    assert done.exit_code == 130 and "latency" in done.output and "interrupted: 1 of 5 windows" in done.output
    data = json.loads(out.read_text())
    assert data["interrupted"] and len(data["windows"]) == 1 and data["latency_s"]["sd"] is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_one_error() -> None:
    done = CliRunner().invoke(cli, ["measure", "lightweight_cnn", "--device", "jetson"])
    assert isinstance(done.exception, UnavailableError) and "no CUDA device" in str(done.exception)


def test_windows_shorter_than_two_seconds_are_refused() -> None:
    done = CliRunner().invoke(cli, ["measure", "lightweight_cnn", "--seconds", "1"])
    assert done.exit_code == 2 and "--seconds" in done.output
