"""A MAC layer of a network carried out by its mapping: its tensors in the layout of its problem, and back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod

from torch import Tensor

from energysim.arch.spec import ArchSpec
from energysim.graph.ir import Call
from energysim.graph.layers import Layer
from energysim.graph.problem import TensorProblem
from energysim.mapping.nest import Mapping
from energysim.nn.executor.mapped import NestRun, run_nest
from energysim.nn.executor.memory import Dram
from energysim.nn.executor.operators import call_is_transposed, folded
from energysim.nn.executor.program import ExecutableProgram, ExecutionError
from energysim.nn.executor.trace import StackTrace
from energysim.schedule.values import Stack


@dataclass(frozen=True)
class LayerMapping:
    """How one layer runs alone on a device. ``problem`` is the layer's, with the word widths it was mapped for."""

    problem: TensorProblem
    arch: ArchSpec
    mapping: Mapping


def run_mapped_layer(
    program: ExecutableProgram, stack: Stack, layer: Layer, how: LayerMapping, dram: Dram
) -> StackTrace:
    """Run ``layer`` step by step of its mapping's outermost loops; folded operators follow on the finished results.

    ``loaded`` has the ifmap's words and, under the name of the ofmap, refilled partial sums; ``stored`` the updates.
    Raises ExecutionError for an operator whose tensors have no such layout, or that keeps words on chip.
    """
    assert layer.problem is not None
    calls = program.calls(layer)
    names = program.edges_of(layer)
    given = {name: dram.tensors[edge] for name, edge in names.items() if edge in layer.inputs}
    operands = operands_of(calls[0], layer.problem, given, program)
    run = run_nest(how.problem, how.arch, how.mapping, operands, _outside(program, layer, dram))
    tensors = {calls[0].outputs[0].name: _result(calls[0], layer.problem, run, program)}
    folded(calls[1:], tensors, program)
    (output,) = layer.outputs
    dram.fill(output, next(tensors[name] for name, edge in names.items() if edge == output))
    return _trace(stack, layer, run)


def _outside(program: ExecutableProgram, layer: Layer, dram: Dram) -> dict[str, Tensor]:
    """Which words of the layer's feature maps are in DRAM, in the layout of its problem."""
    assert layer.problem is not None
    problem, call = layer.problem, program.calls(layer)[0]
    names = program.edges_of(layer)
    given = {name: dram.outside[edge] for name, edge in names.items() if edge in layer.inputs}
    laid_out = operands_of(call, problem, given, program)
    masks = {tensor.name: laid_out[tensor.name] for tensor in problem.inputs if not tensor.is_parameter}
    result, bounds = dram.outside[layer.outputs[0]], problem.bounds
    if call.op.startswith("conv"):
        axes = len(call.value("weight").shape) - 2
        masks["ofmap"] = result.reshape(bounds["N"], bounds["G"], bounds["K"], *result.shape[-axes:])
    else:
        masks["ofmap"] = result.reshape(bounds["G"], bounds["N"], bounds["K"]).transpose(0, 1)[..., None, None]
    return masks


def _trace(stack: Stack, layer: Layer, run: NestRun) -> StackTrace:
    assert layer.problem is not None
    trace = StackTrace(stack, macs=Counter({layer.name: run.macs}))
    edges = dict(layer.operands)
    for tensor in layer.problem.tensors:
        reads, updates = run.words[tensor.name]
        if tensor.is_parameter:
            trace.weights[layer.name] += reads
        else:
            trace.loaded[edges[tensor.name]] += reads
            trace.stored[edges[tensor.name]] += updates
    trace.loaded, trace.stored = +trace.loaded, +trace.stored
    trace.of_one_layer()
    return trace


def operands_of(
    call: Call, problem: TensorProblem, given: dict[str, Tensor], program: ExecutableProgram
) -> dict[str, Tensor]:
    """The operands of a call by tensor name, in the layout of the problem's ranks; ``given`` by value name.

    Raises ExecutionError for an operator whose tensors have no such layout.
    """
    bounds = problem.bounds
    groups, inner = bounds["G"], bounds["C"]

    def of(*names: str) -> Tensor:
        value = call.value(*names)
        return given[value.name] if value.name in given else program.stored(value)

    if call.op.startswith("conv"):
        weight, source = of("weight"), of("input")
        kernel, plane = weight.shape[2:], source.shape[-(weight.dim() - 2) :]
        if call_is_transposed(call):
            weights = weight.reshape(groups, inner, -1, *kernel).transpose(1, 2)
        else:
            weights = weight.reshape(groups, -1, inner, *kernel)
        return {"weights": weights, "ifmap": source.reshape(bounds["N"], groups, inner, *plane)}
    if call.op in ("linear", "addmm", "matmul", "mm", "bmm"):
        if call.op == "linear":
            left, right = of("input"), of("weight").T
        else:
            left, right = of("mat1") if call.op == "addmm" else of("self"), of("mat2", "other")
        batch = prod(right.shape[:-2])
        fits = (batch, prod(left.shape[:-1]) // batch, right.shape[-1]) == (groups, bounds["N"], bounds["K"])
        if left.dim() > 1 and right.dim() > 1 and fits and (batch == 1 or left.shape[:-2] == right.shape[:-2]):
            rows = left.reshape(groups, -1, inner).transpose(0, 1)
            columns = right.reshape(groups, inner, -1).transpose(1, 2)
            return {"weights": columns[..., None, None], "ifmap": rows[..., None, None]}
    raise ExecutionError(f"operator {call.op!r} on these shapes cannot be executed by its mapping")


def _result(call: Call, problem: TensorProblem, run: NestRun, program: ExecutableProgram) -> Tensor:
    shape = call.outputs[0].shape
    if call.op.startswith("conv"):
        made = run.result.reshape(shape)
        bias = call.optional("bias")
        axes = len(call.value("weight").shape) - 2
        return made if bias is None else made + program.stored(bias).reshape(-1, *(1,) * axes)
    made = run.result.reshape(run.result.shape[:3]).transpose(0, 1).reshape(shape)
    bias = call.optional("self") if call.op == "addmm" else call.optional("bias")
    return made if bias is None else made + program.stored(bias)
