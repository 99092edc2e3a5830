"""A network ready to be executed piece by piece: its layer graph, the operator calls behind each layer, its parameters,
and what the plain network computes at every edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from energysim.errors import EnergySimError
from energysim.graph.build import Origin
from energysim.graph.ir import Call, Value
from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.trace import trace_with_origin
from energysim.nn.executor.substitutes import substitute


class ExecutionError(EnergySimError):
    """A schedule or a layer that the executor cannot run, or a word that it needs and no longer has."""


@dataclass(frozen=True)
class ExecutableProgram:
    """``values`` holds every tensor of one run of the plain network (parameters included) by the name of its value;
    ``expected`` are the outputs of calling the model itself."""

    graph: LayerGraph
    origin: Origin
    values: dict[str, Tensor]
    inputs: tuple[Tensor, ...]
    expected: tuple[Tensor, ...]

    def plain(self, edge: str) -> Tensor | None:
        """What the plain network computes at an edge; None for a tensor that only the layer graph knows."""
        return self.values.get(self.origin.values[edge].name)

    def stored(self, value: Value) -> Tensor:
        """A parameter, a buffer, or what is computed from these alone. Raises ExecutionError where it is unknown."""
        for name in (value.name, f"%{value.name.removeprefix('%').rpartition('.')[2]}"):
            if name in self.values:
                return self.values[name]
        raise ExecutionError(f"the value of {value.name.lstrip('%')!r} is not known before the network runs")

    def calls(self, layer: Layer) -> tuple[Call, ...]:
        """The calls that carry a layer out. Raises ExecutionError where it is only a part of one call."""
        calls = self.origin.calls[layer.name]
        made = {value.name for call in calls for value in call.outputs}
        missing = [edge for edge in layer.outputs if self.origin.values[edge].name not in made]
        read = {value.name for call in calls for value in call.tensors}
        inputs = {name: value for name in layer.inputs if (value := self.origin.values[name])}
        if calls and (missing or any(value.name not in read for value in inputs.values())):
            parts = substitute(layer, calls[0], inputs, self.origin.values[layer.outputs[0]])
            calls, missing = (*parts, *calls[1:]), [] if parts else list(layer.outputs)
        if not calls or missing:
            raise ExecutionError(
                f"layer {layer.name!r} ({layer.op}) has no operator of its own to execute",
                hint="a fused operator such as attention, or a write into a part of a tensor",
            )
        return calls

    def edges_of(self, layer: Layer) -> dict[str, str]:
        """Value name -> edge name of a layer's feature maps."""
        return {self.origin.values[edge].name: edge for edge in (*layer.inputs, *layer.outputs)}


class _Recorder(fx.Interpreter):
    """Runs the exported program and keeps a copy of every result before a later call can overwrite it."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module, garbage_collect_values=True)
        self.kept: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.kept[f"%{n.name}"] = result.clone()
        elif isinstance(result, list | tuple):
            for index, item in enumerate(result):
                if isinstance(item, Tensor):
                    self.kept[f"%{n.name}:{index}"] = item.clone()
        return result


def prepare(model: nn.Module, inputs: Sequence[Tensor], *, name: str | None = None) -> ExecutableProgram:
    """Trace ``model`` at inference and run it once on ``inputs``.

    Raises TraceError where torch.export cannot make a program of it, ExecutionError for a quantized network.
    """
    given = tuple(inputs)
    graph, origin, exported = trace_with_origin(model.eval(), given, name=name)
    if any(width is not None for width in graph.widths):
        raise ExecutionError(
            "the network quantizes its tensors, and quantizers are not executed",
            hint="the network before quantization has the same layers and moves the same words",
        )
    signature = exported.graph_signature
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    tensors = {**exported.constants, **exported.state_dict}
    feed = iter(given)
    flat: list[Any] = []
    values: dict[str, Tensor] = {}
    for node in exported.graph.nodes:
        if node.op == "placeholder":
            tensor = tensors[names[node.name]] if node.name in names else next(feed)
            flat.append(tensor)
            values[names.get(node.name, f"%{node.name}")] = tensor
    recorder = _Recorder(exported.graph_module)
    with torch.no_grad():
        recorder.run(*flat)
        expected = model(*given)
    results = tuple(item for item in torch.utils._pytree.tree_leaves(expected) if isinstance(item, Tensor))
    return ExecutableProgram(graph, origin, {**recorder.kept, **values}, given, results)
