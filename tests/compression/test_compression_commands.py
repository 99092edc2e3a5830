"""The commands compress, overlap, training-energy and training-sweep, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from energysim.cli import cli
from energysim.errors import EnergySimError
from energysim.train.energy_sweep import Point, points_around


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_compress_then_overlap(tmp_path: Path) -> None:
    arguments = ["--epochs", "2", "--limit-batches", "2", "--arch", "a2", "--out", tmp_path / "runs"]
    result = run("compress", "sub_cnn", "--methods", "baseline,ptq", *arguments, "--json", tmp_path / "table.json")
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "table.json").read_text())["methods"]
    assert [row["method"] for row in rows] == ["baseline", "ptq"]
    assert result.output.index("baseline") < result.output.index("ptq") < result.output.index("quantized after")
    seed = tmp_path / "runs" / "baseline" / "sub_cnn" / "seed0"
    found = run("overlap", seed, "--tiles", "4,8", "--overlaps", "0,1", "--images", "20", "--json", "-")
    assert found.exit_code == 0, found.output
    points = json.loads(found.output)["points"]
    assert [(point["tile"], point["overlap"]) for point in points] == [
        (None, None),
        *((tile, overlap) for tile in (4, 8) for overlap in (None, 0, 1)),
    ]
    assert all(point["changed"] == 0 for point in points if point["overlap"] is None)


def test_training_energy(tmp_path: Path) -> None:
    arguments = ("training-energy", "sub_cnn", "--arch", "a2", "--batch", "8", "--images", "80", "--epochs", "3")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "weight gradient" in result.output and "features.dense.0" in result.output
    data = json.loads(run(*arguments, "--json", "-").output)
    assert data["epoch"]["energy_j"] == pytest.approx(10 * data["step"]["energy_j"])
    assert data["run"]["energy_j"] == pytest.approx(3 * data["epoch"]["energy_j"])
    assert sum(part["macs"] for part in data["parts"]) == data["step"]["macs"]


def test_training_sweep(tmp_path: Path) -> None:
    arguments = ["--depths", "", "--widths", "2", "--rates", "", "--base-depth", "8", "--base-width", "4"]
    more = ["--epochs", "2", "--every", "1", "--limit-batches", "2", "--arch", "a2", "--out", tmp_path / "runs"]
    result = run("training-sweep", *arguments, *more, "--json", tmp_path / "sweep.json")
    assert result.exit_code == 0, result.output
    points = {
        (row["point"]["kind"], row["point"]["width"], row["point"]["shortcut"], row["point"]["pruned"]): row
        for row in json.loads((tmp_path / "sweep.json").read_text())["points"]
    }
    assert len(points) == 5
    base, narrow = points["resnet", 4, True, False], points["resnet", 2, True, False]
    pruned, plain = points["resnet", 4, True, True], points["resnet", 4, False, False]
    assert narrow["training_j"] < base["training_j"]
    assert pruned["first_epoch_j"] == base["first_epoch_j"] and pruned["training_j"] < base["training_j"]
    assert pruned["parameters"] < base["parameters"]
    assert plain["first_epoch_j"] < base["first_epoch_j"]  # no 1x1 convolutions, no sums
    again = run("training-sweep", *arguments, *more, "--json", tmp_path / "again.json")
    assert again.exit_code == 0
    assert (tmp_path / "again.json").read_text() == (tmp_path / "sweep.json").read_text()


def test_points_of_a_sweep() -> None:
    base = Point(depth=14)
    points = points_around(base, (8, 14), (32,), (0.01,), extras=False)
    assert points == (base, Point(depth=8), Point(width=32), Point(lr=0.01))
    assert len({point.label for point in points_around(base, (8,), (32,), (0.01,))}) == 7


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("compress", "sub_cnn", "--methods", "prune,qta"), "unknown method 'qta'"),
        (("compress", "sub_cnn", "--methods", "prune", "--epochs", "2"), "ends before the first pruning"),
        (("compress", "sub_cnn", "--arch", "jetson_nan0"), "jetson_nan0"),
        (("compress", "sub_cnn", "--methods", "distill", "--teacher", "no_such_net", "--epochs", "1"), "no_such_net"),
        (("overlap", "no/such/run"), "no/such/run"),
        (("training-energy", "sub_cnn", "--arch", "a2", "--optimizer", "lion"), "unknown optimizer 'lion'"),
        (("training-sweep", "--depths", "21", "--epochs", "6", "--limit-batches", "1"), "no ResNet of depth 21"),
        (("training-sweep", "--recipe", "s2"), "stages"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code != 0
    told = str(result.exception) if isinstance(result.exception, EnergySimError) else result.output
    assert says in told
