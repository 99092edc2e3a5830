"""Word widths that the network itself fixes: a tensor that is quantized is stored in as many bits as its levels need.

A quantizer (fake quantization, or quantize and dequantize of a converted program) is no layer: its result *is* its
source, in fewer bits. A tensor is stored narrow if all who read it read it quantized; if one does not, it stays as wide
as the simulation's words, for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from energysim.graph.ir import Call, Step, Value
from energysim.graph.problem import TensorProblem

_TENSOR = ("per_tensor", "per_channel")
QUANTIZERS = frozenset(
    {f"fake_quantize_{kind}_affine" for kind in _TENSOR}
    | {f"fake_quantize_{kind}_affine_cachemask" for kind in _TENSOR}
    | {f"quantized_decomposed.{verb}_{kind}" for verb in ("quantize", "dequantize") for kind in _TENSOR}
)
"""Operators by their names in the operator table; each takes ``quant_min`` and ``quant_max``."""


def quantized(call: Call) -> Value:
    """The source of a quantizer's call as its readers see it: in as many bits as quant_min ... quant_max need."""
    levels = int(call.arguments["quant_max"]) - int(call.arguments["quant_min"])
    return replace(call.tensors[0], width=levels.bit_length())


def settled_widths(steps: Sequence[Step], outputs: Sequence[Value]) -> dict[str, int]:
    """Bits by name of every value that is only ever read quantized; a view has the width of what it is a view of."""
    read: dict[str, set[int]] = {}
    for value in (*(value for step in steps for value in step.inputs), *outputs):
        read.setdefault(value.root, set()).add(value.width)
        if value.root != value.name:
            read.setdefault(value.name, set()).add(value.width)
    return {name: max(widths) for name, widths in read.items() if 0 not in widths}


def with_widths(steps: Sequence[Step], widths: dict[str, int]) -> Iterator[Step]:
    """The same steps where every value, and the problems' tensors, have their settled width."""

    def settle(value: Value) -> Value:
        return replace(value, width=widths.get(value.root, 0))

    for step in steps:
        operands = tuple((name, settle(value)) for name, value in step.operands)
        yield replace(
            step,
            inputs=tuple(settle(value) for value in step.inputs),
            outputs=tuple(settle(value) for value in step.outputs),
            operands=operands,
            problem=None if step.problem is None else _narrowed(step.problem, dict(operands)),
        )


def _narrowed(problem: TensorProblem, operands: dict[str, Value]) -> TensorProblem:
    tensors = []
    for tensor in problem.tensors:
        width = operands[tensor.name].width if tensor.name in operands else 0
        tensors.append(replace(tensor, bits=width, is_quantized=True) if width else tensor)
    return TensorProblem(problem.dims, tuple(tensors))
