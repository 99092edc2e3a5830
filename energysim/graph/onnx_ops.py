"""ONNX operators in the words of the operator table: one small function per operator that is spelled differently.

Attribute meanings are those of the ONNX operator specification (opset 22).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from energysim.graph.ir import Call, Value


@dataclass(frozen=True, slots=True)
class Node:
    """One ONNX node: ``inputs`` by position (None where left out), ``literals`` the values of constant inputs."""

    op_type: str
    name: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    attributes: Mapping[str, Any]
    literals: Mapping[int, Sequence[Any]]

    def input(self, position: int) -> Value | None:
        return self.inputs[position] if position < len(self.inputs) else None


Converter = Callable[[Node], tuple[Call, ...]]
_CONVERTERS: dict[str, Converter] = {}

# Operators whose arguments need no names: the table's formulas take the tensors in order.
_SAME = dict(
    pair.split(":")
    for pair in [
        "Relu:relu",
        "LeakyRelu:leaky_relu",
        "PRelu:prelu",
        "Clip:clamp",
        "Sigmoid:sigmoid",
        "HardSigmoid:hardsigmoid",
        "HardSwish:hardswish",
        "Tanh:tanh",
        "Elu:elu",
        "Selu:selu",
        "Celu:celu",
        "Mish:mish",
        "Softplus:softplus",
        "Softsign:softsign",
        "Gelu:gelu",
        "Erf:erf",
        "Exp:exp",
        "Log:log",
        "Sqrt:sqrt",
        "Reciprocal:reciprocal",
        "Neg:neg",
        "Abs:abs",
        "Floor:floor",
        "Ceil:ceil",
        "Round:round",
        "Sign:sign",
        "Not:logical_not",
        "Sin:sin",
        "Cos:cos",
        "ThresholdedRelu:threshold",
        "Cast:to",
        "Add:add",
        "Sub:sub",
        "Mul:mul",
        "Div:div",
        "Pow:pow",
        "Mod:remainder",
        "Equal:eq",
        "Less:lt",
        "LessOrEqual:le",
        "Greater:gt",
        "GreaterOrEqual:ge",
        "And:logical_and",
        "Or:logical_or",
        "Xor:logical_xor",
        "Where:where",
        "Concat:cat",
        "Softmax:softmax",
        "LogSoftmax:log_softmax",
        "Flatten:flatten",
        "Reshape:reshape",
        "Transpose:permute",
        "Squeeze:squeeze",
        "Unsqueeze:unsqueeze",
        "Slice:slice",
        "Split:split",
        "Expand:expand",
        "Identity:identity",
        "Dropout:dropout",
        "ReduceMean:mean",
        "ReduceSum:sum",
        "ReduceMax:amax",
        "ReduceMin:amin",
        "ReduceProd:prod",
        "ReduceL2:norm",
        "ReduceL1:norm",
        "ArgMax:argmax",
        "ArgMin:argmin",
        "CumSum:cumsum",
        "Tile:repeat",
        "DepthToSpace:pixel_shuffle",
        "SpaceToDepth:pixel_unshuffle",
        "Shape:shape_of",
        "Size:shape_of",
        "ConstantOfShape:full",
        "Range:arange",
        "EyeLike:eye",
        "LayerNormalization:layer_norm",
        "InstanceNormalization:instance_norm",
        "GroupNormalization:group_norm",
        "RMSNormalization:rms_norm",
        "LRN:local_response_norm",
        "Trilu:tril",
        "ScatterND:scatter",
        "ScatterElements:scatter",
        "Max:maximum",
        "Min:minimum",
    ]
)


def calls_of(node: Node) -> tuple[Call, ...]:
    """The calls that a node stands for; an unknown operator is one call that no formula claims."""
    converter = _CONVERTERS.get(node.op_type)
    if converter is not None:
        return converter(node)
    op = _SAME.get(node.op_type, f"onnx.{node.op_type}")
    return (_call(node, op, dict(zip(map(str, range(len(node.inputs))), node.inputs, strict=True))),)


def _on(*names: str) -> Callable[[Converter], Converter]:
    def register(converter: Converter) -> Converter:
        _CONVERTERS.update(dict.fromkeys(names, converter))
        return converter

    return register


def _call(node: Node, op: str, arguments: Mapping[str, Any], outputs: tuple[Value, ...] | None = None) -> Call:
    path = ".".join(part for part in node.name.split("/") if part)
    results = node.outputs if outputs is None else outputs
    return Call(op, arguments, results, f"onnx.{node.op_type}", path, bool(path))


def _pads(
    node: Node,
    size: Sequence[int],
    out: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    hole: Sequence[int],
) -> tuple[tuple[int, int], ...]:
    """(before, after) per axis, from ``pads`` or ``auto_pad``."""
    axes = len(kernel)
    mode = node.attributes.get("auto_pad", "NOTSET")
    if not mode.startswith("SAME"):
        flat = node.attributes.get("pads", [0] * 2 * axes)
        return tuple(zip(flat[:axes], flat[axes:], strict=True))
    pairs = []
    for extent, result, k, step, d in zip(size, out, kernel, stride, hole, strict=True):
        total = max((result - 1) * step + (k - 1) * d + 1 - extent, 0)
        small = total // 2
        pairs.append((small, total - small) if mode == "SAME_UPPER" else (total - small, small))
    return tuple(pairs)


@_on("Conv", "ConvTranspose")
def _convolution(node: Node) -> tuple[Call, ...]:
    source, weight, bias = node.input(0), node.input(1), node.input(2)
    assert source is not None and weight is not None
    kernel = weight.shape[2:]
    axes = len(kernel)
    stride, hole = node.attributes.get("strides", [1] * axes), node.attributes.get("dilations", [1] * axes)
    size, out = source.shape[-axes:], node.outputs[0].shape[-axes:]
    transposed = node.op_type == "ConvTranspose"
    # The automatic padding of a transposed convolution is that of the convolution it undoes.
    ends = (out, size) if transposed else (size, out)
    arguments = {
        "input": source,
        "weight": weight,
        "bias": bias,
        "stride": tuple(stride),
        "padding": _pads(node, *ends, kernel, stride, hole),
        "dilation": tuple(hole),
        "groups": node.attributes.get("group", 1),
    }
    return (_call(node, f"conv_transpose{axes}d" if transposed else f"conv{axes}d", arguments),)


@_on("Gemm")
def _gemm(node: Node) -> tuple[Call, ...]:
    """alpha A' B' + beta C; a transposed operand is a view of it."""
    calls: list[Call] = []
    sides = []
    for position, flag in ((0, "transA"), (1, "transB")):
        value = node.input(position)
        assert value is not None
        if node.attributes.get(flag, 0):
            turned = Value(f"{value.name}.{flag}", value.shape[::-1], value.bits)
            calls.append(_call(node, "t", {"self": value}, (turned,)))
            value = turned
        sides.append(value)
    bias = node.input(2)
    if bias is None:
        return (*calls, _call(node, "mm", {"self": sides[0], "mat2": sides[1]}))
    return (*calls, _call(node, "addmm", {"self": bias, "mat1": sides[0], "mat2": sides[1]}))


@_on("MatMul")
def _matmul(node: Node) -> tuple[Call, ...]:
    return (_call(node, "matmul", {"self": node.input(0), "other": node.input(1)}),)


@_on("Einsum")
def _einsum(node: Node) -> tuple[Call, ...]:
    return (_call(node, "einsum", {"equation": node.attributes["equation"], "tensors": node.inputs}),)


@_on("BatchNormalization")
def _batch_norm(node: Node) -> tuple[Call, ...]:
    names = ("input", "weight", "bias", "running_mean", "running_var")
    return (_call(node, "batch_norm", dict(zip(names, node.inputs, strict=True)), node.outputs[:1]),)


@_on("MaxPool", "AveragePool")
def _pooling(node: Node) -> tuple[Call, ...]:
    source = node.input(0)
    assert source is not None
    kernel = node.attributes["kernel_shape"]
    axes = len(kernel)
    stride, hole = node.attributes.get("strides", [1] * axes), node.attributes.get("dilations", [1] * axes)
    pads = _pads(node, source.shape[-axes:], node.outputs[0].shape[-axes:], kernel, stride, hole)
    arguments = {
        "self": source,
        "kernel_size": tuple(kernel),
        "stride": tuple(stride),
        "padding": pads,
        "dilation": tuple(hole),
    }
    return (_call(node, f"{'max' if node.op_type == 'MaxPool' else 'avg'}_pool{axes}d", arguments),)


@_on("GlobalAveragePool", "GlobalMaxPool")
def _global_pooling(node: Node) -> tuple[Call, ...]:
    source = node.input(0)
    assert source is not None
    kind = "avg" if node.op_type == "GlobalAveragePool" else "max"
    return (_call(node, f"adaptive_{kind}_pool{len(source.shape) - 2}d", {"self": source}),)


@_on("Pad")
def _pad(node: Node) -> tuple[Call, ...]:
    """``pads`` are all the befores, then all the afters; the table wants pairs from the last axis backwards."""
    flat = node.attributes.get("pads") or node.literals.get(1)
    fill = node.attributes.get("value", next(iter(node.literals.get(2, [0])), 0))
    if flat is None or 3 in node.literals:
        return (_call(node, "reflection_pad2d", {"self": node.input(0)}),)
    half = len(flat) // 2
    pairs = [(int(before), int(after)) for before, after in zip(flat[:half], flat[half:], strict=True)][::-1]
    arguments = {
        "self": node.input(0),
        "pad": tuple(size for pair in pairs for size in pair),
        "mode": node.attributes.get("mode", "constant"),
        "value": fill,
    }
    return (_call(node, "pad", arguments),)


@_on("Gather")
def _gather(node: Node) -> tuple[Call, ...]:
    """One known index is a view; more are picked one by one."""
    source, index = node.input(0), node.input(1)
    assert source is not None and index is not None
    if index.is_stored and not index.shape:
        return (_call(node, "select", {"self": source}),)
    return (_call(node, "index_select", {"self": source, "index": index}),)


@_on("Resize", "Upsample")
def _resize(node: Node) -> tuple[Call, ...]:
    source = node.input(0)
    assert source is not None
    axes, mode = len(source.shape) - 2, node.attributes.get("mode", "nearest")
    names = {"linear": {1: "linear1d", 2: "bilinear2d", 3: "trilinear3d"}, "cubic": {2: "bicubic2d"}}
    op = f"upsample_{names.get(mode, {}).get(axes, f'nearest{axes}d')}"
    return (_call(node, op, {"self": source}),)
