"""Snapshot ensembles: kept at the ends of cycles, whole, through kills too, and answering together."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from test_train_resume import _assert_same, _Renamed, _weights, small_net

from energysim.cli import cli
from energysim.errors import NotFoundError
from energysim.train.checkpoint import CheckpointError, RunFiles, read_checkpoint
from energysim.train.data import Data, open_data
from energysim.train.evaluate import metrics_of, predict
from energysim.train.hooks import Hook
from energysim.train.loop import Interrupted, TrainingError, fit
from energysim.train.models import load_snapshots
from energysim.train.recipe import Recipe
from energysim.train.result import RunResult, read_result

RECIPE = Recipe.model_validate(
    {
        "epochs": 5,
        "batch": 32,
        "optimizer": {"name": "sgd", "lr": 0.1},
        "schedule": {"name": "cosine_restarts", "cycles": 2},
        "augment": {"crop_padding": 2},
        "snapshots": True,
    }
)


@pytest.fixture(scope="module")
def data() -> Data:
    return open_data("synthetic", image_size=16, limit=144)


def _fit(run_dir: Path, data: Data, *hooks: Hook) -> RunResult:
    torch.set_num_threads(1)
    return fit(small_net, RECIPE, data, run_dir, seed=3, hooks=hooks)


@pytest.fixture(scope="module")
def whole(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("whole")
    _fit(run_dir, data, _Renamed(99, 0, signal.SIGINT))
    return run_dir


def test_a_network_is_kept_at_the_end_of_every_cycle(data: Data, whole: Path) -> None:
    first, last = (read_checkpoint(file) for file in RunFiles(whole).snapshots)
    assert [len(content["history"]) for content in (first, last)] == list(RECIPE.snapshot_epochs()) == [2, 5]
    assert all(
        torch.equal(last["model"][name], value) for name, value in read_checkpoint(whole / "last.pt")["model"].items()
    )
    assert not torch.equal(first["model"]["0.weight"], last["model"]["0.weight"])


def test_the_ensemble_is_the_mean_of_the_probabilities(data: Data, whole: Path) -> None:
    images, labels = next(iter(data.batches("test", len(data.test))))
    probabilities = []
    for file in RunFiles(whole).snapshots:
        model = small_net().eval()
        model.load_state_dict(read_checkpoint(file)["model"])
        with torch.no_grad():
            probabilities.append(model(images).softmax(1))
    mean = (probabilities[0] + probabilities[1]) / 2
    result = read_result(whole / "result.json")
    assert result.ensemble is not None and result.snapshots == 2
    assert result.ensemble.top1 == pytest.approx(float((mean.argmax(1) == labels).double().mean()))
    assert result.ensemble.loss == pytest.approx(float(torch.nn.functional.nll_loss(mean.log(), labels)), rel=1e-5)
    # The run's own answer is still that of one network, the best one.
    model = small_net()
    model.load_state_dict(_weights(whole))
    assert metrics_of(predict(model, data.batches("test", 32))) == result.test


@pytest.mark.parametrize(("epoch", "step"), [(0, 3), (2, 2), (4, 1)])
def test_a_stopped_run_keeps_the_same_snapshots(data: Data, whole: Path, tmp_path: Path, epoch: int, step: int) -> None:
    with pytest.raises(Interrupted):
        _fit(tmp_path, data, _Renamed(epoch, step, signal.SIGINT))
    _fit(tmp_path, data, _Renamed(99, 0, signal.SIGINT))
    _assert_same(tmp_path, whole)
    for mine, theirs in zip(RunFiles(tmp_path).snapshots, RunFiles(whole).snapshots, strict=True):
        weights = read_checkpoint(mine)["model"], read_checkpoint(theirs)["model"]
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])
    assert read_result(tmp_path / "result.json").ensemble == read_result(whole / "result.json").ensemble


def test_a_kill_between_snapshot_and_checkpoint_writes_it_again(
    data: Data, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import energysim.train.trainer as trainer

    def killed(files: RunFiles, content: dict[str, Any]) -> None:
        if content["place"]["epoch"] == 2:
            raise SystemExit("killed")
        write_last(files, content)

    write_last = trainer.write_last
    monkeypatch.setattr(trainer, "write_last", killed)
    with pytest.raises(SystemExit):
        _fit(tmp_path, data, _Renamed(99, 0, signal.SIGINT))
    assert (tmp_path / "snapshot1.pt").exists()
    assert read_checkpoint(tmp_path / "last.pt")["place"]["epoch"] == 1
    monkeypatch.setattr(trainer, "write_last", write_last)
    _fit(tmp_path, data, _Renamed(99, 0, signal.SIGINT))
    _assert_same(tmp_path, whole)


def test_a_lost_snapshot_is_told_before_more_is_trained(data: Data, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        _fit(tmp_path, data, _Renamed(3, 1, signal.SIGINT))
    (tmp_path / "snapshot1.pt").unlink()
    with pytest.raises(CheckpointError, match=r"snapshot1\.pt' is missing \(put it back, or --fresh"):
        _fit(tmp_path, data, _Renamed(99, 0, signal.SIGINT))
    fit(small_net, RECIPE, data, tmp_path, seed=3, resume=False)
    assert len(RunFiles(tmp_path).snapshots) == 2


def test_a_hook_that_replaces_the_network_is_refused(data: Data, tmp_path: Path) -> None:
    class Replace(Hook):
        name = "replace"

        def on_epoch_end(self, state: Any, record: Any) -> dict[str, float]:
            state.model = small_net()
            return {}

    with pytest.raises(TrainingError, match="snapshots are of one network"):
        _fit(tmp_path, data, Replace())


def test_train_and_evaluate_tell_of_the_ensemble(tmp_path: Path) -> None:
    file = tmp_path / "snap.yaml"
    file.write_text(
        "workloads: [sub_cnn]\ndata: synthetic\nrecipe:\n  epochs: 2\n  batch: 64\n  snapshots: true\n"
        "  optimizer: {name: sgd, lr: 0.05}\n  schedule: {name: cosine_restarts, cycles: 2}\n"
    )
    runs = tmp_path / "runs"
    trained = CliRunner().invoke(
        cli, ["train", "-e", str(file), "-o", str(runs), "--markdown", "-"], catch_exceptions=False
    )
    assert trained.exit_code == 0, trained.output
    assert (
        "| ensemble % |" in trained.output and "snapshots together (2 of sub_cnn), for as many times" in trained.output
    )
    run = runs / "sub_cnn" / "seed0"
    asked = ["evaluate", str(run), "--ensemble", "--temperature", "--json", "-"]
    found = json.loads(CliRunner().invoke(cli, asked, catch_exceptions=False).stdout)
    stored = json.loads((run / "result.json").read_text())["ensemble"]
    assert found["networks"] == 2 and found["metrics"]["top1"] == stored["top1"]
    assert len(load_snapshots(run)) == 2
    with pytest.raises(NotFoundError, match="no snapshots in"):
        load_snapshots(tmp_path)
