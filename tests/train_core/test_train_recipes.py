"""Recipes: the shipped ones say what the four systems say; wrong ones name file, line and key."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from energysim.errors import NotFoundError, SpecError
from energysim.nn.zoo import StochasticDepth, cifar_resnet, sub_cnn
from energysim.spec_files import list_specs
from energysim.train.dual import open_parts, stage_recipes
from energysim.train.epoch_settings import set_stochastic_depth
from energysim.train.experiment import load_experiment, load_recipe
from energysim.train.optimizer import climb, descend, frozen_statistics, make_optimizer, rate_at, set_rate
from energysim.train.recipe import Recipe, Stage
from energysim.train.run import TrainingError
from energysim.workload import resolve_workload

SGD = {"name": "sgd", "lr": 0.1}


def test_the_systems_recipes_are_as_written() -> None:
    s1, s4 = load_recipe("s1"), load_recipe("s4")
    for recipe in (s1, s4):
        assert recipe.optimizer is not None
        assert recipe.optimizer.model_dump(include={"name", "lr", "momentum", "weight_decay"}) == {
            "name": "sgd",
            "lr": 0.1,
            "momentum": 0.9,
            "weight_decay": 5e-4,
        }
        assert (recipe.schedule.name, recipe.batch) == ("cosine", 128)
        assert (recipe.augment.crop_padding, recipe.augment.flip) == (4, True)
    assert (s1.epochs, s4.epochs) == (100, 200) and s1.early_stopping is not None
    assert (load_experiment("s1").seeds, load_experiment("s1").data) == (3, "cifar100")
    s2 = load_recipe("s2")
    first, second = s2.staged()
    assert (first.optimizer.name, first.optimizer.lr, first.schedule.name) == ("adamw", 1e-3, "cosine")
    assert first.schedule.warmup_epochs > 0
    assert (second.optimizer.name, second.optimizer.lr, second.optimizer.momentum) == ("sgd", 1e-3, 0.9)
    assert (s2.mixup_alpha, s2.cutmix_alpha, s2.label_smoothing) == (0.2, 1.0, 0.1)
    assert s2.augment.randaugment is not None
    assert (s2.augment.randaugment.operations, s2.augment.randaugment.magnitude) == (2, 10)
    assert s2.dropout is not None and (s2.dropout.start, s2.dropout.end) == (0.5, 0.2)
    s3 = load_recipe("s3")
    assert s3.optimizer is not None and (s3.optimizer.name, s3.optimizer.lr) == ("adam", 0.001)
    assert (s3.epochs, s3.batch, s3.schedule.name) == (50, 64, "exponential")


def test_every_shipped_experiment_loads_and_names_real_workloads() -> None:
    for name in ("quick", "digits_all", "s1", "s2", "s2_options", "s2_one_cycle", "s3", "s4"):
        assert name in list_specs("experiments")
        for entry in load_experiment(name).workloads:
            assert resolve_workload(entry.workload, offered={"num_classes": 10}).build is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe:\n  epochs: 3\n  optimizer: {name: sdg, lr: 0.1}\n", r"e\.yaml:3: recipe\.optimizer\.name: .*'sgd'"),
        (
            "recipe:\n  optimizer: {name: sgd, lr: 0.1}\n  epoch: 3\n",
            r"e\.yaml:3: recipe\.epoch: unknown key .*'epochs'",
        ),
        ("recipe:\n  epochs: 3\n", r"e\.yaml:1: recipe: an optimizer for the whole run, or stages"),
        ("recipe:\n  optimizer: {name: sgd, lr: -1}\n", r"e\.yaml:2: recipe\.optimizer\.lr: .*greater than 0"),
        ("recipe: s9\n", r"e\.yaml:1: recipe: no experiment named 's9'"),
        ("data: digits\n", r"e\.yaml:1: recipe: missing key"),
        ("recipe: s1\nworkloads:\n  - {workload: ffnn, epoch: 3}\n", r"e\.yaml:3: workloads\.0\.epoch: unknown key"),
        (
            "recipe: s1\nworkloads:\n  - workload: ffnn\n    recipe:\n      optimizer: {name: adam, lr: -1}\n",
            r"e\.yaml:5: workloads\.0\.recipe\.optimizer\.lr: .*greater than 0",
        ),
        (
            "recipe: s1\nworkloads:\n  - {workload: ffnn, recipe: {precision: bf16}}\n",
            r"e\.yaml:3: workloads\.0\.recipe\.precision: the precision is that of the whole experiment",
        ),
        (
            "recipe:\n  optimizer: {name: sgd, lr: 0.1}\n  snapshots: true\n",
            r"e\.yaml:1: recipe: snapshots are of one stage with the schedule cosine_restarts",
        ),
        ("recipe: s1\nseeds: 0\n", r"e\.yaml:2: seeds: .*greater than or equal to 1"),
    ],
)
def test_a_wrong_recipe_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(text)
    with pytest.raises(SpecError, match=message):
        load_experiment(str(file))


def test_unknown_recipes_are_named() -> None:
    with pytest.raises(NotFoundError, match=r"no experiment named 'qick' \(did you mean 'quick'"):
        load_recipe("qick")


def test_epochs_scale_stages_and_warm_up() -> None:
    s2 = load_recipe("s2")
    assert [stage.epochs for stage in s2.with_epochs(10).staged()] == [8, 2]
    assert [stage.epochs for stage in s2.with_epochs(2).staged()] == [1, 1]
    assert [stage.epochs for stage in s2.with_epochs(1).staged()] == [1]
    assert s2.with_epochs(50).staged()[0].schedule.warmup_epochs == pytest.approx(2.5)
    plain = Recipe.model_validate({"epochs": 20, "optimizer": SGD, "weight_averaging": {"start_epoch": 15, "lr": 0.1}})
    shorter = plain.with_epochs(4)
    assert shorter.total_epochs == 4
    assert shorter.weight_averaging is not None and shorter.weight_averaging.start_epoch == 3
    stage, within = s2.stage_at(80)
    assert (stage.name, within) == ("stage 2", 0)


def test_a_workload_changes_single_keys_of_the_common_recipe(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(
        "recipe: s1\n"
        "workloads:\n"
        "  - lightweight_cnn\n"
        "  - {workload: resnet18, epochs: 10}\n"
        "  - {workload: ffnn, epochs: 7, recipe: {batch: 32, optimizer: {lr: 0.01}, schedule: {warmup_epochs: 2}}}\n"
    )
    common, own = load_recipe(str(file)), load_experiment(str(file)).own_recipes
    assert own.keys() == {"resnet18", "ffnn"}
    assert own["resnet18"] == common.with_epochs(10)
    changed = own["ffnn"]
    assert common.optimizer is not None and changed.optimizer is not None
    assert (changed.batch, changed.epochs, changed.schedule.warmup_epochs, changed.optimizer.lr) == (32, 7, 2, 0.01)
    assert changed.optimizer.model_copy(update={"lr": common.optimizer.lr}) == common.optimizer
    assert changed.augment == common.augment and changed.early_stopping == common.early_stopping


def _stage(epochs: int = 10, lr: float = 0.4, **schedule: Any) -> Stage:
    return Stage.model_validate(
        {"name": "x", "epochs": epochs, "optimizer": {"name": "sgd", "lr": lr}, "schedule": schedule}
    )


def test_cosine_with_warm_up() -> None:
    stage = _stage(name="cosine", warmup_epochs=2)
    rates = [rate_at(stage, step, 5).lr for step in range(50)]
    assert rates[:10] == pytest.approx([0.04 * (step + 1) for step in range(10)])
    assert rates[30] == pytest.approx(0.4 * (1 + math.cos(math.pi * 20 / 40)) / 2)
    assert 0 < rates[-1] < 0.001


@pytest.mark.parametrize(
    ("schedule", "torchs"),
    [
        ({"name": "one_cycle"}, lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.4, total_steps=50)),
        ({"name": "cosine"}, lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 50)),
        (
            {"name": "cosine_restarts", "cycles": 5},
            lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 10),
        ),
    ],
)
def test_schedules_are_pytorchs(schedule: dict[str, Any], torchs: Any) -> None:
    """Step by step, the rate (and one-cycle's momentum) that PyTorch's own scheduler gives."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.4, momentum=0.9)
    scheduler = torchs(optimizer)
    stage = _stage(**schedule)
    for step in range(50):
        rate, group = rate_at(stage, step, 5), optimizer.param_groups[0]
        # PyTorch's cycle turns at 0.3 x 50 - 1, ours at 0.3 x 50: within one step of each other.
        nearby = [rate_at(stage, max(0, min(49, step + shift)), 5).lr for shift in (-1, 0, 1)]
        assert min(nearby) - 1e-9 <= group["lr"] <= max(nearby) + 1e-9 or rate.lr == pytest.approx(
            group["lr"], rel=0.02
        )
        if rate.momentum is not None:
            assert rate.momentum == pytest.approx(group["momentum"], abs=0.01)
        optimizer.step()
        scheduler.step()


def test_cycles_are_whole_epochs() -> None:
    schedule = _stage(name="cosine_restarts", cycles=3).schedule
    assert schedule.cycle_ends(9) == (3, 6, 9)
    assert schedule.cycle_ends(10) == (3, 7, 10)
    assert schedule.cycle_ends(2) == (1, 2)
    uneven = _stage(10, name="cosine_restarts", cycles=3)
    rates = [rate_at(uneven, step, 5).lr for step in range(50)]
    starts = [0, 15, 35]
    assert [step for step in range(50) if rates[step] == 0.4] == starts
    assert rates[34] == pytest.approx(0.4 * (1 + math.cos(math.pi * 19 / 20)) / 2)
    for begin, end in zip(starts, (15, 35, 50), strict=True):
        assert rates[begin:end] == sorted(rates[begin:end], reverse=True)


def test_stochastic_depth_rises_linearly_to_the_last_branch() -> None:
    model = cifar_resnet(20, width=2)
    set_stochastic_depth(model, 0.45)
    drops = [module.p for module in model.modules() if isinstance(module, StochasticDepth)]
    assert drops == pytest.approx([0.05 * block for block in range(1, 10)])
    torchvisions = resolve_workload("efficientnet_b0_cifar").model()
    set_stochastic_depth(torchvisions, 0.3)
    found = [float(m.p) for m in torchvisions.modules() if type(m).__name__ == "StochasticDepth"]  # type: ignore[arg-type]
    assert found == pytest.approx([0.3 * block / 16 for block in range(1, 17)])
    set_stochastic_depth(model, 0.0)
    assert max(m.p for m in model.modules() if isinstance(m, StochasticDepth)) == pytest.approx(0.45)
    for plain in (sub_cnn(), cifar_resnet(8, width=2, shortcut=False)):
        with pytest.raises(TrainingError, match="this model has none that can be dropped"):
            set_stochastic_depth(plain, 0.1)


def test_exponential_and_step_decay() -> None:
    assert [rate_at(_stage(name="exponential", decay=0.5), 5 * epoch, 5).lr for epoch in range(3)] == [0.4, 0.2, 0.1]
    decayed = [rate_at(_stage(name="step", decay=0.1, every=2), 5 * epoch, 5).lr for epoch in range(4)]
    assert decayed == pytest.approx([0.4, 0.4, 0.04, 0.04])


def test_one_cycle_moves_adams_first_beta() -> None:
    stage = _stage(name="one_cycle")
    optimizer = make_optimizer(stage.optimizer.model_copy(update={"name": "adamw"}), [nn.Parameter(torch.zeros(1))])
    set_rate(optimizer, rate_at(stage, 15, 5))
    assert optimizer.param_groups[0]["betas"] == (pytest.approx(0.85), 0.999)


def test_sharpness_aware_step_is_the_papers() -> None:
    """w + rho g / |g|, the gradient there, applied at w; BatchNorm's statistics count the batch once."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    images, labels = torch.rand(8, 4), torch.randint(0, 2, (8,))
    weights = [parameter.detach().clone() for parameter in model.parameters()]
    functional.cross_entropy(model(images), labels).backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    once = model[1].running_mean.clone()
    moves = climb(model, 0.05)
    for parameter, weight, gradient in zip(model.parameters(), weights, gradients, strict=True):
        assert torch.allclose(parameter, weight + 0.05 * gradient / norm, atol=1e-7)
    with frozen_statistics(model):
        functional.cross_entropy(model(images), labels).backward()
    descend(moves)
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(model.parameters(), weights, strict=True))
    assert torch.equal(model[1].running_mean, once)


def test_the_dual_networks_three_runs() -> None:
    raw, augmented, joined = stage_recipes(load_recipe("s2"))
    assert raw.augment.crop_padding == 0 and not raw.augment.flip and raw.mixup_alpha == raw.cutmix_alpha == 0
    assert augmented.augment.crop_padding == 4 and augmented.cutmix_alpha == 1.0
    assert [r.optimizer.name for r in (raw, augmented, joined) if r.optimizer] == ["adamw", "adamw", "sgd"]
    assert (raw.total_epochs, joined.total_epochs) == (80, 20)
    assert [open_parts(epoch, 8) for epoch in range(8)] == [1, 1, 2, 2, 3, 3, 4, 4]
