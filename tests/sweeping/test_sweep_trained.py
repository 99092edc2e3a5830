"""A sweep over networks that `energysim train` really trained: their accuracy as a goal, and as a limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from energysim.cli import cli
from energysim.sweep import Store, run_sweep

pytest.importorskip("sklearn")

TEXT = """\
sweep:
  - {workload: [ffnn, lightweight_cnn], arch: jetson_nano}
  - {workload: lightweight_cnn, arch: jetson_nano, input: 1x3x64x64}
goals: [energy_pj, accuracy]
"""


def command(*words: object) -> str:
    done = CliRunner().invoke(cli, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("trained") / "runs"
    command(
        "train", "ffnn", "lightweight_cnn", "--data", "digits", "--epochs", 1, "--limit-batches", 8, "-o", directory
    )
    return directory


def test_accuracy_of_real_runs_is_a_goal_and_a_limit(tmp_path: Path, runs: Path) -> None:
    reached = {
        name: json.loads((runs / name / "seed0" / "result.json").read_text())["test"]["top1"]
        for name in ("ffnn", "lightweight_cnn")
    }
    assert reached["lightweight_cnn"] < reached["ffnn"]  # but it costs less
    experiment, store = tmp_path / "trained.yaml", tmp_path / "r.db"
    experiment.write_text(TEXT)
    told = command("sweep", experiment, "--runs", runs, "-o", store, "-j", 1, "--json", tmp_path / "all.json")
    found = json.loads((tmp_path / "all.json").read_text())
    rows = {(row["workload"], row["input"]): row for row in found["points"]}
    assert {place: row["accuracy"] for place, row in rows.items()} == {
        ("ffnn", "1x3x32x32"): reached["ffnn"],
        ("lightweight_cnn", "1x3x32x32"): reached["lightweight_cnn"],
        ("lightweight_cnn", "1x3x64x64"): None,
    }
    cheap, good = rows["lightweight_cnn", "1x3x32x32"], rows["ffnn", "1x3x32x32"]
    assert cheap["energy_pj"] < good["energy_pj"] and found["pareto"] == [cheap["key"], good["key"]]
    assert f"{reached['ffnn']:.2%}" in told and f"{reached['lightweight_cnn']:.2%}" in told

    least = (reached["ffnn"] + reached["lightweight_cnn"]) / 2
    experiment.write_text(f"{TEXT}constraints: {{min_accuracy: {least}}}\naccuracy_from: {runs}\n")
    limited = run_sweep(experiment, tmp_path / "limited.db", jobs=1)
    assert (limited.computed, limited.ok, limited.ruled_out) == (1, 1, 2)
    with Store.open(limited.store) as opened:
        plain: dict[str, Any] = limited.to_dict(list(opened.rows(limited.keys)))
    assert plain["pareto"] == [good["key"]]
    assert run_sweep(experiment, store, jobs=1).ok == 3  # what was computed stays
    without = experiment.with_name("without.yaml")
    without.write_text(TEXT.replace("[ffnn, lightweight_cnn]", "ffnn"))
    done = CliRunner().invoke(cli, ["sweep", str(without), "--runs", str(runs), "-o", str(store), "-j", "1"])
    assert "no accuracy is known of lightweight_cnn (trained: lightweight_cnn with 3x32x32)" in str(done.exception)
