"""One training step as a layer graph: which layers it has, what they move, and what it costs on a device."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from energysim.errors import NotFoundError
from energysim.graph.layers import LayerGraph
from energysim.graph.trace import trace
from energysim.simulation import simulate
from energysim.train.recipe import Optimizer
from energysim.train.training_energy import optimizer_key, training_cost
from energysim.train.training_graph import Phase, training_graph
from energysim.workload import resolve_workload, workload_of


class Residual(nn.Module):
    """conv-bn-relu, then a block that adds its input: the gradients of two readers meet."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = torch.relu(self.second(x) + x)
        return self.last(x.mean((2, 3)))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def inference() -> LayerGraph:
    return trace(Residual(), (torch.zeros(2, 3, 6, 6),))


def words(graph: LayerGraph, layer: str) -> tuple[int, int]:
    """Words that a layer without MACs reads and writes."""
    found = graph.layer(layer)
    return sum(graph.edges[e].words for e in found.inputs), sum(graph.edges[e].words for e in found.outputs)


def test_layers_of_a_step(inference: LayerGraph) -> None:
    step = training_graph(inference, "adam")
    assert [layer.name for layer in step.graph.layers] == [
        "first.0",
        "first.0.batch_norm",
        "second",
        "add",
        "mean",
        "last",
        "last.loss",
        "last.input_gradient",
        "last.weight_gradient",
        "mean.backward",
        "add.backward",
        "add.backward.view",
        "second.input_gradient",
        "second.weight_gradient",
        "first.0.gradient sum",
        "first.0.batch_norm.backward",
        "first.0.weight_gradient",
        "first.0.update",
        "second.update",
        "last.update",
    ]
    assert step.parts["first.0.batch_norm.backward"] == ("first.0", Phase.INPUT_GRADIENT)
    assert step.parts["second.weight_gradient"] == ("second", Phase.WEIGHT_GRADIENT)


def test_words_of_layers_without_macs(inference: LayerGraph) -> None:
    """A map is 2 x 4 x 6 x 6 = 288 words; `first.0` and BatchNorm have 108 + 8 parameters."""
    graph = training_graph(inference, "adam").graph
    assert words(graph, "first.0.batch_norm") == (2 * 288, 288)
    assert words(graph, "first.0.batch_norm.backward") == (4 * 288, 288)
    assert words(graph, "add.backward") == (
        2 * 288,
        288,
    )  # the gradient and the result, whose sign is ReLU's derivative
    assert words(graph, "first.0.gradient sum") == (2 * 288, 288)
    assert words(graph, "mean.backward") == (2 * 4, 288)
    assert words(graph, "first.0.update") == (4 * 116, 3 * 116)


@pytest.mark.parametrize(("optimizer", "reads", "writes"), [("sgd", 2, 1), ("momentum", 3, 2), ("adamw", 4, 3)])
def test_words_of_an_update(inference: LayerGraph, optimizer: str, reads: int, writes: int) -> None:
    """Parameter, gradient and the optimizer's state in; parameter and state out; every parameter once."""
    graph = training_graph(inference, optimizer).graph
    updates = [layer.name for layer in graph.layers if layer.name.endswith(".update")]
    total = inference.parameters
    assert sum(words(graph, name)[0] for name in updates) == reads * total
    assert sum(words(graph, name)[1] for name in updates) == writes * total


def _attention() -> LayerGraph:
    layer = nn.TransformerEncoderLayer(d_model=16, nhead=2, dim_feedforward=32, batch_first=True)
    return trace(layer, (torch.zeros(1, 5, 16),))


@pytest.mark.parametrize("name", ["resnet20", "ffnn", "dual_cnn", "attention"])
def test_macs_of_a_step(name: str) -> None:
    """Forward pass and two gradients each, but for the input gradient of layers that read the image."""
    graph = _attention() if name == "attention" else resolve_workload(name).trace()
    step = training_graph(graph, "momentum").graph
    images = {e for e, edge in graph.edges.items() if edge.storage in graph.inputs}
    reading = sum(layer.macs for layer in graph.layers if images & set(layer.inputs))
    assert reading > 0
    assert step.macs == 3 * graph.macs - reading


def test_every_edge_is_made_before_it_is_read(inference: LayerGraph) -> None:
    graph = training_graph(inference, "momentum").graph
    made = set(graph.inputs) | {e for e, edge in inference.edges.items() if edge.kind in ("parameter", "constant")}
    for layer in graph.layers:
        states = {e for e in layer.inputs if ":state" in e}
        assert not states or layer.op == "momentum"
        if layer.op == "momentum":  # the gradients of biases and of BatchNorm come with those of their layer
            made |= {e for e in layer.inputs if e.startswith("d(")}
        assert set(layer.inputs) - states <= made, layer.name
        made |= set(layer.outputs)
    assert set(graph.outputs) <= made


def test_cost_of_a_step_and_an_epoch() -> None:
    step = training_cost(Residual(), "jetson_nano", batch=4, input="1x3x6x6", optimizer="sgd")
    total = step.total
    assert total.energy_j == pytest.approx(sum(part.cost.energy_j for part in step.parts))
    assert total.energy_j == pytest.approx(sum(step.phase(phase).energy_j for phase in Phase))
    assert total.energy_j == pytest.approx(sum(step.layer(name).energy_j for name in step.layers))
    assert 0 < total.energy_low_j < total.energy_j < total.energy_high_j
    graph = workload_of(Residual(), "1x3x6x6", 4).trace()
    again = simulate(training_graph(graph, "sgd").graph, "jetson_nano", bits=32).variants[0]
    assert total.energy_j == pytest.approx(again.energy.value * 1e-12)
    assert total.dram_bytes == again.dram_bytes
    # Ten images are two and a half batches, and three updates.
    update, epoch = step.phase(Phase.UPDATE), step.epoch(10)
    assert epoch.energy_j == pytest.approx(2.5 * (total.energy_j - update.energy_j) + 3 * update.energy_j)
    assert epoch.macs == round(2.5 * total.macs)


def test_unknown_optimizer() -> None:
    with pytest.raises(NotFoundError, match=r"unknown optimizer 'adma'.*did you mean 'adam'"):
        training_cost("ffnn", "simple3", optimizer="adma")


def test_the_optimizer_of_a_recipe() -> None:
    assert optimizer_key(Optimizer(name="sgd", lr=0.1)) == "momentum"
    assert optimizer_key(Optimizer(name="sgd", lr=0.1, momentum=0)) == "sgd"
    assert optimizer_key(Optimizer(name="adamw", lr=0.1)) == "adamw"
