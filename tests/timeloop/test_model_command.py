"""`energysim model` end to end: its numbers are those of timeloop-model for the same inputs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from energysim.cli import cli

FILES = Path(__file__).parent / "files"


@dataclass(frozen=True)
class Golden:
    """Printed by timeloop-model (commit 4cf6d4cd) with the same mapping and ERT: (level, tensor) -> reads, fills and
    updates per instance, and the energy of all instances in pJ."""

    files: tuple[str, ...]
    macs: int
    cycles: int
    instances: dict[str, int]
    accesses: dict[tuple[str, str], tuple[int, int, int, float]]
    compute_pj: float
    leakage_pj: float


DIAGONALS = Golden(
    files=("grid_{}", "conv_problem", "grid_mapping", "grid_ert"),
    macs=147456,
    cycles=6144,
    instances={"DRAM": 1, "GLB": 1, "RF": 24},
    accesses={
        ("DRAM", "Weights"): (2304, 0, 0, 294912.0),
        ("DRAM", "Inputs"): (1600, 0, 0, 204800.0),
        ("DRAM", "Outputs"): (0, 0, 1024, 131072.0),
        ("GLB", "Weights"): (2304, 2304, 0, 33715.9872),
        ("GLB", "Inputs"): (25600, 1600, 0, 217680.68),
        ("GLB", "Outputs"): (15360, 0, 16384, 231469.4144),
        ("RF", "Weights"): (6144, 768, 0, 231330.26304),
        ("RF", "Inputs"): (6144, 2560, 0, 284339.77344),
        ("RF", "Outputs"): (6016, 1920, 6144, 442808.61696),
    },
    compute_pj=611007.53,
    leakage_pj=309.92,
)
ROW_STATIONARY = Golden(
    files=("rowstationary_{}", "rowstationary_mapping", "rowstationary_ert"),
    macs=294912,
    cycles=3072,
    instances={"MainMemory": 1, "Buffer": 1, "InputPad": 96, "WeightPad": 96, "SumPad": 96},
    accesses={
        ("MainMemory", "Weights"): (4608, 0, 0, 294912.0),
        ("MainMemory", "Inputs"): (1600, 0, 0, 102400.0),
        ("MainMemory", "Outputs"): (0, 0, 2048, 131072.0),
        ("Buffer", "Inputs"): (7680, 1600, 0, 36314.068),
        ("Buffer", "Outputs"): (6144, 0, 8192, 51650.816),
        ("InputPad", "Inputs"): (3072, 80, 0, 60169.95456),
        ("WeightPad", "Weights"): (3072, 384, 0, 629373.5424),
        ("SumPad", "Outputs"): (2816, 768, 3072, 292049.313792),
    },
    compute_pj=334887.32,
    leakage_pj=1724.96,
)
SEARCHED = Golden(
    files=("rowstationary_{}", "searched_mapping", "rowstationary_ert"),
    macs=4718592,
    cycles=49152,
    instances={"MainMemory": 1, "Buffer": 1, "InputPad": 96, "WeightPad": 96, "SumPad": 96},
    accesses={
        ("MainMemory", "Weights"): (73728, 0, 0, 4718592.0),
        ("MainMemory", "Inputs"): (6400, 0, 0, 409600.0),
        ("MainMemory", "Outputs"): (0, 0, 8192, 524288.0),
        ("Buffer", "Inputs"): (15360, 6400, 0, 83090.90),
        ("Buffer", "Outputs"): (57344, 0, 65536, 446361.40),
        ("InputPad", "Inputs"): (49152, 1280, 0, 962719.27),
        ("WeightPad", "Weights"): (49152, 768, 0, 9132741.18),
        ("SumPad", "Outputs"): (48128, 7168, 49152, 4606290.40),
    },
    compute_pj=5358197.15,
    leakage_pj=27599.45,
)


def _files(golden: Golden, form: str) -> list[str]:
    return [str(FILES / f"{stem.format(form)}.yaml") for stem in golden.files]


def _model(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["model", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("form", ["nodes", "tree"])
@pytest.mark.parametrize(
    "golden", [DIAGONALS, ROW_STATIONARY, SEARCHED], ids=["diagonals", "row-stationary", "searched"]
)
def test_equal_to_timeloop(golden: Golden, form: str) -> None:
    output: dict[str, Any] = json.loads(_model(*_files(golden, form), "--json", "-"))
    found = {(row["level"], row["tensor"]): row for row in output["levels"]}
    assert found.keys() == golden.accesses.keys()
    for key, (reads, fills, updates, energy_pj) in golden.accesses.items():
        row, instances = found[key], golden.instances[key[0]]
        assert row["instances"] == instances
        assert (row["reads"], row["fills"], row["updates"]) == (
            reads * instances, fills * instances, updates * instances,
        )  # fmt: skip
        assert row["energy_pj"] == pytest.approx(energy_pj, abs=0.005)
    assert (output["macs"], output["cycles"]) == (golden.macs, golden.cycles)
    assert output["compute_energy_pj"] == pytest.approx(golden.compute_pj, abs=0.005)
    assert output["energy_pj"] == pytest.approx(
        sum(energy for *_, energy in golden.accesses.values()) + golden.compute_pj, abs=0.03
    )
    assert output["leakage_pj"] == pytest.approx(golden.leakage_pj, abs=0.02)
    assert output["optimal"] is None


def test_loops_are_in_the_json() -> None:
    output = json.loads(_model(*_files(ROW_STATIONARY, "nodes"), "--json", "-"))
    assert [(loop["level"], loop["dim"], loop["bound"], loop["spatial"]) for loop in output["mapping"]] == [
        ("MainMemory", "M", 2, None),
        ("Buffer", "C", 4, None),
        ("Buffer", "P", 8, None),
        ("inter_Column_spatial", "Q", 8, "X"),
        ("inter_Row_spatial", "C", 4, "Y"),
        ("inter_Row_spatial", "S", 3, "Y"),
        ("WeightPad", "R", 3, None),
        ("SumPad", "M", 16, None),
    ]


def test_table_and_loop_nest_on_the_terminal() -> None:
    text = _model(*_files(DIAGONALS, "nodes"))
    assert "RF: Weights 3, Inputs 3, Outputs 1 words (capacity 64 words)" in text
    assert "par R in [0:3) along X" in text
    assert "147,456 MACs, 6,144 cycles (6.144 us)" in text
    row = next(line for line in text.splitlines() if "GLB" in line and "Inputs" in line and "│" in line)
    assert "25,600" in row and "1,600" in row and "0.217681" in row


def test_exact_convention_reads_no_more() -> None:
    files = _files(ROW_STATIONARY, "nodes")
    exact = json.loads(_model(*files, "--convention", "exact", "--json", "-"))
    boxes = json.loads(_model(*files, "--convention", "timeloop", "--json", "-"))
    assert exact["macs"] == boxes["macs"]
    for row, box in zip(exact["levels"], boxes["levels"], strict=True):
        assert (row["level"], row["tensor"]) == (box["level"], box["tensor"])
        assert row["reads"] <= box["reads"]


def test_without_an_ert_energies_are_estimated() -> None:
    output = json.loads(_model(*_files(DIAGONALS, "nodes")[:3], "--json", "-"))
    assert all(row["energy_pj"] > 0 for row in output["levels"])
    given = json.loads(_model(*_files(DIAGONALS, "nodes"), "--json", "-"))
    assert output["energy_pj"] != given["energy_pj"]


def test_json_to_a_file(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    _model(*_files(DIAGONALS, "tree"), "--json", str(target))
    assert json.loads(target.read_text())["macs"] == 147456


def _process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "energysim", "model", *arguments], capture_output=True, text=True)


def test_warnings_go_to_stderr_and_json_stays_clean(tmp_path: Path) -> None:
    extra = tmp_path / "extra.yaml"
    extra.write_text("ERT: {tables: [{name: x.GLB, actions: [{name: read, energy: 1}]}]}\n")
    done = _process(*_files(DIAGONALS, "nodes")[:3], str(extra), "--json", "-")
    assert done.returncode == 0, done.stderr
    assert "warning: the ERT has no table for 'RF'" in done.stderr
    assert json.loads(done.stdout)["macs"] == 147456


def test_a_mapping_that_does_not_fit_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("mapping:\n- {target: RF, type: temporal, factors: C=16 M=16 Q=8 R=3 P=8 S=3}\n")
    done = _process(*_files(DIAGONALS, "nodes")[:2], str(mapping))
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "RF" in done.stderr and "Traceback" not in done.stderr


def test_missing_file_and_missing_mapping() -> None:
    assert "nothing.yaml" in _process("nothing.yaml").stderr
    done = _process(*_files(DIAGONALS, "nodes")[:2])
    assert done.returncode == 2
    assert "no file holds a 'mapping'" in done.stderr
