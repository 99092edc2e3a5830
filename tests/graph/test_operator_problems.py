"""A MAC layer's problem, executed element by element, computes what PyTorch computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from graph_checks import check_graph, execute, extents
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.trace import trace


def only_mac(graph: LayerGraph) -> Layer:
    check_graph(graph)
    (layer,) = [layer for layer in graph.layers if layer.problem is not None]
    return layer


def run_convolution(module: Any, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The problem's result and PyTorch's, both without bias."""
    layer = only_mac(trace(module, (x,)))
    problem = layer.problem
    assert problem is not None
    bounds, weight = problem.bounds, module.weight.detach().numpy()
    shape = extents(problem, problem.tensor("weights"))
    if module.transposed:  # [G C] [K] ... to [G] [K] [C] ...
        weight = weight.reshape(bounds["G"], bounds["C"], bounds["K"], *weight.shape[2:]).swapaxes(1, 2)
    result = execute(problem, weight.reshape(shape), x.numpy().reshape(extents(problem, problem.tensor("ifmap"))))
    expected = module(x).detach().numpy()
    return result.reshape(expected.shape), expected


KINDS = {
    (1, False): nn.Conv1d,
    (2, False): nn.Conv2d,
    (3, False): nn.Conv3d,
    (1, True): nn.ConvTranspose1d,
    (2, True): nn.ConvTranspose2d,
    (3, True): nn.ConvTranspose3d,
}


@pytest.mark.parametrize(("axes", "transposed"), KINDS)
@pytest.mark.parametrize("settings_", [
    {},
    {"stride": 2, "padding": 1},
    {"dilation": 2, "padding": 2},
    {"groups": 2, "stride": 2},
    {"groups": 4},
], ids=str)  # fmt: skip
def test_convolution_computes_pytorchs_result(axes: int, transposed: bool, settings_: dict[str, int]) -> None:
    size = {1: (9,), 2: (5, 6), 3: (6, 5, 4)}[axes]
    kernel = {1: 3, 2: (3, 2), 3: (1, 2, 2)}[axes]
    more = {"output_padding": 1} if transposed and settings_.get("stride", 1) > 1 else {}
    module = KINDS[axes, transposed](4, 4, kernel, bias=False, **settings_, **more)
    result, expected = run_convolution(module, torch.randn(2, 4, *size))
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_padding_by_name(padding: str) -> None:
    module = nn.Conv2d(2, 3, (4, 3), padding=padding, dilation=(1, 2), bias=False)
    result, expected = run_convolution(module, torch.randn(1, 2, 6, 7))
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_unbatched_input() -> None:
    result, expected = run_convolution(nn.Conv2d(2, 3, 3, bias=False), torch.randn(2, 6, 7))
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_zeros_padded_before_a_convolution_become_its_padding() -> None:
    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 3, padding=1, bias=False)
            self.weight, self.transposed = self.conv.weight, False

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.conv(nn.functional.pad(x, (0, 1, 2, 0)))
            return result

    module, x = Padded(), torch.randn(1, 2, 5, 5)
    graph = trace(module, (x,))
    assert [layer.op for layer in graph.layers] == ["conv2d"]
    assert graph.layers[0].window is not None
    assert graph.layers[0].window.padding == ((3, 1), (1, 2))
    result, expected = run_convolution(module, x)
    np.testing.assert_allclose(result, expected, atol=1e-5)


convolutions = st.fixed_dictionaries(
    {
        "axes": st.integers(1, 3),
        "transposed": st.booleans(),
        "groups": st.integers(1, 3),
        "width": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "batch": st.integers(1, 3),
        "size": st.integers(5, 11),
        "kernel": st.integers(1, 4),
        "stride": st.integers(1, 3),
        "dilation": st.integers(1, 2),
        "padding": st.integers(0, 3),
    }
)


@settings(max_examples=40, deadline=None)
@given(convolutions)
def test_random_convolutions_have_pytorchs_shapes_and_macs(case: dict[str, Any]) -> None:
    axes, groups, kernel = case["axes"], case["groups"], case["kernel"]
    inside, outside = (groups * width for width in case["width"])
    with torch.device("meta"):
        module: Any = KINDS[axes, case["transposed"]](
            inside, outside, kernel,
            stride=case["stride"], dilation=case["dilation"], padding=case["padding"], groups=groups,
        )  # fmt: skip
        x = torch.empty(case["batch"], inside, *[case["size"]] * axes)
    try:
        expected = module(x)
    except RuntimeError:  # PyTorch itself refuses: a kernel larger than its input, or an empty result
        return
    if 0 in expected.shape:
        return
    graph = trace(module, (x,))
    layer = only_mac(graph)
    assert layer.problem is not None
    assert graph.edges[graph.outputs[0]].shape == tuple(expected.shape)
    bounds = layer.problem.bounds
    assert extents(layer.problem, layer.problem.tensor("ifmap")) == (
        case["batch"], groups, inside // groups, *[case["size"]] * axes,
    )  # fmt: skip
    pixels = x if case["transposed"] else expected
    assert bounds["N"] * bounds["G"] * bounds["K"] == case["batch"] * outside
    assert layer.macs == case["batch"] * outside * inside // groups * pixels[0, 0].numel() * kernel**axes


class Product(nn.Module):
    """An operator on two feature maps, or on a feature map and a parameter."""

    def __init__(self, function: Any, *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.function = function
        self.stored = nn.ParameterList(nn.Parameter(torch.randn(shape)) for shape in shapes)

    def forward(self, *inputs: Tensor) -> Tensor:
        result: Tensor = self.function(*inputs, *self.stored)
        return result


def run_product(layer: Layer, left: Tensor, right: Tensor) -> np.ndarray:
    """The problem's result for [G, N, C] by [G, C, K], as [G, N, K]."""
    assert layer.problem is not None
    ifmap = left.detach().numpy().transpose(1, 0, 2)[..., None, None]
    weights = right.detach().numpy().transpose(0, 2, 1)[..., None, None]
    return execute(layer.problem, weights, ifmap)[..., 0, 0].transpose(1, 0, 2)


def test_batched_matmul_computes_pytorchs_result() -> None:
    left, right = torch.randn(3, 4, 5), torch.randn(3, 5, 2)
    layer = only_mac(trace(Product(torch.matmul), (left, right)))
    np.testing.assert_allclose(run_product(layer, left, right), (left @ right).numpy(), atol=1e-5)
    assert not layer.problem.tensor("weights").is_parameter  # type: ignore[union-attr]


@pytest.mark.parametrize(("function", "left", "right", "sizes"), [
    (torch.matmul, (4, 5), (5, 6), (1, 4, 6, 5)),
    (torch.mm, (4, 5), (5, 6), (1, 4, 6, 5)),
    (torch.bmm, (2, 4, 5), (2, 5, 6), (2, 4, 6, 5)),
    (torch.matmul, (5,), (5, 6), (1, 1, 6, 5)),
    (torch.matmul, (4, 5), (5,), (1, 4, 1, 5)),
    (torch.mv, (4, 5), (5,), (1, 4, 1, 5)),
    (torch.dot, (5,), (5,), (1, 1, 1, 5)),
    (torch.matmul, (2, 3, 4, 5), (5, 6), (1, 24, 6, 5)),
    (torch.matmul, (2, 1, 4, 5), (1, 3, 5, 6), (1, 8, 18, 5)),
    (torch.matmul, (4, 5), (3, 5, 6), (1, 4, 18, 5)),
    (lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b), (2, 3, 4, 5), (2, 3, 6, 5), (6, 4, 6, 5)),
    (lambda a, b: torch.einsum("...ij,kj", a, b), (2, 4, 5), (6, 5), (1, 8, 6, 5)),
    (lambda a, b: torch.einsum("ni,nj->nij", a, b), (2, 4), (2, 6), (2, 4, 6, 1)),
], ids=range(13))  # fmt: skip
def test_product_sizes(
    function: Any, left: tuple[int, ...], right: tuple[int, ...], sizes: tuple[int, int, int, int]
) -> None:
    layer = only_mac(trace(Product(function), (torch.randn(left), torch.randn(right))))
    assert layer.problem is not None
    assert tuple(layer.problem.bounds[dim] for dim in "GNKC") == sizes
    assert set(layer.problem.bounds) == set("GNKCPQRS")


def test_einsum_that_is_no_matmul_is_listed() -> None:
    graph = trace(Product(lambda a, b: torch.einsum("ii,ij->j", a, b)), (torch.randn(4, 4), torch.randn(4, 5)))
    assert graph.unmodelled == {"aten.einsum": 1}
    check_graph(graph)


def test_a_trained_left_operand_takes_the_weights_slot() -> None:
    layer = only_mac(trace(Product(lambda x, w: w @ x, (7, 5)), (torch.randn(5, 3),)))
    assert dict(layer.operands)["weights"] == "stored.0"
    assert tuple(layer.problem.bounds[dim] for dim in "GNKC") == (1, 3, 7, 5)  # type: ignore[union-attr]
    assert layer.problem.tensor("weights").is_parameter  # type: ignore[union-attr]


def test_a_transposed_weight_is_the_weight() -> None:
    graph = trace(Product(lambda x, w, b: torch.addmm(b, x, w.t()), (7, 5), (7,)), (torch.randn(3, 5),))
    layer = only_mac(graph)
    assert layer.parameters == ("stored.0", "stored.1")
    assert layer.folded == ("bias",)


def test_a_vector_added_to_a_product_is_its_bias() -> None:
    graph = trace(Product(lambda x, w, b: torch.relu(x @ w + b), (5, 7), (7,)), (torch.randn(3, 5),))
    assert [layer.folded for layer in graph.layers] == [("bias", "relu")]


def test_a_feature_map_added_to_a_product_is_a_layer() -> None:
    graph = trace(Product(lambda base, x, w: torch.addmm(base, x, w), (5, 7)), (torch.randn(3, 7), torch.randn(3, 5)))
    assert [layer.op for layer in graph.layers] == ["matmul", "add"]
    check_graph(graph)


def test_linear_flattens_leading_axes() -> None:
    layer = only_mac(trace(nn.Linear(5, 7), (torch.randn(2, 3, 4, 5),)))
    assert layer.problem is not None
    assert layer.problem.dims == (("G", 1), ("N", 24), ("K", 7), ("C", 5), ("P", 1), ("Q", 1), ("R", 1), ("S", 1))


def test_bits_follow_the_type() -> None:
    layer = only_mac(trace(nn.Linear(5, 7, dtype=torch.bfloat16), (torch.randn(2, 5, dtype=torch.bfloat16),)))
    assert {tensor.bits for tensor in layer.problem.tensors} == {16}  # type: ignore[union-attr]


@pytest.mark.parametrize("key_heads", [4, 2])
def test_attention_is_three_layers(key_heads: int) -> None:
    query, key, value = torch.randn(2, 4, 6, 8), torch.randn(2, key_heads, 5, 8), torch.randn(2, key_heads, 5, 3)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    graph = trace(Product(attend), (query, key, value))
    check_graph(graph)
    assert [layer.op for layer in graph.layers] == ["matmul", "softmax", "matmul"]
    assert [layer.name.rpartition(".")[2] for layer in graph.layers] == ["qk", "softmax", "pv"]
    assert graph.macs == 2 * 4 * 6 * 5 * (8 + 3)
    assert graph.layers[0].problem.bounds["G"] == 2 * key_heads  # type: ignore[union-attr]
    assert graph.edges[graph.outputs[0]].shape == (2, 4, 6, 3)
