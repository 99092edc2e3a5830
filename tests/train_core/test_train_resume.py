"""A run that is stopped, killed or damaged goes on to the result of a run that was not."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from energysim.train.checkpoint import (
    CheckpointError,
    RunFiles,
    held,
    newest,
    read_checkpoint,
    write_checkpoint,
    write_last,
)
from energysim.train.data import Data, open_data
from energysim.train.hooks import EpochRecord, Hook, TrainState
from energysim.train.loop import Interrupted, TrainingError, fit
from energysim.train.recipe import Recipe
from energysim.train.result import RunResult, read_result

# Everything that draws random numbers or keeps state, at once: augmentation, mixing, dropout, momentum, averaging, SAM.
RECIPE: dict[str, Any] = {
    "epochs": 4,
    "batch": 32,
    "optimizer": {"name": "sgd", "lr": 0.05, "weight_decay": 5e-4},
    "augment": {"crop_padding": 2, "flip": True, "cutout": 4},
    "mixup_alpha": 0.2,
    "cutmix_alpha": 1.0,
    "label_smoothing": 0.1,
    "dropout": {"start": 0.5, "end": 0.2},
    "weight_averaging": {"start_epoch": 3, "lr": 0.01},
    "sam_rho": 0.05,
    "gradient_clip": 5.0,
    "resize": 12,
}
STEPS = 5  # of an epoch of 144 images

# A script of its own, so that a process can be killed; it must train what `_fit` trains.
SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from test_train_resume import _data, _fit
_fit({run!r}, _data())
"""


def small_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(24, 10),
    )


def _data() -> Data:
    return open_data("synthetic", image_size=16, limit=144)


def _fit(run_dir: str | Path, data: Data, recipe: dict[str, Any] = RECIPE, **options: Any) -> RunResult:
    torch.set_num_threads(1)
    return fit(small_net, Recipe.model_validate(recipe), data, run_dir, seed=3, **options)


def _trajectory(run_dir: Path) -> list[dict[str, Any]]:
    history = read_result(run_dir / "result.json").history
    return [{**record.to_dict(), "seconds": None} for record in history]


def _weights(run_dir: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = read_checkpoint(run_dir / "final.pt")["model"]
    return weights


def _assert_same(run_dir: Path, reference: Path) -> None:
    """Bit for bit: every loss and accuracy, every weight that is kept."""
    assert _trajectory(run_dir) == _trajectory(reference)
    mine, theirs = _weights(run_dir), _weights(reference)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.fixture(scope="module")
def data() -> Data:
    return _data()


@pytest.fixture(scope="module")
def uninterrupted(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("uninterrupted")
    _fit(run_dir, data)
    return run_dir


class _SignalAt(Hook):
    """Sends this process a signal after a number of steps of an epoch, as a user's Ctrl-C would come."""

    def __init__(self, epoch: int, step: int, number: int) -> None:
        self.at, self.number, self.steps = (epoch, step), number, 0

    def on_step_end(self, state: TrainState) -> None:
        self.steps = self.steps + 1 if getattr(self, "epoch", None) == state.epoch else 1
        self.epoch = state.epoch
        if (state.epoch, self.steps) == self.at:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("epoch", "step"), [(0, 1), (1, STEPS), (3, 3)])
def test_a_stopped_run_goes_on_to_the_same_losses(
    data: Data, uninterrupted: Path, tmp_path: Path, epoch: int, step: int, number: int
) -> None:
    with pytest.raises(Interrupted, match="the same command goes on"):
        _fit(tmp_path, data, hooks=[_Renamed(epoch, step, number)])
    place = read_checkpoint(tmp_path / "last.pt")["place"]
    assert (place["epoch"], place["step"]) == ((epoch, step) if step < STEPS else (epoch + 1, 0))
    assert not (tmp_path / "result.json").exists()
    _fit(tmp_path, data, hooks=[_Renamed(99, 0, number)])
    _assert_same(tmp_path, uninterrupted)


class _Renamed(_SignalAt):
    name = "signal"


def test_a_killed_process_goes_on_to_the_same_losses(data: Data, uninterrupted: Path, tmp_path: Path) -> None:
    script = SCRIPT.format(folder=str(Path(__file__).parent), run=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (tmp_path / "previous.pt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert (tmp_path / "previous.pt").exists(), errors.decode()
    assert process.returncode == -signal.SIGKILL, "the run ended before it was killed"
    _fit(tmp_path, data)
    _assert_same(tmp_path, uninterrupted)


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_taken(
    data: Data, uninterrupted: Path, tmp_path: Path, damage: str
) -> None:
    with pytest.raises(Interrupted):
        _fit(tmp_path, data, hooks=[_Renamed(2, 2, signal.SIGINT)])
    _damage(tmp_path / "last.pt", damage)
    warnings: list[str] = []
    _fit(tmp_path, data, hooks=[_Renamed(99, 0, signal.SIGINT)], warn=warnings.append)
    assert len(warnings) == 1
    assert "last.pt" in warnings[0] and "damaged" in warnings[0] and "going on from previous.pt" in warnings[0]
    _assert_same(tmp_path, uninterrupted)


def test_a_run_whose_checkpoints_are_all_damaged_says_so(data: Data, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        _fit(tmp_path, data, hooks=[_Renamed(1, 2, signal.SIGINT)])
    for file in (tmp_path / "last.pt", tmp_path / "previous.pt"):
        _damage(file, "cut")
    with pytest.raises(CheckpointError, match=r"last\.pt: the checkpoint is damaged.*--fresh to start over"):
        _fit(tmp_path, data, hooks=[_Renamed(99, 0, signal.SIGINT)])


def _damage(file: Path, how: str) -> None:
    content = bytearray(file.read_bytes())
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "emptied":
        content = bytearray()
    else:
        middle = len(content) // 3  # within a tensor's bytes, which no parser looks at
        content[middle] ^= 0xFF
    file.write_bytes(bytes(content))


def test_a_kill_between_two_renames_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    write_last(files, {"step": 1})
    write_last(files, {"step": 2})
    files.last.rename(files.previous)
    write_checkpoint(files.coming, {"step": 3})
    found = newest(files)
    assert found is not None and found.content["step"] == 3
    write_last(files, {"step": 4})
    found = newest(files)
    assert found is not None and found.content["step"] == 4


def test_a_full_disk_is_one_error_and_the_checkpoint_before_stays(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    write_last(files, {"weights": torch.zeros(10)})
    before = files.last.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(CheckpointError, match=r"cannot write .*next\.pt.*File too large"):
            write_last(files, {"weights": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert files.last.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_two_processes_do_not_train_in_one_directory(data: Data, tmp_path: Path) -> None:
    with held(RunFiles(tmp_path)), pytest.raises(CheckpointError, match="another process is training in"):
        _fit(tmp_path, data)
    with held(RunFiles(tmp_path)):
        pass  # free again


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.system, ("touch " + str(tmp_path / "ran"),))

    torch.save({"format": "energysim-train", "version": 1, "evil": Hostile()}, tmp_path / "last.pt")
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "last.pt")
    assert not (tmp_path / "ran").exists()


def test_another_recipe_is_refused_by_name(data: Data, uninterrupted: Path) -> None:
    other = {**RECIPE, "label_smoothing": 0.2, "batch": 48}
    with pytest.raises(CheckpointError, match=r"another recipe\.batch, another recipe\.label_smoothing"):
        _fit(uninterrupted, data, other)


def test_a_finished_run_is_not_repeated(data: Data, uninterrupted: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in uninterrupted.iterdir()}
    result = _fit(uninterrupted, data)
    assert len(result.history) == 4
    assert {file.name: file.stat().st_mtime_ns for file in uninterrupted.iterdir()} == before


def test_fresh_starts_over(data: Data, uninterrupted: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        _fit(tmp_path, data, hooks=[_Renamed(1, 2, signal.SIGINT)])
    _fit(tmp_path, data, resume=False)
    _assert_same(tmp_path, uninterrupted)


def test_the_csv_has_one_line_per_epoch(uninterrupted: Path) -> None:
    lines = (uninterrupted / "metrics.csv").read_text().splitlines()
    assert lines[0].split(",") == list(EpochRecord.columns())
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3", "4"]
    assert list((uninterrupted / "tensorboard").iterdir())


def test_a_diverging_loss_is_an_error_and_the_epoch_before_is_kept(data: Data, tmp_path: Path) -> None:
    class Diverge(Hook):
        name = "diverge"

        def loss(self, images: Any, logits: Any, targets: Any, loss: Any, state: TrainState) -> Any:
            return loss * float("inf") if state.epoch == 1 else loss

    plain = {"epochs": 3, "batch": 32, "optimizer": {"name": "adam", "lr": 0.001}}
    with pytest.raises(TrainingError, match=r"the loss of epoch 2 is (inf|nan) \(a lower learning rate"):
        _fit(tmp_path, data, plain, hooks=[Diverge()])
    assert read_checkpoint(tmp_path / "last.pt")["place"]["epoch"] == 1


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(768, 7)), r"\(1, 7\); \(1, 10\) is right for synthetic"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(5, 10)), "does not take synthetic's images of 3x16x16"),
    ],
)
def test_a_model_that_does_not_fit_is_told_before_training(
    data: Data, tmp_path: Path, model: Any, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        fit(model, Recipe.model_validate(RECIPE), data, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [".lock"]
