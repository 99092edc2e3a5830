"""Windows, words and operation counts of layers without multiply-accumulates."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from graph_checks import check_graph
from torch import Tensor, nn
from torch.nn import functional as F

from energysim.graph.layers import Layer, LayerKind, Window
from energysim.graph.ops import known_operators, operator
from energysim.graph.trace import trace

IMAGE = torch.randn(2, 4, 9, 9)


def only(function: Any, *inputs: Tensor) -> tuple[Layer, tuple[int, ...]]:
    """The one layer of a function that moves words, and its result's shape, checked against the real one."""

    class Model(nn.Module):
        def forward(self, *args: Tensor) -> Any:
            return function(*args)

    graph = trace(Model(), inputs)
    check_graph(graph)
    (layer,) = [layer for layer in graph.layers if layer.kind is not LayerKind.VIEW]
    shape = graph.edges[graph.outputs[0]].shape
    real = function(*inputs)
    assert shape == tuple((real[0] if isinstance(real, tuple) else real).shape)
    assert layer.kind is LayerKind.VECTOR
    return layer, shape


@pytest.mark.parametrize(("function", "window"), [
    (lambda x: F.max_pool2d(x, 3, 2, 1), Window((3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1))),
    (lambda x: F.max_pool2d(x, 2, dilation=2), Window((2, 2), (2, 2), ((0, 0), (0, 0)), (2, 2))),
    (lambda x: F.avg_pool2d(x, (2, 3)), Window((2, 3), (2, 3), ((0, 0), (0, 0)), (1, 1))),
    (lambda x: F.max_pool2d(x, 2, ceil_mode=True), Window((2, 2), (2, 2), ((0, 1), (0, 1)), (1, 1))),
    (lambda x: F.adaptive_avg_pool2d(x, 3), Window((3, 3), (3, 3), ((0, 0), (0, 0)), (1, 1))),
    (lambda x: F.adaptive_avg_pool2d(x, 4), None),
    (lambda x: F.adaptive_max_pool2d(x, 1), Window((9, 9), (9, 9), ((0, 0), (0, 0)), (1, 1))),
], ids=range(7))  # fmt: skip
def test_pooling_windows(function: Any, window: Window | None) -> None:
    assert only(function, IMAGE)[0].window == window


@pytest.mark.parametrize(("pool", "shape"), [
    (nn.MaxPool1d(2), (1, 3, 8)),
    (nn.AvgPool1d(3, 2, 1), (1, 3, 8)),
    (nn.MaxPool3d(2), (1, 3, 4, 6, 8)),
    (nn.AvgPool3d(2), (1, 3, 4, 6, 8)),
    (nn.AdaptiveAvgPool1d(4), (1, 3, 8)),
    (nn.AdaptiveAvgPool3d(2), (1, 3, 4, 6, 8)),
], ids=repr)  # fmt: skip
def test_pooling_in_one_and_three_dimensions(pool: nn.Module, shape: tuple[int, ...]) -> None:
    layer, result = only(pool, torch.randn(shape))
    assert layer.window is not None
    kernel_words = torch.Size(layer.window.kernel).numel()
    expected = (
        torch.Size(shape).numel() if layer.op.startswith("adaptive") else torch.Size(result).numel() * kernel_words
    )
    assert layer.ops == expected


@pytest.mark.parametrize("function", [
    F.relu, F.relu6, F.gelu, F.silu, F.hardswish, F.hardsigmoid, F.mish, F.elu, F.leaky_relu, torch.sigmoid, torch.tanh,
    torch.exp, torch.sqrt, lambda x: x * 0.5, lambda x: 1 - x, lambda x: x.clamp(0, 1), lambda x: x**2,
], ids=range(17))  # fmt: skip
def test_pointwise_operators_run_inside_their_producer(function: Any) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 1, bias=False)

        def forward(self, x: Tensor) -> Any:
            return function(self.conv(x))

    graph = trace(Model(), (IMAGE,))
    assert [layer.op for layer in graph.layers] == ["conv2d"]
    assert len(graph.layers[0].folded) == 1
    layer, _ = only(function, IMAGE)
    assert layer.ops == IMAGE.numel()


@pytest.mark.parametrize(("function", "ops"), [
    (torch.add, 648), (torch.mul, 648), (torch.maximum, 648), (lambda x, y: torch.cat([x, y], 1), 0),
    (lambda x, y: torch.stack([x, y]), 0), (lambda x, y: torch.where(x > 0, x, y), None),
], ids=range(6))  # fmt: skip
def test_operators_on_two_feature_maps(function: Any, ops: int | None) -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Any:
            return function(x, y)

    graph = trace(Model(), (IMAGE, IMAGE.clone()))
    check_graph(graph)
    assert graph.layers[-1].inputs[-1] == "y"
    if ops is not None:
        assert [(layer.ops, layer.inputs) for layer in graph.layers] == [(ops, ("x", "y"))]


@pytest.mark.parametrize("function", [
    lambda x: F.interpolate(x, scale_factor=2),
    lambda x: F.interpolate(x, size=(5, 7), mode="bilinear"),
    lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"),
    lambda x: F.softmax(x, 1),
    lambda x: F.log_softmax(x, 1),
    lambda x: F.layer_norm(x, (9, 9)),
    lambda x: F.group_norm(x, 2),
    lambda x: F.instance_norm(x),
    lambda x: F.rms_norm(x, (9,)),
    lambda x: F.glu(x, 1),
    lambda x: F.unfold(x, 3),
    lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
    lambda x: F.pad(x, (1, 1), value=2.0),
    lambda x: x.mean((2, 3)),
    lambda x: x.amax(1),
    lambda x: x.max(1),
    lambda x: x.argmax(1),
    lambda x: x.std(),
    lambda x: x.repeat(1, 2, 1, 1),
    lambda x: x.repeat_interleave(2, 1),
    lambda x: x.cumsum(1),
    lambda x: x.to(torch.float16),
    lambda x: torch.tril(x),
    lambda x: x[:, torch.tensor([0, 2, 3])],
], ids=range(24))  # fmt: skip
def test_one_layer_with_the_real_shape(function: Any) -> None:
    layer, _ = only(function, IMAGE)
    assert layer.op in known_operators() | {"cast"}


@pytest.mark.parametrize("function", [
    lambda x: x.view(8, 81), lambda x: x.permute(0, 2, 3, 1), lambda x: x.flatten(1), lambda x: x[:, 1:3, ::2],
    lambda x: x.unsqueeze(1).expand(2, 5, 4, 9, 9), lambda x: x.transpose(1, 2).reshape(2, -1), lambda x: x[0],
    lambda x: F.pixel_shuffle(x, 2), lambda x: F.channel_shuffle(x, 2), lambda x: x.roll(1, 2), lambda x: x.flip(1),
    lambda x: x.split(2, 1)[1], lambda x: x.unbind(1)[2], lambda x: x.narrow(1, 0, 2), lambda x: x.mT,
], ids=range(15))  # fmt: skip
def test_views_move_nothing(function: Any) -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return function(x)

    graph = trace(Model(), (IMAGE,))
    check_graph(graph)
    assert {layer.kind for layer in graph.layers} == {LayerKind.VIEW}
    assert graph.edges[graph.outputs[0]].storage == "x"
    assert graph.edges[graph.outputs[0]].shape == tuple(function(IMAGE).shape)


def test_an_operator_is_registered_once() -> None:
    with pytest.raises(ValueError, match="'conv2d' is already handled by convolution"):
        operator("conv2d")(lambda call: ())


def test_prelu_keeps_its_slope_with_its_host() -> None:
    graph = trace(nn.Sequential(nn.Linear(4, 4, bias=False), nn.PReLU(4)), (torch.randn(2, 4),))
    assert [(layer.folded, layer.parameters) for layer in graph.layers] == [(("prelu",), ("0.weight", "1.weight"))]
