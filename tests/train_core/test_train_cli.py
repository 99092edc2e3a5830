"""`energysim train`, `evaluate`, `compare` and `visualize`, end to end on a few steps."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from test_train_data import cifar_files

from energysim.cli import cli
from energysim.errors import EnergySimError
from energysim.nn.zoo import resnet18
from energysim.report.diagram import architecture_svg
from energysim.workload import resolve_workload

COMMAND = ["train", "sub_cnn", "ffnn", "-d", "synthetic", "--epochs", "2", "--limit-batches", "2", "--seeds", "2"]


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def _json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "runs"
    result = _run(*COMMAND, "-o", str(out), "--arch", "jetson_nano")
    assert result.exit_code == 0, result.output
    return out


def test_train_writes_a_run_per_seed(runs: Path) -> None:
    for name in ("sub_cnn", "ffnn"):
        for seed in ("seed0", "seed1"):
            files = {file.name for file in (runs / name / seed).iterdir()}
            assert {"last.pt", "previous.pt", "final.pt", "metrics.csv", "result.json", "tensorboard"} <= files


def test_training_again_repeats_nothing_and_says_the_same(runs: Path) -> None:
    before = (runs / "ffnn" / "seed1" / "result.json").stat().st_mtime_ns
    table = _json(_run(*COMMAND, "-o", str(runs), "--json", "-"))
    assert (runs / "ffnn" / "seed1" / "result.json").stat().st_mtime_ns == before
    assert [model["name"] for model in table["models"]] == ["sub_cnn", "ffnn"]
    assert [model["top1"]["n"] for model in table["models"]] == [2, 2]
    seeds = [run["test"]["top1"] for run in table["runs"][:2]]
    assert table["models"][0]["top1"]["mean"] == pytest.approx(sum(seeds) / 2)
    assert table["models"][0]["parameters"] == 13758


def test_s1_on_cifar_100_dry_runs_on_files_in_its_format(tmp_path: Path) -> None:
    """The command of the full experiment, three steps long."""
    cifar_files(tmp_path / "data", count=60)
    result = _run(
        *("train", "lightweight_cnn", "--recipe", "s1", "--data", "cifar100", "--data-root", str(tmp_path / "data")),
        *("--unverified", "--limit-batches", "3", "--batch", "16", "--epochs", "1", "-o", str(tmp_path / "runs")),
        *("--json", "-"),
    )
    (model,) = _json(result)["models"]
    assert model["parameters"] == 258_292 and model["data"] == "cifar100"
    history = (tmp_path / "runs" / "lightweight_cnn" / "seed0" / "metrics.csv").read_text().splitlines()
    assert len(history) == 2 and history[1].startswith("1,all,")


def test_evaluate_finds_what_training_found(runs: Path) -> None:
    stored = json.loads((runs / "sub_cnn" / "seed1" / "result.json").read_text())
    # The dry run tested on 128 images.
    found = _json(
        _run("evaluate", str(runs / "sub_cnn" / "seed1"), "--batch", "64", "--limit-batches", "2", "--json", "-")
    )
    assert found["metrics"] == stored["test"]
    assert found["classes"] == stored["about"]["classes"]
    table = _run("evaluate", str(runs / "sub_cnn" / "seed1" / "last.pt"), "--tta", "--temperature")
    assert table.exit_code == 0 and "most taken for" in table.output


def test_compare_prints_s1s_tables(runs: Path) -> None:
    found = _json(_run("compare", str(runs / "sub_cnn"), str(runs / "ffnn" / "seed0" / "final.pt"), "--json", "-"))
    first, second = found["models"]
    assert (first["name"], first["top1"]["n"], second["name"], second["top1"]["n"]) == ("sub_cnn", 2, "ffnn", 1)
    assert first["cost"]["macs"] == 403_200 and first["cost"]["energy_low_pj"] < first["cost"]["energy_pj"]
    assert first["inference_s"] > 0
    text = _run("compare", str(runs), "--markdown", "-").output
    for title in ("Specifications", "Accuracy on synthetic", "Energy efficiency", "Training and inference time"):
        assert f"**{title}" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(re.fullmatch(r"\|( [^|]+ \|| *\|)+", line) for line in tables)


def test_visualize_draws_runs(runs: Path, tmp_path: Path) -> None:
    result = _run("visualize", str(runs / "sub_cnn"), "-o", str(tmp_path), "--arch", "none")
    assert result.exit_code == 0, result.output
    names = {file.stem for file in tmp_path.glob("*.png")}
    assert {
        "training_curves",
        "loss_convergence",
        "per_class_accuracy",
        "accuracy_parameters",
        "inference_time",
    } <= names
    for kind in ("confusion", "roc", "reliability", "parameters", "tsne", "gradcam"):
        assert f"sub_cnn_{kind}" in names
    with Image.open(tmp_path / "training_curves.png") as picture:
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert picture.info["Description"].startswith("energysim")


def test_visualize_draws_architectures(tmp_path: Path) -> None:
    file = tmp_path / "nets.svg"
    assert _run("visualize", "lightweight_cnn", "resnet18", "-o", str(file)).exit_code == 0
    root = ET.fromstring(file.read_text())
    texts = [node.text or "" for node in root.iter() if node.tag.endswith("text")]
    assert "lightweight_cnn" in texts and "resnet18" in texts
    assert any("258,292 parameters, 15,753,728 MACs" in text for text in texts)


def test_a_diagram_shows_every_layer_once_and_every_edge() -> None:
    graph = resolve_workload("resnet18").trace()
    root = ET.fromstring(architecture_svg([graph]))
    drawn = [layer for layer in graph.layers if layer.kind != "view"]
    boxes = [node for node in root.iter() if node.tag.endswith("rect") and node.get("class") in ("mac", "vector")]
    assert len(boxes) == len(drawn)
    places = [(box.get("x"), box.get("y")) for box in boxes]
    assert len(set(places)) == len(places)
    edges = [node for node in root.iter() if node.tag.endswith("path")]
    assert len(edges) == sum(len(layer.inputs) for layer in drawn) + 1  # and to the output
    assert sum(p.numel() for p in resnet18().parameters()) == graph.parameters


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "lightweight_cn"), "no workload named 'lightweight_cn' (did you mean"),
        (("train", "lightweight_cnn", "-r", "s9"), "no experiment named 's9'"),
        (("train", "lightweight_cnn", "-d", "mnist"), "no data set named 'mnist'"),
        (("train", "lightweight_cnn", "--device", "cuda", "--devices", "64"), "64 CUDA devices asked for"),
        (("train", "lightweight_cnn", "--precision", "16", "--device", "cpu"), "precision '16' needs a GPU"),
        (("train", "fsrcnn", "-d", "synthetic"), "does not take synthetic's images of 3x32x32"),
        (("evaluate", "nothing/here"), "no checkpoint 'nothing/here'"),
        (("compare", "nothing/here", "nor/there"), "no 'nothing/here'"),
    ],
)
def test_wrong_words_are_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnergySimError) as error:
        _run(*arguments)
    assert message in str(error.value)
    assert not list(tmp_path.rglob("*.pt"))


def test_usage_errors() -> None:
    for arguments in (("train",), ("train", "ffnn", "-r", "s2", "--lr", "0.1")):
        result = _run(*arguments)
        assert result.exit_code == 2 and "Error:" in result.output


def test_nothing_heavy_is_imported_for_the_other_commands() -> None:
    """Training's libraries are an extra: without them everything else works, and training says what is missing."""
    code = (
        "import sys\n"
        "for name in ('lightning_fabric', 'torchmetrics', 'captum', 'sklearn', 'matplotlib', 'tensorboard'):\n"
        "    sys.modules[name] = None\n"
        "from energysim.cli import main\n"
        "sys.argv = ['energysim', *sys.argv[1:]]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "trace", "sub_cnn"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([sys.executable, "-c", code, "train", "sub_cnn"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: training needs lightning_fabric") and "energysim-edge[train]" in done.stderr
