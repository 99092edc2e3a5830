"""`energysim sweep`: tables, JSON, exports and errors."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sweep_cases import write_case

from energysim.cli import cli
from energysim.errors import EnergySimError
from energysim.sweep import Store, pareto_front

TEXT = (
    "sweep: {workload: WORKLOAD, arch: ARCH, arch.GLB.capacity: [64 B, 128 B], arch.PE.x: [1, 2, 4]}\n"
    "goals: [energy_pj, latency_s, dram_bytes]\n"
)


def sweep(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["sweep", *map(str, arguments), "-j", "1"], catch_exceptions=True)


def test_table_json_and_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = sweep(write_case(tmp_path, TEXT), "--json", "out.json", "--export", "out.csv")
    assert done.exit_code == 0, done.output
    assert "case: Pareto front of 6 points in energy_pj, latency_s, dram_bytes" in done.output
    assert (
        "6 points: 6 with a result, 0 that the device cannot run, 0 ruled out beforehand, 0 failed; 6 computed now"
        in done.output
    )
    assert "Stored in case.db." in done.output
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["schema"], found["computed"], found["ok"], len(found["points"])) == (1, 6, 6, 6)
    with Store.open("case.db") as store:
        front = pareto_front(list(store.rows()), found["goals"])
        assert found["pareto"] == [row["key"] for row in front]
    for row in front:
        assert f"{row['overrides']['GLB.capacity']}" in done.output
    assert sorted(pd.read_csv("out.csv")["key"]) == sorted(row["key"] for row in found["points"])
    assert f"CPU time of these points: {sum(row['cpu_s'] for row in found['points']):,.1f} s." in done.output
    part = json.loads(sweep(tmp_path / "case.yaml", "--points", 4, "--json", "-").output)
    assert (part["stored_before"], len(part["points"])) == (4, 4)
    assert {row["key"] for row in part["points"]} < {row["key"] for row in found["points"]}
    again = sweep(tmp_path / "case.yaml", "--json", "-")
    assert json.loads(again.output)["stored_before"] == 6


def test_constraints_and_failures_are_told(tmp_path: Path) -> None:
    text = TEXT + "constraints: {max_latency: 0.3 us}\n"
    wide = text.replace("arch.PE.x: [1, 2, 4]", "arch.GLB.access: [8 b, 768 b]")
    file = write_case(tmp_path, wide)
    done = sweep(file, "-o", tmp_path / "r.db")
    assert done.exit_code == 0, done.output
    assert "points break latency_s <= 3e-07." in done.output
    assert "Failed (--retry computes them again):" in done.output
    assert "hold less than one access of 768 bits" in done.output


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("nosuch",), "sweep_quick"),
        (("quick",), "energysim train --experiment quick"),
        (("sweep_quick", "--export", "x.xlsx"), r"\.parquet or \.csv"),
        (("sweep_quick", "--runs", "nowhere", "-o", "never.db"), "no 'nowhere'"),
    ],
)
def test_errors(arguments: tuple[str, ...], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = sweep(*arguments)
    assert isinstance(done.exception, EnergySimError)
    with pytest.raises(EnergySimError, match=what):
        raise done.exception
    assert not list(tmp_path.iterdir())


def test_jobs_and_dask_exclude_one_another() -> None:
    done = CliRunner().invoke(cli, ["sweep", "sweep_quick", "-j", "2", "--dask", "tcp://h:1"])
    assert done.exit_code == 2 and "exclude one another" in done.output
