"""Pruning, distillation and quantization-aware training in real runs, and what they leave behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.simulation import simulate
from energysim.train.compress import Settings, compress
from energysim.train.data import Data, open_data
from energysim.train.density import with_densities
from energysim.train.distill import Distillation, DistillationError, distillation_loss
from energysim.train.hooks import Hook
from energysim.train.loop import fit
from energysim.train.models import about_run, fitted_workload, load_trained
from energysim.train.prune import (
    MagnitudePruning,
    PruningError,
    StructuredPruning,
    prune_channels,
    pruning_times,
    sparsify,
    structure_of,
    weight_density,
    with_structure,
)
from energysim.train.recipe import Recipe
from energysim.train.runtime import make_fabric
from energysim.train.session import Session
from energysim.train.training_energy import TrainingEnergy
from energysim.workload import resolve_workload, workload_of

RECIPE = Recipe.model_validate(
    {"epochs": 5, "batch": 36, "optimizer": {"name": "adam", "lr": 0.003}, "schedule": {"name": "constant"}}
)
WORKLOAD = "lightweight_cnn"


@pytest.fixture(scope="module")
def data() -> Data:
    return open_data("synthetic", image_size=16, limit=108)


def run(data: Data, directory: Path, *hooks: Hook, epochs: int = 5, **options: Any) -> Any:
    workload = fitted_workload(WORKLOAD, data)
    assert workload.build is not None
    about = about_run(WORKLOAD, workload, data, "test")
    recipe = RECIPE.with_epochs(epochs)
    return fit(workload.build, recipe, data, directory, hooks=hooks, about=about, **options)


# -- channels


@pytest.mark.parametrize("name", ["lightweight_cnn", "resnet20", "enhanced_cnn", "dual_cnn"])
def test_half_of_the_channels(name: str) -> None:
    """Half the channels of every layer: the rest still fits together, logits stay, inner layers keep a quarter."""
    workload = resolve_workload(name)
    model, shape = workload.model(), workload.input_shapes[0]
    pruned = prune_channels(model, shape[1:], 0.5)
    graph = workload_of(pruned, "x".join(map(str, shape))).trace()
    before = workload.trace()
    assert [layer.name for layer in graph.layers] == [layer.name for layer in before.layers]
    assert graph.edges[graph.outputs[0]].shape == before.edges[before.outputs[0]].shape
    assert 0.2 < graph.macs / before.macs < 0.5
    assert sum(p.numel() for p in model.parameters()) == before.parameters  # the given model is as it was
    again = with_structure(workload.model(), structure_of(pruned))
    again.load_state_dict(pruned.state_dict())
    images = torch.randn(2, *shape[1:])
    assert torch.equal(again.eval()(images), pruned.eval()(images))


def test_the_smallest_channels_go() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Conv2d(4, 5, 3, bias=False))
    with torch.no_grad():
        for channel, size in enumerate((3.0, 1.0, 4.0, 2.0)):
            model[0].weight[channel] = size  # type: ignore[index]
            model[2].weight[:, channel] = size  # type: ignore[index]
    pruned = prune_channels(model, (3, 8, 8), 0.5)
    weight = pruned[0].weight  # type: ignore[index]
    assert isinstance(weight, Tensor)
    assert weight[:, 0, 0, 0].tolist() == [3.0, 4.0]


def test_a_network_that_cannot_be_followed() -> None:
    workload = resolve_workload("shufflenet_v2_cifar")
    with pytest.raises(PruningError, match="ShuffleNetV2 cannot be pruned by channels"):
        prune_channels(workload.model(), (3, 32, 32), 0.5)


def test_structured_pruning_in_a_run(data: Data, tmp_path: Path) -> None:
    hooks = (
        TrainingEnergy("a2", data.image_shape, len(data.train), "adam", RECIPE.batch),
        StructuredPruning(data.image_shape, ratio=0.75, every=2),
    )
    result = run(data, tmp_path, *hooks)
    sizes = [record.extra["parameters"] for record in result.history]
    assert sizes[0] > sizes[1] == sizes[2] > sizes[3] == sizes[4] == result.parameters
    assert result.best_epoch == 5  # the only epoch of the network that is left
    trained = load_trained(tmp_path)
    convolution = trained.model.get_submodule("features.4.0")
    assert isinstance(convolution, nn.Conv2d) and convolution.out_channels == 128 // 4
    assert trained.traceable().trace().parameters == result.parameters
    # The training energy logged with an epoch is that of the network that it trained: pruning shows an epoch later.
    joules = [record.extra["energy_j"] for record in result.history]
    assert joules[0] == joules[1] > joules[2] == joules[3] > joules[4] > 0
    assert result.history[-1].extra["cumulative_energy_j"] == pytest.approx(sum(joules))


class StopAfter(Hook):
    """Ends the process's work in the middle of a run."""

    name = "stop"

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_step_end(self, state: Any) -> None:
        if state.epoch == self.epoch:
            raise RuntimeError("killed")


@pytest.mark.parametrize("kind", [StructuredPruning, MagnitudePruning])
def test_a_killed_run_goes_on_pruned(data: Data, tmp_path: Path, kind: type[Hook]) -> None:
    def hook() -> Hook:
        return StructuredPruning(data.image_shape, 0.5, 2) if kind is StructuredPruning else MagnitudePruning(0.6, 2)

    whole = run(data, tmp_path / "whole", hook(), StopAfter(99))
    with pytest.raises(RuntimeError, match="killed"):
        run(data, tmp_path / "killed", hook(), StopAfter(3))
    resumed = run(data, tmp_path / "killed", hook(), StopAfter(99))
    assert [record.loss for record in resumed.history] == [record.loss for record in whole.history]
    assert resumed.test == whole.test and resumed.parameters == whole.parameters


@pytest.mark.parametrize(("epochs", "every", "times"), [(6, 5, 1), (11, 5, 2), (10, 5, 1), (50, 5, 9), (5, 1, 4)])
def test_pruning_leaves_epochs_to_recover(epochs: int, every: int, times: int) -> None:
    assert pruning_times(epochs, every) == times
    assert times * every < epochs


def test_no_room_to_prune() -> None:
    with pytest.raises(PruningError, match="a run of 5 epochs ends before the first pruning, after 5"):
        pruning_times(5, 5)
    for share in (0.0, 1.0, -0.5):
        with pytest.raises(PruningError, match="cannot be pruned"):
            MagnitudePruning(share)


# -- single weights, and devices that gate zeros


def test_magnitude_pruning_in_a_run(data: Data, tmp_path: Path) -> None:
    result = run(data, tmp_path, MagnitudePruning(sparsity=0.6, every=2))
    logged = [record.extra["sparsity"] for record in result.history]
    assert logged == pytest.approx([0.0, 0.3, 0.3, 0.6, 0.6], abs=1e-3)
    assert weight_density(load_trained(tmp_path).model) == pytest.approx(0.4, abs=1e-3)


def test_the_smallest_weights_go() -> None:
    model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -5.0, 2.0], [0.1, 3.0, -0.2]]))  # type: ignore[union-attr]
        model[1].weight.copy_(torch.tensor([[-0.3, 4.0]]))  # type: ignore[union-attr]
    masks = sparsify(model, 3 / 8)
    assert masks["0.weight"].tolist() == [[True, True, True], [False, True, False]]
    assert model[1].weight.tolist() == [[0.0, 4.0]]  # type: ignore[union-attr]
    assert weight_density(model) == 5 / 8


def _gating(roles: list[str]) -> ArchSpec:
    return load_arch("eyeriss", {"MAC.gates_zeros": roles})


def test_zeros_save_energy_only_where_the_device_gates_them() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)).eval()
    dense = workload_of(model, "1x3x8x8").trace()
    sparsify(model, 0.5)
    images = torch.randn(4, 3, 8, 8)
    sparse = with_densities(dense, model, images)
    shares = {name: edge.density for name, edge in sparse.edges.items()}
    for name in ("0.weight", "2.weight"):
        weight = model.get_parameter(name)
        assert shares[name] == pytest.approx(float((weight != 0).double().mean()))
    with torch.no_grad():
        between = model[1](model[0](images))
    between_edge = dict(sparse.layers[-1].operands)["ifmap"]
    assert shares[between_edge] == pytest.approx(float((between != 0).double().mean()))

    none, weights, both = (_gating(roles) for roles in ([], ["weights"], ["weights", "ifmap"]))
    assert _macs_pj(sparse, none) == _macs_pj(dense, none) == _macs_pj(dense, both)
    for arch, kept in ((weights, ("weights",)), (both, ("weights", "ifmap"))):
        expected = sum(
            _macs_pj(dense, none)[layer.name]
            * torch.tensor([shares[edge] for role, edge in layer.operands if role in kept]).double().prod().item()
            for layer in sparse.layers
        )
        assert sum(_macs_pj(sparse, arch).values()) == pytest.approx(expected, rel=1e-6)
    slow, fast = (simulate(graph, both).variants[0] for graph in (dense, sparse))
    assert slow.latency_s == fast.latency_s and slow.dram_bytes == fast.dram_bytes


def _macs_pj(graph: Any, arch: ArchSpec) -> dict[str, float]:
    layers = simulate(graph, arch).variants[0].layers
    return {layer.name: sum(share.energy.value for share in layer.shares if share.action == "mac") for layer in layers}


# -- distillation


def test_distillation_loss_is_the_divergence() -> None:
    student, teacher = torch.randn(4, 7).double(), torch.randn(4, 7).double()
    temperature = 3.0
    p, q = F.softmax(teacher / temperature, 1), F.softmax(student / temperature, 1)
    by_hand = temperature**2 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(distillation_loss(student, teacher, temperature), by_hand)
    assert distillation_loss(teacher, teacher, temperature).abs() < 1e-12


def test_a_student_learns_from_its_teacher_alone(data: Data, tmp_path: Path) -> None:
    """With the whole loss from the teacher, a student comes nearer to the teacher's answers than one without."""
    torch.manual_seed(0)
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, data.num_classes))
    taught = run(data, tmp_path / "taught", Distillation(teacher, temperature=2.0, share=1.0), epochs=4)
    alone = run(data, tmp_path / "alone", epochs=4)
    images = torch.cat([batch for batch, _ in data.batches("test", 36)])
    with torch.no_grad():
        answers = teacher(images)
        gaps = [
            distillation_loss(load_trained(Path(result.directory)).model(images), answers, 1.0)
            for result in (taught, alone)
        ]
    assert gaps[0] < gaps[1]
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


@pytest.mark.parametrize(("temperature", "share"), [(0.0, 0.5), (-1.0, 0.5), (2.0, 1.5)])
def test_distillation_that_makes_no_sense(temperature: float, share: float) -> None:
    with pytest.raises(DistillationError):
        Distillation(nn.Identity(), temperature, share)


# -- all of it


def test_every_method_in_one_table(data: Data, tmp_path: Path) -> None:
    session = Session(
        (WORKLOAD,), RECIPE.with_epochs(4), "test", "synthetic", tmp_path, arch="jetson_nano", limit_batches=3
    )
    object.__setattr__(session, "_opened", {0: data})
    settings = Settings(every=2, sparsity=0.5, teacher="lightweight_cnn", teacher_epochs=1)
    fabric = make_fabric(session.recipe, "cpu")
    rows = {row.method: row for row in compress(session, settings, fabric, lambda _name: None, print)}
    base = rows["baseline"]
    assert rows["prune"].parameters < 0.5 * base.parameters and rows["prune"].cost.energy_pj < 0.6 * base.cost.energy_pj
    assert rows["magnitude"].density == pytest.approx(0.5, abs=1e-3) and base.density > 0.99
    assert rows["magnitude"].cost.energy_pj == base.cost.energy_pj
    assert (rows["ptq"].cost.bits, rows["qat"].cost.bits, base.cost.bits) == (8, 8, 16)
    assert rows["qat"].cost.energy_pj == pytest.approx(rows["ptq"].cost.energy_pj)
    assert rows["ptq"].cost.energy_pj < base.cost.energy_pj
    assert rows["distill"].cost.energy_pj == base.cost.energy_pj
    quantized = load_trained(tmp_path / "qat" / WORKLOAD / "seed0")
    assert quantized.traceable().trace().widths == {8}
