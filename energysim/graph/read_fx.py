"""Calls of a torch.fx graph of aten operators, as torch.export and make_fx leave it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from energysim.graph.ir import Call, Value, values_in
from energysim.graph.layers import TensorKind

# torch.nn modules that are several layers, so that their path names none of them.
_COMPOSITE = (
    "torch.nn.modules.transformer.",
    "torch.nn.modules.activation.MultiheadAttention",
    "torch.nn.modules.container.",
)
_RESHAPES = frozenset({"reshape", "flatten", "contiguous", "unflatten", "ravel", "clone"})
_INLINED = frozenset({"wrap_with_set_grad_enabled", "wrap_with_autocast"})


_SYMBOLS = (torch.SymInt, torch.SymFloat, torch.SymBool)


class SymbolicShapeError(Exception):
    """A tensor's size depends on data or is left open: this graph has no numbers to count."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a reader hands on: calls in execution order, the network's inputs and outputs, and assumptions made."""

    calls: tuple[Call, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    notes: tuple[str, ...] = ()


def read_graph(graph_module: fx.GraphModule, stored: Mapping[str, tuple[TensorKind, str]]) -> Program:
    """Read a graph whose placeholders are ``stored`` (placeholder -> kind and dotted name) or inputs of the network.

    Raises SymbolicShapeError where a size is not a number.
    """
    reader = _Reader(stored)
    results = reader.read(graph_module, {})
    outputs = tuple(value for value in _flat(results) if isinstance(value, Value))
    return Program(tuple(reader.calls), tuple(reader.inputs), outputs)


class _Reader:
    def __init__(self, stored: Mapping[str, tuple[TensorKind, str]]) -> None:
        self.stored = stored
        self.calls: list[Call] = []
        self.inputs: list[Value] = []

    def read(self, graph_module: fx.GraphModule, bound: Mapping[str, Any]) -> Any:
        """The graph's results; ``bound`` gives the placeholders of a nested graph."""
        env: dict[fx.Node, Any] = {}
        for node in graph_module.graph.nodes:
            if node.op == "placeholder":
                env[node] = bound[node.name] if node.name in bound else self._placeholder(node)
            elif node.op == "get_attr":
                env[node] = self._attribute(graph_module, node)
            elif node.op == "call_function":
                env[node] = self._call(node, env)
            elif node.op == "output":
                return fx.map_arg(node.args[0], env.__getitem__)
        return ()

    def _placeholder(self, node: fx.Node) -> Any:
        meta = node.meta.get("val")
        if not isinstance(meta, torch.Tensor):
            return meta
        if node.name in self.stored:
            kind, name = self.stored[node.name]
            return _value(name, meta, kind)
        value = _value(f"%{node.name}", meta, TensorKind.INPUT)
        self.inputs.append(value)
        return value

    def _attribute(self, graph_module: fx.GraphModule, node: fx.Node) -> Any:
        target: Any = graph_module
        for part in str(node.target).split("."):
            target = getattr(target, part)
        return _value(str(node.target), target, TensorKind.CONSTANT) if isinstance(target, torch.Tensor) else target

    def _call(self, node: fx.Node, env: Mapping[fx.Node, Any]) -> Any:
        target: Any = node.target
        args: Any = fx.map_arg(node.args, env.__getitem__)
        kwargs: Any = fx.map_arg(dict(node.kwargs), env.__getitem__)
        if getattr(target, "__name__", "") == "getitem":
            return args[0][args[1]]
        if getattr(target, "_name", "") in _INLINED:
            return self._inline(args)
        results = _results(f"%{node.name}", node.meta.get("val"))
        if isinstance(results, _SYMBOLS) and any(True for _ in values_in([args, kwargs])):
            return self._number(node, args, kwargs)
        outputs = tuple(value for value in _flat(results) if isinstance(value, Value))
        call = _call(node, target, args, kwargs, outputs)
        if call is not None:
            self.calls.append(call)
        return results

    def _number(self, node: fx.Node, args: Any, kwargs: Any) -> Value:
        """A number taken out of a tensor (``x.item()``, arithmetic on it) stays a value: it depends on the layers."""
        value = Value(f"%{node.name}", (), 64)
        self.calls.append(Call("item", {"self": args, "other": kwargs}, (value,), "aten.item", *_module(node)))
        return value

    def _inline(self, args: Sequence[Any]) -> Any:
        """``wrap_with_...(settings..., graph, *operands)`` runs its graph on the operands."""
        position = next(index for index, arg in enumerate(args) if isinstance(arg, fx.GraphModule))
        graph, operands = args[position], args[position + 1 :]
        names = [node.name for node in graph.graph.nodes if node.op == "placeholder"]
        return self.read(graph, dict(zip(names, operands, strict=True)))


def _call(
    node: fx.Node, target: Any, args: Sequence[Any], kwargs: Mapping[str, Any], outputs: tuple[Value, ...]
) -> Call | None:
    """The call, or None for an operator that neither returns nor writes a tensor (a check)."""
    schema = getattr(target, "_schema", None)
    name = str(target)
    arguments: dict[str, Any] = {**{str(i): arg for i, arg in enumerate(args)}, **kwargs}
    overwrites: tuple[Value, ...] = ()
    if schema is not None:
        names = [argument.name for argument in schema.arguments]
        defaults = {a.name: a.default_value for a in schema.arguments if a.has_default_value()}
        arguments = {**defaults, **dict(zip(names, args, strict=False)), **kwargs}
        aliased = [argument for argument in schema.arguments if argument.alias_info is not None]
        written = [arguments.get(argument.name) for argument in aliased if argument.alias_info.is_write]
        overwrites = tuple(value for value in written if isinstance(value, Value))
        namespace, _, base = schema.name.partition("::")
        base = base.removesuffix("_") if overwrites else base
        name = base if namespace == "aten" else f"{namespace}.{base}"
    if not outputs:
        outputs = tuple(Value(f"%{node.name}:{i}", value.shape, value.bits) for i, value in enumerate(overwrites))
    if not outputs:
        return None
    module, leaf = _module(node)
    return Call(name, arguments, outputs, _spelled(target), module, leaf, overwrites, _copies(name, node))


def _spelled(target: Any) -> str:
    """``aten.grid_sampler`` for an operator (no overload), else the function's own name."""
    schema = getattr(target, "_schema", None)
    return schema.name.replace("::", ".") if schema is not None else getattr(target, "__name__", str(target))


def _module(node: fx.Node) -> tuple[str, bool]:
    """The innermost module's path, and whether it is one torch.nn layer."""
    stack = node.meta.get("nn_module_stack") or {}
    if not stack:
        return "", False
    path, kind = list(stack.values())[-1]
    type_name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    leaf = type_name.startswith("torch.nn.modules.") and not type_name.startswith(_COMPOSITE)
    return str(path).split("@")[0], leaf


def _copies(op: str, node: fx.Node) -> bool:
    """Whether a reshape cannot be a view of its source's strides, so that PyTorch copies."""
    if op not in _RESHAPES:
        return False
    source = next((arg.meta.get("val") for arg in node.all_input_nodes), None)
    result = node.meta.get("val")
    if not isinstance(source, torch.Tensor) or not isinstance(result, torch.Tensor):
        return False
    if op in ("contiguous", "clone"):
        return not source.is_contiguous()
    try:
        torch.empty_strided(tuple(source.shape), source.stride(), device="meta").view(tuple(result.shape))
    except RuntimeError:
        return True
    return False


def _results(name: str, meta: Any) -> Any:
    """Values shaped like an operator's result: one tensor, or a sequence of them."""
    if isinstance(meta, torch.Tensor):
        return _value(name, meta, TensorKind.ACTIVATION)
    if isinstance(meta, list | tuple):
        return [_results(f"{name}:{index}", entry) for index, entry in enumerate(meta)]
    return meta


def _value(name: str, tensor: torch.Tensor, kind: TensorKind) -> Value:
    if any(not isinstance(size, int) for size in tensor.shape):
        raise SymbolicShapeError(f"{name.lstrip('%')} has the shape {tuple(tensor.shape)}")
    return Value(name, tuple(tensor.shape), tensor.element_size() * 8, kind)


def _flat(results: Any) -> list[Any]:
    if isinstance(results, list | tuple):
        return [value for entry in results for value in _flat(entry)]
    if isinstance(results, dict):
        return [value for entry in results.values() for value in _flat(entry)]
    return [results]
