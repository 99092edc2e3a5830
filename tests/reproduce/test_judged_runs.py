"""Claims about accuracy, judged by finished runs; without them they say what would decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run

from energysim.reproduce.check import Claimed, Context
from energysim.reproduce.ledger import Verdict
from energysim.reproduce.training import Accuracy
from energysim.reproduce.training_points import BestRate, FasterShortcuts, KeptAccuracy
from energysim.train.energy_sweep import Point
from energysim.train.runs import all_groups

LIGHT = {"name": "lightweight_cnn", "recipe_name": "s1", "data": "cifar100", "workload": "lightweight_cnn"}
RESNET = {**LIGHT, "name": "resnet18", "workload": "resnet18"}
OF_LIGHT = {"workload": "lightweight_cnn", "recipe": "s1"}
OF_RESNET = {"workload": "resnet18", "recipe": "s1"}


def accuracy(**values: Any) -> Accuracy:
    return Accuracy.model_validate({"kind": "accuracy", "data": "cifar100", "of": OF_LIGHT, **values})


def context(runs: Path | None) -> Context:
    return Context(None, () if runs is None else all_groups([runs]), quick=True)  # type: ignore[arg-type]


def test_without_runs_the_command_that_would_decide() -> None:
    found = accuracy().judge(Claimed("70.2 ± 1.2", "%"), context(None))
    assert found.verdict is Verdict.NEEDS_DATA
    assert found.command == "energysim train lightweight_cnn --recipe s1 --data cifar100 --seeds 3"


@pytest.mark.parametrize(("shares", "verdict"), [((0.70, 0.71), Verdict.REPRODUCED), ((0.60, 0.61), Verdict.NOT)])
def test_complete_runs_decide(shares: tuple[float, ...], verdict: Verdict, tmp_path: Path) -> None:
    for seed, share in enumerate(shares):
        make_run(tmp_path / "lightweight_cnn" / f"seed{seed}", share, epochs=100, seed=seed, **LIGHT)
    found = accuracy().judge(Claimed("70.2 ± 1.2", "%"), context(tmp_path))
    assert found.verdict is verdict
    assert found.computed == f"{100 * sum(shares) / 2:.1f} ± 0.7 %"


def test_top5_and_a_run_that_stopped_early(tmp_path: Path) -> None:
    make_run(tmp_path / "light", 0.7, top5=0.893, epochs=60, stopped_early=True, **LIGHT)
    found = accuracy(metric="top5").judge(Claimed("89.5 ± 0.8", "%"), context(tmp_path))
    assert (found.verdict, found.computed) == (Verdict.REPRODUCED, "89.3 %")


def test_a_difference_needs_both_and_is_judged_with_both_spreads(tmp_path: Path) -> None:
    make_run(tmp_path / "resnet" / "seed0", 0.78, epochs=100, **RESNET)
    gap = accuracy(of=OF_RESNET, minus=OF_LIGHT)
    assert gap.judge(Claimed("7.6", "points"), context(tmp_path)).verdict is Verdict.NEEDS_DATA
    make_run(tmp_path / "light" / "seed0", 0.704, epochs=100, **LIGHT)
    found = gap.judge(Claimed("7.6", "points"), context(tmp_path))
    assert (found.verdict, found.computed) == (Verdict.REPRODUCED, "7.6 points")
    assert gap.judge(Claimed("10-15", "points"), context(tmp_path)).verdict is Verdict.NOT


@pytest.mark.parametrize(
    ("epochs", "about", "told"),
    [
        (10, LIGHT, "on cifar100 reached 70.0 % (10 epochs of recipe 's1')"),
        (100, {**LIGHT, "data": "digits"}, "on digits reached 70.0 %"),
        (100, {**LIGHT, "recipe_name": "quick"}, "100 epochs of recipe 'quick'"),
    ],
)
def test_shorter_or_other_runs_are_told_of_and_do_not_decide(
    epochs: int, about: dict[str, str], told: str, tmp_path: Path
) -> None:
    make_run(tmp_path / "run", 0.7, epochs=epochs, **about)
    found = accuracy().judge(Claimed("70.2 ± 1.2", "%"), context(tmp_path))
    assert found.verdict is Verdict.NEEDS_DATA
    assert told in found.reason and "does not decide" in found.reason


def swept(directory: Path, point: Point, top1: float, data: str, epochs: int = 50, **more: Any) -> None:
    """A run of `energysim training-sweep`: its network is a workload file."""
    file = directory / "workloads" / f"{point.label.replace(' ', '-')}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(point.workload_yaml())
    extra = {"cumulative_energy_j": 1.0, **({"parameters": 5.0} if point.pruned else {})}
    about = {"name": file.stem, "workload": str(file), "recipe_name": "s3", "data": data}
    make_run(directory / file.stem / "seed0", top1, epochs=epochs, lr=point.lr, extra=extra, **about, **more)


SWEEP = {"data": "cifar10", "recipe": "s3"}


def best_rate() -> BestRate:
    return BestRate.model_validate({"kind": "best learning rate", **SWEEP})


@pytest.mark.parametrize(("at_claimed", "verdict"), [(0.9, Verdict.REPRODUCED), (0.7, Verdict.NOT)])
def test_best_learning_rate(at_claimed: float, verdict: Verdict, tmp_path: Path) -> None:
    for lr, top1 in ((0.0001, 0.6), (0.001, at_claimed), (0.01, 0.8)):
        swept(tmp_path, Point(lr=lr), top1, "cifar10")
    swept(tmp_path, Point(lr=0.01, depth=20), 0.99, "cifar10")  # another network: not compared
    found = best_rate().judge(Claimed("0.001", ""), context(tmp_path))
    assert found.verdict is verdict
    assert "0.0001: 60.0 %" in found.computed


def test_digits_are_evidence_and_decide_nothing(tmp_path: Path) -> None:
    swept(tmp_path, Point(lr=0.001), 0.97, "digits", epochs=10)
    swept(tmp_path, Point(lr=0.01), 0.98, "digits", epochs=10)
    found = best_rate().judge(Claimed("0.001", ""), context(tmp_path))
    assert (found.verdict, found.computed) == (Verdict.NEEDS_DATA, "-")
    assert "on digits (10 epochs, 1 seed): 0.01 is best" in found.reason
    assert "speaks against it but does not decide" in found.reason


def test_shortcuts_race_to_what_both_reach(tmp_path: Path) -> None:
    swept(tmp_path, Point(), 0.9, "cifar10", validation=(0.5, 0.85, 0.9))
    swept(tmp_path, Point(shortcut=False), 0.8, "cifar10", validation=(0.3, 0.4, 0.6, 0.7, 0.8))
    check = FasterShortcuts.model_validate({"kind": "faster with shortcuts", **SWEEP})
    found = check.judge(Claimed("faster", ""), context(tmp_path))
    assert found.verdict is Verdict.REPRODUCED
    assert found.computed == "2.0 epochs with, 5.0 without to 76.0 % validation accuracy"


@pytest.mark.parametrize(("pruned", "verdict"), [(0.885, Verdict.REPRODUCED), (0.8, Verdict.NOT)])
def test_accuracy_kept_by_pruning(pruned: float, verdict: Verdict, tmp_path: Path) -> None:
    swept(tmp_path, Point(), 0.9, "cifar10")
    swept(tmp_path, Point(pruned=True), pruned, "cifar10")
    details = {"workload": "resnet34_xavier", "fewer_macs": 30}
    check = KeptAccuracy.model_validate({"kind": "kept accuracy", **SWEEP, **details})
    found = check.judge(Claimed("~98", "%"), context(tmp_path))
    assert found.verdict is verdict
    assert found.computed == f"{100 * pruned / 0.9:.1f} % of 90.0 % kept"
