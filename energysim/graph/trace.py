"""From a PyTorch model to a layer graph, by torch.export's un-decomposed aten graph."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.overrides import TorchFunctionMode

from energysim.errors import EnergySimError
from energysim.graph.build import Origin, build_graph, build_graph_with_origin
from energysim.graph.diagnose import explain, first_line
from energysim.graph.layers import LayerGraph, TensorKind
from energysim.graph.read_fx import Program, SymbolicShapeError, read_graph


def trace(
    model: nn.Module,
    example_inputs: tuple[Any, ...],
    *,
    example_kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> LayerGraph:
    """The layer graph of ``model`` at inference for inputs of the given shapes and types (their values do not matter).

    The model is not changed and nothing is computed: torch.export runs it on tensors without data. Where a size depends
    on data, the model is run once on the example inputs instead and the graph holds for these (a note says so).
    Raises TraceError where the inputs do not fit the model, or its control flow depends on data.
    """
    kwargs = dict(example_kwargs or {})
    label = name if name is not None else type(model).__name__
    with _inference(model):
        try:
            program = _export(model, example_inputs, kwargs)
        except EnergySimError:
            raise
        except Exception as error:
            program = _run_once(model, example_inputs, kwargs, error)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return build_graph(label, program.calls, program.inputs, program.outputs, parameters, program.notes)


def graph_of_exported(program: ExportedProgram, name: str) -> LayerGraph:
    """The layer graph of a torch.export program; one with open sizes is traced again, for its example inputs."""
    parameters = {id(tensor): tensor.numel() for tensor in program.parameters()}
    try:
        read = read_exported(program)
    except SymbolicShapeError:
        args, kwargs = program.example_inputs or ((), {})
        return trace(program.module(), tuple(args), example_kwargs=kwargs, name=name)
    return build_graph(name, read.calls, read.inputs, read.outputs, sum(parameters.values()), read.notes)


def trace_with_origin(
    model: nn.Module, example_inputs: tuple[Any, ...], *, name: str | None = None
) -> tuple[LayerGraph, Origin, ExportedProgram]:
    """The layer graph with the operator calls behind its layers, and the program that torch.export made.

    Raises TraceError where torch.export cannot make one (sizes or control flow depend on data).
    """
    label = name if name is not None else type(model).__name__
    with _inference(model):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exported = torch.export.export(model, example_inputs, strict=False)
            program = read_exported(exported)
        except EnergySimError:
            raise
        except Exception as error:
            raise explain(model, example_inputs, {}, error) from error
    parameters = sum(parameter.numel() for parameter in model.parameters())
    built = build_graph_with_origin(label, program.calls, program.inputs, program.outputs, parameters, program.notes)
    return *built, exported


def read_exported(program: ExportedProgram) -> Program:
    """Calls of an exported program, its parameters and buffers under dotted names (a tied weight has one name)."""
    signature = program.graph_signature
    first: dict[int, str] = {}
    stored: dict[str, tuple[TensorKind, str]] = {}
    for placeholder, target in signature.inputs_to_parameters.items():
        name = first.setdefault(id(program.state_dict[target]), target)
        stored[placeholder] = (TensorKind.PARAMETER, name)
    for table in (signature.inputs_to_buffers, signature.inputs_to_lifted_tensor_constants):
        stored.update({placeholder: (TensorKind.CONSTANT, target) for placeholder, target in table.items()})
    return read_graph(program.graph_module, stored)


def _export(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Program:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_exported(torch.export.export(model, args, kwargs, strict=False))


def _run_once(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], cause: Exception) -> Program:
    """The calls that one real run makes, recorded by torch.fx's tracer below torch.export.

    Raises TraceError from ``cause`` where the run itself fails, branches on data, or computes outside PyTorch (what
    comes back from NumPy would look like a constant, and the layers before it would be lost).
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    # In-place updates of buffers by the run must not reach the user's model.
    tensors = {**parameters, **{key: copy.deepcopy(buffer) for key, buffer in buffers.items()}}
    flat, spec = torch.utils._pytree.tree_flatten((args, kwargs))
    held = [item for item in flat if isinstance(item, torch.Tensor)]

    def run(stored: list[torch.Tensor], input: list[torch.Tensor]) -> Any:
        rest = iter(input)
        items = [next(rest) if isinstance(item, torch.Tensor) else item for item in flat]
        call_args, call_kwargs = torch.utils._pytree.tree_unflatten(items, spec)
        return torch.func.functional_call(model, dict(zip(tensors, stored, strict=True)), call_args, call_kwargs)

    try:
        with _Inside():
            recorded = make_fx(run, tracing_mode="real", pre_dispatch=True)(list(tensors.values()), held)
        placeholders = [node.name for node in recorded.graph.nodes if node.op == "placeholder"]
        kinds = [*(TensorKind.PARAMETER for _ in parameters), *(TensorKind.CONSTANT for _ in buffers)]
        stored = dict(zip(placeholders, zip(kinds, tensors, strict=True), strict=False))
        program = read_graph(recorded, stored)
    except Exception as error:
        raise explain(model, args, kwargs, cause) from error
    note = (
        f"torch.export gave up ({first_line(cause)}): the graph is that of one run on the example input, and layers "
        "are named after their weights"
    )
    return Program(program.calls, program.inputs, program.outputs, (note,))


class _Inside(TorchFunctionMode):
    """Refuses to hand a tensor's values to anything but PyTorch."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in (torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.__array__):
            raise RuntimeError("the values of a tensor leave PyTorch")
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def _inference(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients, attention not fused beyond recognition; all put back afterwards.

    What the model or PyTorch print and log meanwhile is withheld: stdout may carry JSON, and where an attempt fails the
    error says so in one line.
    """
    training = {module: module.training for module in model.modules()}
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    silenced = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        # Not model.eval(): exported programs refuse it, and a user's own override may do more than this.
        for module in training:
            module.training = False
        sink = io.StringIO()
        with torch.no_grad(), contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            yield
    finally:
        logging.disable(silenced)
        torch.backends.mha.set_fastpath_enabled(fast_path)
        for module, mode in training.items():
            module.training = mode
