"""Operators with multiply-accumulates: convolutions, linear layers, matrix products, attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

from energysim.graph.ir import Call, Step, Value
from energysim.graph.layers import LayerKind, Window
from energysim.graph.ops import operator, unmodelled
from energysim.graph.problem import TensorProblem
from energysim.graph.problems import Operand, convolution_problem, matmul_problem, transposed_convolution_problem

_SOFTMAX_OPS = 5  # per element: running maximum, subtract, exponential, sum, divide


def per_axis(setting: Any, axes: int) -> tuple[int, ...]:
    """A number, or a list of one or ``axes`` numbers, as one number per axis."""
    numbers = (setting,) if isinstance(setting, int) else tuple(int(number) for number in setting)
    return numbers * axes if len(numbers) == 1 else numbers


def padding_pairs(setting: Any, kernel: Sequence[int], dilation: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """(before, after) per axis of a number, a list, ``same``, ``valid`` or a list of pairs.

    ``same`` adds (kernel - 1) * dilation in all, the odd one after, as torch.nn.functional.conv2d documents.
    """
    axes = len(kernel)
    if setting == "valid":
        return ((0, 0),) * axes
    if setting == "same":
        totals = [(size - 1) * hole for size, hole in zip(kernel, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if not isinstance(setting, int) and setting and not isinstance(setting[0], int):
        return tuple((int(before), int(after)) for before, after in setting)
    return tuple((size, size) for size in per_axis(setting, axes))


def _operand(value: Value) -> Operand:
    return Operand(value.bits, value.is_stored)


def _mac(
    op: str, problem: TensorProblem, weights: Value, ifmap: Value, ofmap: Value, bias: Value | None = None, **more: Any
) -> Step:
    return Step(
        op,
        LayerKind.MAC,
        (ifmap, weights) if bias is None else (ifmap, weights, bias),
        (ofmap,),
        problem=problem,
        operands=(("weights", weights), ("ifmap", ifmap), ("ofmap", ofmap)),
        folded=() if bias is None else ("bias",),
        hosts=True,
        **more,
    )


@operator("conv1d", "conv2d", "conv3d", "convolution")
def convolution(call: Call) -> tuple[Step, ...]:
    """weight [K, C/G, *kernel], input [N, C, *size] or without N; padding 'same', 'valid' or per axis."""
    if call.get("transposed", False):
        return transposed_convolution(call)
    source, weight, (result, *_) = call.value("input"), call.value("weight"), call.outputs
    kernel = weight.shape[2:]
    axes = len(kernel)
    stride, dilation = per_axis(call.get("stride", 1), axes), per_axis(call.get("dilation", 1), axes)
    padding = padding_pairs(call.get("padding", 0), kernel, dilation)
    groups = call.get("groups", 1)
    problem = convolution_problem(
        batch=source.shape[0] if len(source.shape) == axes + 2 else 1,
        groups=groups,
        out_channels=weight.shape[0],
        in_channels=weight.shape[1] * groups,
        in_size=source.shape[-axes:],
        out_size=result.shape[-axes:],
        kernel=kernel,
        stride=stride,
        padding_before=[before for before, _ in padding],
        dilation=dilation,
        weights=_operand(weight),
        ifmap=_operand(source),
        ofmap=_operand(result),
    )
    window = Window(kernel, stride, padding, dilation)
    return (_mac(f"conv{axes}d", problem, weight, source, result, call.optional("bias"), window=window),)


@operator("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed_convolution(call: Call) -> tuple[Step, ...]:
    """weight [C, K/G, *kernel]; ``output_padding`` only enlarges the result. It slides over its ofmap: no Window."""
    source, weight, (result, *_) = call.value("input"), call.value("weight"), call.outputs
    kernel = weight.shape[2:]
    axes = len(kernel)
    dilation = per_axis(call.get("dilation", 1), axes)
    groups = call.get("groups", 1)
    problem = transposed_convolution_problem(
        batch=source.shape[0] if len(source.shape) == axes + 2 else 1,
        groups=groups,
        out_channels=weight.shape[1] * groups,
        in_channels=weight.shape[0],
        in_size=source.shape[-axes:],
        out_size=result.shape[-axes:],
        kernel=kernel,
        stride=per_axis(call.get("stride", 1), axes),
        padding_before=[before for before, _ in padding_pairs(call.get("padding", 0), kernel, dilation)],
        dilation=dilation,
        weights=_operand(weight),
        ifmap=_operand(source),
        ofmap=_operand(result),
    )
    return (_mac(f"conv_transpose{axes}d", problem, weight, source, result, call.optional("bias")),)


@operator("linear")
def linear(call: Call) -> tuple[Step, ...]:
    """weight [K, C] (or [C] for one output), input [..., C]: every leading axis is a row."""
    source, weight, (result,) = call.value("input"), call.value("weight"), call.outputs
    reduced = weight.shape[-1]
    sizes = (1, prod(source.shape[:-1]), weight.words // reduced, reduced)
    return (_product("linear", source, weight, result, sizes, call.optional("bias")),)


def _product(
    op: str,
    left: Value,
    right: Value,
    result: Value,
    sizes: tuple[int, int, int, int],
    bias: Value | None = None,
    **more: Any,
) -> Step:
    """A matmul of ``sizes`` (batch, rows, columns, reduced); a stored left operand moves to the weights' slot."""
    batch, rows, columns, reduced = sizes
    if left.is_stored and not right.is_stored:
        left, right, rows, columns = right, left, columns, rows
    problem = matmul_problem(
        batch=batch,
        rows=rows,
        columns=columns,
        reduced=reduced,
        weights=_operand(right),
        ifmap=_operand(left),
        ofmap=_operand(result),
    )
    return _mac(op, problem, right, left, result, bias, **more)


def _matmul_sizes(left: Sequence[int], right: Sequence[int]) -> tuple[int, int, int, int]:
    """(batch, rows, columns, reduced) of torch.matmul. An axis that one side broadcasts enlarges the other side's rows
    or columns instead of the batch: the broadcast operand then is one operand, read once."""
    left, right = ((1, *left) if len(left) == 1 else left), ((*right, 1) if len(right) == 1 else right)
    batch, rows, columns = 1, left[-2], right[-1]
    axes = max(len(left), len(right)) - 2
    lefts = (1,) * (axes - len(left) + 2) + tuple(left[:-2])
    rights = (1,) * (axes - len(right) + 2) + tuple(right[:-2])
    for a, b in zip(lefts, rights, strict=True):
        if a == b:
            batch *= a
        elif b == 1:
            rows *= a
        else:
            columns *= b
    return batch, rows, columns, left[-1]


@operator("matmul", "mm", "bmm", "mv", "dot")
def matmul(call: Call) -> tuple[Step, ...]:
    """left [..., N, C] by right [..., C, K], with torch.matmul's broadcasting and 1-d rules."""
    left, right = call.value("self"), call.value("other", "mat2", "vec", "tensor")
    return (_product("matmul", left, right, call.outputs[0], _matmul_sizes(left.shape, right.shape)),)


@operator("addmm", "baddbmm", "addmv")
def added_matmul(call: Call) -> tuple[Step, ...]:
    """self + left @ right: a stored ``self`` is a bias, a feature map an addition of its own after the product."""
    left, right = call.value("mat1", "batch1", "mat"), call.value("mat2", "batch2", "vec")
    base, sizes = call.value("self"), _matmul_sizes(left.shape, right.shape)
    result = call.outputs[0]
    if base.is_stored:
        return (_product("linear", left, right, result, sizes, base),)
    partial = replace(result, name=f"{result.name}.product")
    add = Step("add", LayerKind.VECTOR, (partial, base), (result,), ops=result.words, hosts=True, suffix=".add")
    return (_product("matmul", left, right, partial, sizes, suffix=".product"), add)


def _spell_out(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """An einsum equation with every axis named: ellipses become capital letters that the equation does not use."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    free = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter not in equation]
    hidden = max((rank - len(term) + 3 for term, rank in zip(terms, ranks, strict=True) if "..." in term), default=0)
    dots = "".join(free[:hidden])
    named = [t.replace("...", dots[hidden - (rank - len(t) + 3) :]) for t, rank in zip(terms, ranks, strict=True)]
    letters = "".join(named)
    implied = dots + "".join(sorted(letter for letter in set(letters) - set(dots) if letters.count(letter) == 1))
    return named, right.replace("...", dots) if arrow else implied


@operator("einsum")
def einsum(call: Call) -> tuple[Step, ...]:
    """Two operands, each letter at most once in each, no letter summed inside one operand: a batched matmul."""
    operands: tuple[Value, ...] = tuple(call.arguments["tensors"])
    terms, output = _spell_out(call.arguments["equation"], [len(value.shape) for value in operands])
    if len(operands) != 2 or any(len(set(term)) != len(term) for term in terms):
        return unmodelled(call)
    left, right = set(terms[0]), set(terms[1])
    size: dict[str, int] = {}
    for term, value in zip(terms, operands, strict=True):
        for letter, extent in zip(term, value.shape, strict=True):
            size[letter] = max(extent, size.get(letter, 1))
    kept = set(output)
    if (left ^ right) - kept:
        return unmodelled(call)
    groups = (left & right & kept, left - right, right - left, (left & right) - kept)
    batch, rows, columns, reduced = (prod(size[letter] for letter in group) for group in groups)
    return (_product("einsum", operands[0], operands[1], call.outputs[0], (batch, rows, columns, reduced)),)


@operator("scaled_dot_product_attention")
def attention(call: Call) -> tuple[Step, ...]:
    """softmax(Q K^T * scale + mask) V as three layers. With fewer key heads than query heads (grouped queries) the
    queries that share a head are rows of one product. The causal mask saves no work: the dense product is counted."""
    query, key, value, (result, *_) = call.value("query"), call.value("key"), call.value("value"), call.outputs
    heads = prod(key.shape[:-2])
    rows, length, depth = query.words // query.shape[-1] // heads, key.shape[-2], query.shape[-1]
    scores = replace(result, name=f"{result.name}.scores", shape=(*query.shape[:-1], length))
    weights = replace(scores, name=f"{result.name}.weights")
    mask = call.optional("attn_mask")
    product = _product("matmul", query, key, scores, (heads, rows, length, depth), suffix=".qk")
    softmax = Step(
        "softmax",
        LayerKind.VECTOR,
        (scores,) if mask is None else (scores, mask),
        (weights,),
        ops=_SOFTMAX_OPS * scores.words,
        suffix=".softmax",
    )
    mix = _product("matmul", weights, value, result, (heads, rows, value.shape[-1], length), suffix=".pv")
    return (replace(product, folded=("scale",)), softmax, mix)
