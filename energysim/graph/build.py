"""From a program of calls to a :class:`LayerGraph`: lower, fold, name layers and edges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from energysim.graph.fold import fold
from energysim.graph.ir import Call, Step, Value
from energysim.graph.layers import Edge, Layer, LayerGraph, LayerKind, TensorKind
from energysim.graph.lower import lower
from energysim.graph.widths import settled_widths, with_widths


@dataclass(frozen=True, slots=True)
class Origin:
    """What the names of a layer graph stand for in the traced program: the calls of every layer (folded ones included),
    and the value behind every edge."""

    calls: dict[str, tuple[Call, ...]]
    values: dict[str, Value]


def build_graph(
    name: str,
    calls: Iterable[Call],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    parameters: int,
    notes: Sequence[str] = (),
) -> LayerGraph:
    """The layer graph of a traced program. ``parameters`` is the model's own count, unused ones included."""
    return build_graph_with_origin(name, calls, inputs, outputs, parameters, notes)[0]


def build_graph_with_origin(
    name: str,
    calls: Iterable[Call],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    parameters: int,
    notes: Sequence[str] = (),
) -> tuple[LayerGraph, Origin]:
    """The layer graph, and what its names stand for."""
    program = lower(calls, inputs, outputs)
    steps = fold(program.steps, program.outputs)
    widths = settled_widths(steps, program.outputs)
    steps = tuple(with_widths(steps, widths)) if widths else steps
    names = _Names(program.stored)
    for value in inputs:
        names.add(value, value.name.lstrip("%"))
    layers = tuple(_layer(step, names) for step in steps)
    for value in program.outputs:
        names.of(value)
    results = {value.name for value in program.outputs}
    edges = _edges(names, results, widths)
    unmodelled = Counter(layer.op for layer in layers if layer.kind is LayerKind.UNMODELLED)
    graph = LayerGraph(
        name,
        layers,
        edges,
        tuple(names.edge[value.name] for value in inputs),
        tuple(names.edge[value.name] for value in program.outputs),
        parameters,
        dict(unmodelled),
        (*notes, *program.notes),
    )
    origin = {layer.name: step.calls for layer, step in zip(layers, steps, strict=True)}
    return graph, Origin(origin, dict(names.values))


@dataclass
class _Names:
    """Unique layer names and unique edge names, and the value behind each edge."""

    stored: Mapping[str, Value]
    layers: set[str] = field(default_factory=set)
    edge: dict[str, str] = field(default_factory=dict)  # value name -> edge name
    values: dict[str, Value] = field(default_factory=dict)  # edge name -> value

    def layer(self, wanted: str) -> str:
        name = _unique(wanted, self.layers)
        self.layers.add(name)
        return name

    def add(self, value: Value, wanted: str) -> str:
        name = _unique(wanted, self.values)
        self.edge[value.name], self.values[name] = name, value
        return name

    def of(self, value: Value) -> str:
        """The edge of a value seen before, or of a stored one at its first use."""
        return self.edge[value.name] if value.name in self.edge else self.add(value, value.name.lstrip("%"))


def _unique(wanted: str, taken: set[str] | Mapping[str, object]) -> str:
    if wanted not in taken:
        return wanted
    count = 1
    while f"{wanted}.{count}" in taken:
        count += 1
    return f"{wanted}.{count}"


def _layer(step: Step, names: _Names) -> Layer:
    name = names.layer(_wanted_name(step))
    stored = [_stored_edge(value, names) for value in step.inputs if value.is_stored]
    moving = [value for value in step.inputs if not value.is_stored]
    inputs = tuple(dict.fromkeys(names.of(value) for value in moving))
    parameters = tuple(dict.fromkeys(stored))
    outputs = tuple(
        names.add(value, name if len(step.outputs) == 1 else f"{name}:{index}")
        for index, value in enumerate(step.outputs)
    )
    operands = tuple(
        (tensor, _stored_edge(value, names) if value.is_stored else names.of(value)) for tensor, value in step.operands
    )
    op = step.target if step.kind is LayerKind.UNMODELLED else step.op
    return Layer(
        name,
        op,
        step.kind,
        inputs,
        outputs,
        parameters,
        step.problem,
        operands,
        step.folded,
        step.window,
        step.ops,
        step.module,
    )


def _stored_edge(value: Value, names: _Names) -> str:
    """A stored view as large as its parameter is that parameter (a transposed weight); a part has its own edge."""
    whole = names.stored[value.root]
    edge = names.of(whole)
    return edge if value.words >= whole.words else names.of(value)


def _wanted_name(step: Step) -> str:
    """The module's path for one torch.nn layer; else the weight's name; else the path and the operator."""
    if step.leaf and step.module:
        return step.module + step.suffix
    weights = dict(step.operands).get("weights")
    owner = re.fullmatch(r"(.+)[._]weight", weights.root) if weights is not None and weights.is_stored else None
    if owner is not None and not owner[1].startswith("%"):
        return owner[1] + step.suffix
    path = (step.module, step.suffix.lstrip(".") or step.op)
    return ".".join(part for part in path if part)


def _edges(names: _Names, results: set[str], widths: Mapping[str, int]) -> dict[str, Edge]:
    edges = {}
    for name, value in names.values.items():
        output = value.kind is TensorKind.ACTIVATION and value.name in results
        root = names.edge.get(value.root, name)
        kind = TensorKind.OUTPUT if output else value.kind
        edges[name] = Edge(name, value.shape, kind, root, widths.get(value.root))
    return edges
