"""Models written in unusual ways: shared, in-place, functional, nested inputs, branching, unknown operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from graph_checks import check_graph
from torch import Tensor, nn
from torch.nn import functional as F

from energysim.errors import TraceError
from energysim.graph.layers import Layer, LayerGraph, LayerKind, TensorKind
from energysim.graph.trace import trace


def traced(function: Any, *inputs: Any, **modules: Any) -> LayerGraph:
    """The checked graph of ``function(module, *inputs)``, where module holds ``modules``."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, module in modules.items():
                setattr(self, name, module)

        def forward(self, *args: Any) -> Any:
            return function(self, *args)

    graph = trace(Model(), inputs)
    check_graph(graph)
    return graph


def moving(graph: LayerGraph) -> list[Layer]:
    """Layers that are no views."""
    return [layer for layer in graph.layers if layer.kind is not LayerKind.VIEW]


def ops(graph: LayerGraph) -> list[str]:
    return [layer.op for layer in moving(graph)]


IMAGE = torch.randn(1, 4, 8, 8)


def test_shared_module_is_two_layers_with_one_weight() -> None:
    graph = traced(lambda m, x: m.conv(F.relu(m.conv(x))), IMAGE, conv=nn.Conv2d(4, 4, 3, padding=1, bias=False))
    assert [layer.name for layer in graph.layers] == ["conv", "conv.1"]
    assert {layer.parameters for layer in graph.layers} == {("conv.weight",)}
    assert graph.parameters == 144
    assert graph.macs == 2 * 144 * 64


def test_tied_weights_are_one_edge() -> None:
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    second.weight = first.weight
    graph = traced(lambda m, x: m.b(m.a(x)), torch.randn(2, 4), a=first, b=second)
    assert [layer.parameters for layer in graph.layers] == [("a.weight",), ("a.weight",)]
    assert [layer.name for layer in graph.layers] == ["a", "b"]
    assert graph.parameters == 16


def test_in_place_and_functional_forms_give_the_same_graph() -> None:
    def in_place(m: Any, x: Tensor) -> Tensor:
        y = m.conv(x)
        y.relu_()
        y += x
        y.clamp_(max=6)
        return y

    def functional(m: Any, x: Tensor) -> Tensor:
        return torch.clamp(F.relu(F.conv2d(x, m.conv.weight, m.conv.bias, padding=1)) + x, max=6)

    for form in (in_place, functional):
        graph = traced(form, IMAGE, conv=nn.Conv2d(4, 4, 3, padding=1))
        assert [(layer.name, layer.op, layer.folded) for layer in graph.layers] == [
            ("conv", "conv2d", ("bias", "relu")),
            ("add", "add", ("clamp",)),
        ]


def test_an_input_changed_in_place_is_read_changed() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = x * 1
        y.add_(x)
        return y * x + y

    graph = traced(forward, torch.randn(3, 3))
    assert ops(graph) == ["mul", "add", "mul", "add"]
    assert graph.layers[3].inputs == (graph.layers[2].outputs[0], graph.layers[1].outputs[0])


def test_writes_into_parts_move_only_the_parts() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = torch.zeros(1, 4, 8, 8)
        y[:, :2] = m.a(x)
        y[:, 2:] = m.b(x)
        return F.avg_pool2d(y, 2)

    graph = traced(forward, IMAGE, a=nn.Conv2d(4, 2, 1, bias=False), b=nn.Conv2d(4, 2, 1, bias=False))
    assert ops(graph) == ["conv2d", "conv2d", "avg_pool2d"]
    assert [layer.folded for layer in moving(graph)][:2] == [("copy",), ("copy",)]
    assert any("only the part" in note for note in graph.notes)


def test_dictionaries_keywords_and_none() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)

        def forward(self, batch: dict[str, Tensor], *, scale: Tensor | None = None) -> dict[str, Any]:
            y = self.fc(batch["a"])
            return {"y": y if scale is None else y * scale, "nothing": None, "same": batch["b"]}

    batch = {"a": torch.randn(2, 3), "b": torch.randn(2)}
    plain = trace(Model(), (batch,), example_kwargs={"scale": None})
    scaled = trace(Model(), (batch,), example_kwargs={"scale": torch.randn(4)})
    check_graph(plain)
    check_graph(scaled)
    assert (ops(plain), ops(scaled)) == (["linear"], ["linear", "mul"])
    assert len(plain.outputs) == 2
    assert len(scaled.inputs) == 3


def test_channel_shuffle_is_free_and_noted() -> None:
    def shuffle(m: Any, x: Tensor) -> Tensor:
        y = F.max_pool2d(x, 2)
        y = y.view(1, 2, 2, 4, 4).transpose(1, 2).contiguous().view(1, 4, 4, 4)
        return m.conv(y)

    graph = traced(shuffle, IMAGE, conv=nn.Conv2d(4, 4, 1))
    assert ops(graph) == ["max_pool2d", "conv2d"]
    assert [note for note in graph.notes if "1 reshapes" in note and "64 words" in note]
    pool = moving(graph)[0].outputs[0]
    assert {graph.edges[layer.outputs[0]].storage for layer in graph.layers if layer.kind is LayerKind.VIEW} == {pool}


def test_batch_norm_folds_only_behind_a_sole_reader() -> None:
    conv, bn = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
    folded = traced(lambda m, x: F.relu(m.bn(m.conv(x))), IMAGE, conv=conv, bn=bn)
    assert [(layer.op, layer.folded) for layer in folded.layers] == [("conv2d", ("batch_norm", "relu"))]
    assert folded.layers[0].parameters == ("conv.weight", "bn.weight", "bn.bias")

    def shared(m: Any, x: Tensor) -> Tensor:
        y = m.conv(x)
        return m.bn(y) + y

    assert ops(traced(shared, IMAGE, conv=conv, bn=bn)) == ["conv2d", "batch_norm", "add"]


def test_batch_norm_before_a_convolution_is_a_layer_that_hosts_its_relu() -> None:
    graph = traced(
        lambda m, x: m.conv(F.relu(m.bn(torch.cat([x, x], 1)))), IMAGE, conv=nn.Conv2d(8, 2, 1), bn=nn.BatchNorm2d(8)
    )
    assert [(layer.op, layer.folded) for layer in graph.layers] == [
        ("cat", ()),
        ("batch_norm", ("relu",)),
        ("conv2d", ("bias",)),
    ]
    assert set(graph.layers[1].parameters) == {"bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"}


def test_batch_norm_does_not_fold_through_an_activation() -> None:
    graph = traced(lambda m, x: m.bn(F.relu(m.conv(x))), IMAGE, conv=nn.Conv2d(4, 4, 1), bn=nn.BatchNorm2d(4))
    assert ops(graph) == ["conv2d", "batch_norm"]


def test_a_result_of_the_network_is_not_folded_away() -> None:
    def forward(m: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        y = m.conv(x)
        return y, F.relu(y)

    graph = traced(forward, IMAGE, conv=nn.Conv2d(4, 4, 1))
    assert ops(graph) == ["conv2d", "relu"]
    assert {graph.edges[name].kind for name in graph.outputs} == {TensorKind.OUTPUT}


def test_dropout_identity_and_constants_leave_no_layer() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        mask = torch.zeros(8, 8)
        mask[2:4] = 1
        return m.drop(m.same(x)).detach() * mask

    graph = traced(forward, IMAGE, drop=nn.Dropout(0.5), same=nn.Identity())
    assert ops(graph) == ["mul"]
    (mask,) = graph.layers[0].parameters
    assert graph.edges[mask].kind is TensorKind.CONSTANT


def test_results_of_parameters_alone_are_computed_ahead() -> None:
    def standardized(m: Any, x: Tensor) -> Tensor:
        weight = m.conv.weight - m.conv.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight)

    graph = traced(standardized, IMAGE, conv=nn.Conv2d(4, 4, 3, bias=False))
    assert ops(graph) == ["conv2d"]
    assert graph.layers[0].problem.tensor("weights").is_parameter  # type: ignore[union-attr]
    assert any("ahead of inference" in note for note in graph.notes)


def test_embedding_reads_only_the_rows_it_delivers() -> None:
    graph = traced(lambda m, i: m.table(i), torch.zeros(2, 5, dtype=torch.long), table=nn.Embedding(1000, 8))
    (layer,) = graph.layers
    (rows,) = layer.parameters
    assert graph.edges[rows].words == 2 * 5 * 8
    assert graph.edges[rows].storage == "table.weight"


def test_slices_are_views_of_their_source() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        a, b = F.max_pool2d(x, 2).chunk(2, dim=1)
        return a[:, :, 1:] * b[:, :, 1:].squeeze(0)

    graph = traced(forward, IMAGE)
    a, b = graph.layers[-1].inputs
    assert graph.edges[a].storage == graph.edges[b].storage == graph.layers[0].outputs[0]


@torch.library.custom_op("energysim_tests::twist", mutates_args=())
def twist(x: Tensor) -> Tensor:
    return x.flip(0).clone()


@twist.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def test_unknown_operators_are_listed_and_move_words() -> None:
    graph = traced(lambda m, x: F.relu(twist(twist(m.conv(x)))), IMAGE, conv=nn.Conv2d(4, 4, 1))
    assert graph.unmodelled == {"energysim_tests.twist": 2}
    unknown = [layer for layer in graph.layers if layer.kind is LayerKind.UNMODELLED]
    assert [graph.edges[edge].words for layer in unknown for edge in (*layer.inputs, *layer.outputs)] == [256] * 4
    assert ops(graph)[-1] == "relu"  # nothing is known to run inside an unknown operator


@torch.library.custom_op("energysim_tests::untraceable", mutates_args=())
def untraceable(x: Tensor) -> Tensor:
    return x * 2


def test_an_operator_without_a_fake_kernel_is_run_once() -> None:
    graph = traced(lambda m, x: m.fc(untraceable(x)), torch.randn(2, 3), fc=nn.Linear(3, 4))
    assert graph.unmodelled == {"energysim_tests.untraceable": 1}
    assert graph.macs == 24


@torch.library.custom_op("energysim_tests::double", mutates_args=("x",))
def double(by: Tensor, x: Tensor) -> None:
    x.mul_(2)


def test_an_unknown_operator_that_only_writes_is_kept() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.fc(x)
        double(x, y)
        return y + 1

    graph = traced(forward, torch.randn(2, 3), fc=nn.Linear(3, 4))
    assert ops(graph) == ["linear", "energysim_tests.double", "add"]


def test_numbers_taken_out_of_tensors_keep_their_layers() -> None:
    graph = traced(lambda m, x: x * m.fc(x).sum().item(), torch.randn(2, 3), fc=nn.Linear(3, 4))
    assert ops(graph) == ["linear", "sum", "mul"]


def test_lists_of_numbers_keep_their_layers() -> None:
    graph = traced(lambda m, x: torch.tensor(m.fc(x).tolist()), torch.randn(2, 3), fc=nn.Linear(3, 4))
    assert graph.macs == 24


def test_computing_outside_pytorch_is_an_error() -> None:
    with pytest.raises(TraceError, match="numpy"):
        traced(lambda m, x: torch.from_numpy(m.fc(x).numpy()), torch.randn(2, 3), fc=nn.Linear(3, 4))


def test_a_missing_input_is_an_error() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with pytest.raises(TraceError, match=r"missing 1 required positional argument: 'y'.*separated with commas"):
        trace(Two(), (IMAGE,))


def test_branches_of_torch_cond_are_listed() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        result: Tensor = torch.cond(x.sum() > 0, lambda t: t * 2, lambda t: t + 1, (x,))
        return result

    assert traced(forward, IMAGE).unmodelled == {"cond": 1}


def test_a_part_of_a_parameter_is_an_edge_of_its_own() -> None:
    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(12, 4))

        def forward(self, x: Tensor) -> Tensor:
            query, key, _ = self.weight.chunk(3)
            return F.linear(x, query) + F.linear(x, key)

    graph = trace(Parts(), (torch.randn(2, 4),))
    check_graph(graph)
    parts = [graph.edges[layer.parameters[0]] for layer in graph.layers[:2]]
    assert [(part.words, part.storage) for part in parts] == [(16, "weight"), (16, "weight")]


def test_lstm_is_listed() -> None:
    graph = traced(lambda m, x: m.lstm(x)[0], torch.randn(2, 5, 3), lstm=nn.LSTM(3, 4, batch_first=True))
    assert graph.unmodelled == {"aten.lstm": 1}


def test_no_grad_and_autocast_inside_forward() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            y = m.a(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return m.b(y).float()

    graph = traced(forward, torch.randn(2, 3), a=nn.Linear(3, 4), b=nn.Linear(4, 5))
    assert graph.macs == 2 * (12 + 20)


def test_multihead_attention_is_taken_apart() -> None:
    block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    graph = traced(lambda m, x: m.block(x), torch.randn(1, 5, 8), block=block)
    assert [layer.name for layer in graph.layers if layer.kind is LayerKind.MAC] == [
        "block.self_attn.in_proj",
        "block.self_attn.qk",
        "block.self_attn.pv",
        "block.self_attn.out_proj",
        "block.linear1",
        "block.linear2",
    ]
    assert graph.macs == 5 * (8 * 24 + 2 * 5 * 8 + 8 * 8 + 2 * 8 * 16)


def test_loops_are_unrolled() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        return torch.stack([m.fc(row) for row in x])

    graph = traced(forward, torch.randn(3, 4), fc=nn.Linear(4, 2))
    assert [layer.name for layer in moving(graph)] == ["fc", "fc.1", "fc.2", "stack"]


def test_sizes_that_depend_on_data_come_from_one_run() -> None:
    x = torch.tensor([[1.0, 2.0], [-1.0, 3.0], [4.0, 5.0]])
    graph = traced(lambda m, x: m.fc(x[x[:, 0] > 0]), x, fc=nn.Linear(2, 4))
    assert graph.macs == 2 * 2 * 4
    assert any("one run on the example input" in note for note in graph.notes)
    assert graph.layers[-1].name == "fc"


def test_branch_on_data_is_one_error_with_the_line() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        if x.sum() > 0:  # THE LINE
            return x * 2
        return x

    with pytest.raises(TraceError, match="decides by the data") as caught:
        traced(forward, IMAGE)
    where = caught.value.where
    assert where is not None and where.file == __file__ and where.line is not None
    assert "THE LINE" in Path(__file__).read_text().splitlines()[where.line - 1]


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (nn.Conv2d(3, 4, 3), (1, 1, 32, 32), "expects 3 input channels, its input 1x1x32x32 has 1"),
        (nn.Conv2d(3, 4, 9), (1, 3, 4, 4), "too large for its padded input 1x3x4x4"),
        (nn.Conv2d(3, 4, 3), (1, 3), "expects an input of 4 axes"),
        (nn.Linear(3, 4), (2, 5), "expects 3 input features, its input 2x5 has 5"),
        (nn.BatchNorm2d(3), (1, 5, 4, 4), "expects 3 channels, its input 1x5x4x4 has 5"),
    ],
)
def test_misfit_input_names_the_layer(module: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(TraceError, match=f"0.inner.*{message}"):
        traced(lambda m, x: m.outer(x), torch.zeros(shape), outer=_named(module))


def _named(module: nn.Module) -> nn.Module:
    inner = nn.Sequential()
    inner.add_module("inner", module)
    return nn.Sequential(inner)


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
    model[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trace(model, (IMAGE,))
    assert [module.training for module in model] == [True, False, True]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_meta_models_are_traced_without_memory() -> None:
    with torch.device("meta"):
        model, x = nn.Linear(100_000, 100_000), torch.empty(1, 100_000)
    assert trace(model, (x,)).macs == 10**10


def test_layer_shapes_are_those_of_a_real_forward() -> None:
    from energysim.nn.zoo import resnet18

    model, seen = resnet18().eval(), {}
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda _m, _i, out, path=path: seen.update({path: tuple(out.shape)}))
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        model(x)
    graph = trace(model, (x,))
    shapes = {layer.name: graph.edges[layer.outputs[0]].shape for layer in graph.layers if layer.problem is not None}
    assert shapes == seen
