"""Exported programs and ONNX files give the same layers as the model that they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from graph_checks import check_graph
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from energysim.errors import EnergySimError, TraceError
from energysim.graph.layers import LayerGraph, LayerKind
from energysim.graph.trace import trace
from energysim.nn.zoo import lightweight_cnn
from energysim.workload import resolve_workload


def layers(graph: LayerGraph) -> list[tuple[Any, ...]]:
    return [(layer.name, layer.op, layer.folded, layer.problem) for layer in graph.layers]


def save_pt2(path: Path, model: nn.Module, x: torch.Tensor, **options: Any) -> Path:
    torch.export.save(torch.export.export(model.eval(), (x,), **options), path)
    return path


def test_pt2_equals_its_model(tmp_path: Path) -> None:
    model, x = lightweight_cnn(), torch.zeros(1, 3, 32, 32)
    graph = resolve_workload(str(save_pt2(tmp_path / "net.pt2", model, x))).trace()
    check_graph(graph)
    assert layers(graph) == layers(trace(model, (x,)))
    assert graph.parameters == 258_292
    assert graph.name == "net"


def test_pt2_with_open_batch(tmp_path: Path) -> None:
    dynamic = {"images": {0: torch.export.Dim("batch")}}
    path = str(save_pt2(tmp_path / "net.pt2", lightweight_cnn(), torch.zeros(2, 3, 32, 32), dynamic_shapes=dynamic))
    assert resolve_workload(path).trace().macs == 2 * 15_753_728
    assert resolve_workload(path, batch=5).trace().macs == 5 * 15_753_728


def test_pt2_with_fixed_batch_refuses_another(tmp_path: Path) -> None:
    path = str(save_pt2(tmp_path / "net.pt2", nn.Linear(3, 4), torch.zeros(1, 3)))
    with pytest.raises(TraceError, match=r"does not take this input.*dynamic_shapes"):
        resolve_workload(path, batch=5).trace()


def test_decomposed_pt2_is_read_as_well(tmp_path: Path) -> None:
    model, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), torch.zeros(1, 3, 8, 8)
    program = torch.export.export(model.eval(), (x,)).run_decompositions()
    torch.export.save(program, tmp_path / "net.pt2")
    graph = resolve_workload(str(tmp_path / "net.pt2")).trace()
    assert [(layer.op, layer.folded) for layer in graph.layers] == [("conv2d", ("bias", "batch_norm", "relu"))]
    assert graph.macs == 4 * 3 * 9 * 36


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_damaged_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(b"not a model")
    with pytest.raises(EnergySimError, match=r"net.*: (not a torch.export program|not an ONNX model|the ONNX model)"):
        resolve_workload(str(path)).trace()


def zeros(name: str, *shape: int) -> Any:
    return numpy_helper.from_array(np.zeros(shape, np.float32), name)


def integers(name: str, values: Any) -> Any:
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


def save_onnx(path: Path, nodes: list[Any], stored: list[Any], shape: list[int | str], result: list[int | str]) -> str:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, result)],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("custom", 1)])
    onnx.save(model, path)
    return str(path)


def classifier(path: Path) -> str:
    """Pad, convolution with BatchNorm and ReLU, residual, pooling, a reshape computed from shapes, Gemm."""
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["padded"]),
        helper.make_node("Conv", ["padded", "w"], ["c"], name="/stem/conv/Conv", kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["bn"], name="/stem/bn"),
        helper.make_node("Relu", ["bn"], ["r"], name="/stem/relu"),
        helper.make_node(
            "Conv", ["r", "dw"], ["d"], name="/dw/Conv", kernel_shape=[3, 3], group=8, auto_pad="SAME_UPPER"
        ),
        helper.make_node("Add", ["d", "r"], ["sum"], name="/Add"),
        helper.make_node("GlobalAveragePool", ["sum"], ["pooled"], name="/pool"),
        helper.make_node("Shape", ["pooled"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axis"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["pooled", "target"], ["flat"], name="/flatten"),
        helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["y"], name="/fc/Gemm", transB=1),
    ]
    statistics = [zeros(name, 8) for name in ("scale", "shift", "mean", "var")]
    weights = [zeros("w", 8, 3, 3, 3), zeros("dw", 8, 1, 3, 3), zeros("fc.weight", 10, 8), zeros("fc.bias", 10)]
    shapes = [
        integers("pads", [0, 0, 1, 1, 0, 0, 1, 1]), integers("zero", 0), integers("axis", [0]), integers("rest", [-1]),
    ]  # fmt: skip
    return save_onnx(path, nodes, [*statistics, *weights, *shapes], ["N", 3, 32, 32], ["N", 10])


def test_onnx_network(tmp_path: Path) -> None:
    graph = resolve_workload(classifier(tmp_path / "net.onnx"), batch=2).trace()
    check_graph(graph)
    moving = [layer for layer in graph.layers if layer.kind is not LayerKind.VIEW]
    assert [(layer.name, layer.op, layer.folded) for layer in moving] == [
        ("stem.conv.Conv", "conv2d", ("batch_norm", "relu")),
        ("dw.Conv", "conv2d", ()),
        ("Add", "add", ()),
        ("pool", "adaptive_avg_pool2d", ()),
        ("fc.Gemm", "linear", ("bias",)),
    ]
    assert graph.macs == 2 * (8 * 3 * 9 * 256 + 8 * 9 * 256 + 80)
    assert graph.parameters == 2 * 8 + 8 * 27 + 8 * 9 + 90
    assert [layer.window.padding for layer in moving[:2] if layer.window] == [((1, 1), (1, 1)), ((1, 1), (1, 1))]


@pytest.mark.parametrize(("node", "stored", "result", "op", "macs"), [
    (helper.make_node("ConvTranspose", ["x", "w"], ["y"], kernel_shape=[3, 3], strides=[2, 2], group=2),
     [zeros("w", 4, 3, 3, 3)], [1, 6, 17, 17], "conv_transpose2d", 4 * 3 * 9 * 64),
    (helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[2, 2], dilations=[2, 2], pads=[1, 0, 2, 1]),
     [zeros("w", 5, 4, 2, 2)], [1, 5, 9, 7], "conv2d", 5 * 4 * 4 * 63),
    (helper.make_node("MatMul", ["x", "w"], ["y"]), [zeros("w", 8, 3)], [1, 4, 8, 3], "matmul", 4 * 8 * 8 * 3),
    (helper.make_node("Einsum", ["x", "w"], ["y"], equation="nchw,wk->nchk"),
     [zeros("w", 8, 3)], [1, 4, 8, 3], "einsum", 4 * 8 * 8 * 3),
    (helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
     [], [1, 4, 4, 4], "max_pool2d", 0),
    (helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="linear"),
     [numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")], [1, 4, 16, 16], "upsample_bilinear2d", 0),
    (helper.make_node("LayerNormalization", ["x", "w"], ["y"]), [zeros("w", 8)], [1, 4, 8, 8], "layer_norm", 0),
    (helper.make_node("Softmax", ["x"], ["y"]), [], [1, 4, 8, 8], "softmax", 0),
], ids=range(8))  # fmt: skip
def test_onnx_operators(
    tmp_path: Path, node: Any, stored: list[Any], result: list[int | str], op: str, macs: int
) -> None:
    graph = resolve_workload(save_onnx(tmp_path / "net.onnx", [node], stored, [1, 4, 8, 8], result)).trace()
    check_graph(graph)
    (layer,) = graph.layers
    assert (layer.op, layer.macs, layer.kind is LayerKind.MAC) == (op, macs, macs > 0)
    assert graph.edges[graph.outputs[0]].shape == tuple(result)


def test_onnx_unknown_operator_is_listed(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonMaxSuppressionLike", ["x"], ["y"], domain="custom")]
    graph = resolve_workload(save_onnx(tmp_path / "net.onnx", nodes, [], [1, 4], [1, 4])).trace()
    check_graph(graph)
    assert graph.unmodelled == {"onnx.NonMaxSuppressionLike": 1}


def test_onnx_shape_that_nothing_tells(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonMaxSuppressionLike", ["x"], ["y"], domain="custom")]
    path = save_onnx(tmp_path / "net.onnx", nodes, [], ["N", 4], ["N", 4])
    with pytest.raises(TraceError, match="the shape of 'y' cannot be inferred"):
        resolve_workload(path).trace()


def test_onnx_input_that_does_not_fit(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.onnx")
    with pytest.raises(TraceError, match="input 'x' is Nx3x32x32, not 1x3x64x64"):
        resolve_workload(path, "1x3x64x64").trace()
    with pytest.raises(TraceError, match="2 inputs for the 1"):
        resolve_workload(path, "1x3x32x32,1x3").trace()


def test_onnx_open_shape_needs_input(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    path = save_onnx(tmp_path / "net.onnx", nodes, [], ["N", 3, "H", "W"], ["N", 3, "H", "W"])
    with pytest.raises(TraceError, match=r"open shape 1x3xHxW.*give --input"):
        resolve_workload(path)
    assert resolve_workload(path, "1x3x5x6").trace().edges["x"].shape == (1, 3, 5, 6)
