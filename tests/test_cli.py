"""Commands as a user types them: exit codes, one message, JSON whole or not at all."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from energysim.cli import main


def run(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "energysim", *args], capture_output=True, text=True, cwd=cwd)


def test_simulate_prints_a_table_and_what_is_not_modelled() -> None:
    done = run("simulate", "lightweight_cnn", "--arch", "a2")
    assert done.returncode == 0, done.stderr
    for word in ("lightweight_cnn", "energy", "DRAM", "total", "Not modelled", "15,753,728"):
        assert word in done.stdout


def test_simulate_json_on_stdout_is_only_json() -> None:
    done = run("simulate", "lightweight_cnn", "--arch", "a2", "--json", "-")
    assert json.loads(done.stdout)["variants"][0]["totals"]["macs"] == 15_753_728


MODEL = """
import torch
from torch import nn

def build():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())

def broken():
    raise RuntimeError("no weights here")

not_callable = 3
"""

SPEC = """version: 1
name: mine
source: a test
clock: 1 GHz
nodes:
  - memory: DRAM
    kind: dram
    keeps: [weights, ifmap, ofmap]
    energy: {read: 8 pJ/bit, write: 8 pJ/bit}
  - memory: BUF
    kind: sram
    keeps: [weights, ifmap, ofmap]
    capacity: 64 KiB
    energy: {read: 1 pJ/bit, write: 1 pJ/bit}
  - compute: MAC
    kind: int
    bits: 8
    energy: {mac: 0.3 pJ}
"""


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("simulate", "lightweight_cnn", "--arch", "nowhere.yaml"), ["nowhere.yaml"]),
        (("simulate", "lightweight_cnn", "--arch", "gemini"), ["gemini", "gemmini"]),
        (("simulate", "lightwight_cnn", "--arch", "a2"), ["lightwight_cnn", "lightweight_cnn"]),
        (("simulate", "nomodule:build", "--arch", "a2", "--input", "1x3x8x8"), ["nomodule"]),
        (("simulate", "mymodel.py:buid", "--arch", "a2", "--input", "1x3x8x8"), ["buid", "build"]),
        (("simulate", "mymodel.py:broken", "--arch", "a2", "--input", "1x3x8x8"), ["broken", "no weights here"]),
        (("simulate", "mymodel.py:not_callable", "--arch", "a2", "--input", "1x3x8x8"), ["not_callable"]),
        (("simulate", "mymodel.py:build", "--arch", "a2"), ["--input"]),
        (("simulate", "mymodel.py:build", "--arch", "a2", "--input", "1x1x8x8"), ["channel"]),
        (("simulate", "mymodel.py:build", "--arch", "a2", "--input", "1x3xeight"), ["eight"]),
        (("simulate", "mymodel.py:build", "--arch", "key.yaml", "--input", "1x3x8x8"), ["key.yaml:14", "capacity"]),
        (("simulate", "mymodel.py:build", "--arch", "negative.yaml", "--input", "1x3x8x8"), ["negative.yaml:13"]),
        (("simulate", "mymodel.py:build", "--arch", "unit.yaml", "--input", "1x3x8x8"), ["unit.yaml:4", "GHz"]),
        (("simulate", "lightweight_cnn", "--arch", "a2", "--objective", "enrgy"), ["enrgy", "energy"]),
        (("simulate", "lightweight_cnn", "--arch", "a2", "--bits", "0"), ["bits"]),
        (("simulate", "lightweight_cnn", "--arch", "a2", "--layers", "few"), ["few", "all"]),
        (("simulate", "lightweight_cnn", "--arch", "a2", "--json", "no/such/dir/x.json"), ["no/such/dir"]),
        (("simulat",), ["simulate"]),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, tuple) else None,
)
def test_bad_input_is_one_message_and_exit_code_2(
    args: tuple[str, ...],
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Through the entry point in this process: starting Python and PyTorch for every case would take a minute."""
    (tmp_path / "mymodel.py").write_text(MODEL)
    (tmp_path / "key.yaml").write_text(SPEC.replace("    capacity: 64 KiB", "    kinds: sram\n    capacty: 64 KiB"))
    (tmp_path / "negative.yaml").write_text(SPEC.replace("64 KiB", "-64 KiB"))
    (tmp_path / "unit.yaml").write_text(SPEC.replace("1 GHz", "1 GB"))
    monkeypatch.setattr(sys, "argv", ["energysim", *args])
    with contextlib.chdir(tmp_path), pytest.raises(SystemExit) as stopped:
        main()
    out, err = capsys.readouterr()
    assert stopped.value.code == 2, (out, err)
    assert "Traceback" not in err
    assert out == ""
    for word in expected:
        assert word in err


def test_failed_json_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run("simulate", "lightweight_cnn", "--arch", "gemini", "--json", "out.json", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "gemini" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
