"""The layer graph: layers in execution order, tensors as edges. Knows nothing of hardware."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

from energysim.graph.problem import TensorProblem

if TYPE_CHECKING:
    import pandas as pd


class TensorKind(StrEnum):
    INPUT = "input"  # of the network
    OUTPUT = "output"  # of the network
    ACTIVATION = "activation"  # between two layers
    PARAMETER = "parameter"
    CONSTANT = "constant"  # a buffer or literal that has to be stored (not a folded BatchNorm statistic)


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor that exists: ``shape`` in elements. ``storage`` names the edge whose words a view shares, or itself.

    ``bits``: word width where the network itself quantizes it, else None. ``density``: share of its words that are not
    zero, where that was measured, else 1.
    """

    name: str
    shape: tuple[int, ...]
    kind: TensorKind
    storage: str
    bits: int | None = None
    density: float = 1.0

    @property
    def words(self) -> int:
        result = 1
        for size in self.shape:
            result *= size
        return result


class LayerKind(StrEnum):
    MAC = "mac"  # has a TensorProblem: convolution, linear, matmul
    VECTOR = "vector"  # pooling, elementwise, concatenation, normalization, softmax: words move, no MACs
    VIEW = "view"  # no word moves
    UNMODELLED = "unmodelled"  # an operator without a model: listed with its count; its words are moved like VECTOR's


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window over the last ``len(kernel)`` axes (pooling, and convolutions for the schedule layer)."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]  # (before, after) per axis
    dilation: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator. ``inputs`` and ``outputs`` name feature-map edges, ``parameters`` name parameter edges.

    ``operands`` gives, for a MAC layer, the edge behind each tensor of ``problem``. ``folded`` lists what runs for free
    inside it (BatchNorm, bias, ReLU). ``ops`` counts elementary arithmetic operations of a VECTOR layer (not MACs).
    """

    name: str
    op: str
    kind: LayerKind
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    problem: TensorProblem | None = None
    operands: tuple[tuple[str, str], ...] = ()
    folded: tuple[str, ...] = ()
    window: Window | None = None
    ops: int = 0
    module: str = ""

    @property
    def macs(self) -> int:
        return 0 if self.problem is None else self.problem.macs


@dataclass(frozen=True)
class LayerGraph:
    """Layers in execution order and their tensors. ``parameters`` counts every parameter of the model, used or not."""

    name: str
    layers: tuple[Layer, ...]
    edges: dict[str, Edge]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: int
    unmodelled: dict[str, int] = field(default_factory=dict)  # operator -> how many times
    notes: tuple[str, ...] = ()  # what the tracer assumed, in plain words

    @cached_property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    def to_pandas(self) -> pd.DataFrame:
        """One row per layer that moves words; shapes of feature maps as text."""
        import pandas as pd

        def shapes(names: tuple[str, ...]) -> str:
            return ", ".join("x".join(map(str, self.edges[name].shape)) for name in names)

        return pd.DataFrame(
            {
                "layer": layer.name,
                "operator": layer.op,
                "kind": layer.kind.value,
                "ifmap": shapes(layer.inputs),
                "ofmap": shapes(layer.outputs),
                "macs": layer.macs,
                "parameters": sum(self.edges[name].words for name in layer.parameters),
                "folded": ", ".join(layer.folded),
            }
            for layer in self.layers
            if layer.kind is not LayerKind.VIEW
        )

    def _repr_html_(self) -> str:
        table: str = self.to_pandas().to_html(index=False)
        totals = f"{self.macs:,} MACs, {self.parameters:,} parameters"
        return f"<p><b>{escape(self.name)}</b>: {totals}</p>{table}"

    @cached_property
    def producers(self) -> dict[str, str]:
        """Edge name -> name of the layer that writes it."""
        return {edge: layer.name for layer in self.layers for edge in layer.outputs}

    @cached_property
    def consumers(self) -> dict[str, tuple[str, ...]]:
        """Edge name -> names of the layers that read it, in execution order."""
        found: dict[str, list[str]] = {}
        for layer in self.layers:
            for edge in layer.inputs:
                found.setdefault(edge, []).append(layer.name)
        return {edge: tuple(names) for edge, names in found.items()}

    @cached_property
    def widths(self) -> frozenset[int | None]:
        """Word widths that the network fixes for what its layers move; None among them where it leaves one open."""
        moved = {*self.inputs, *self.outputs}
        for layer in self.layers:
            if layer.problem is not None:
                moved.update(edge for _, edge in layer.operands)
            elif layer.kind is not LayerKind.VIEW:
                moved.update((*layer.inputs, *layer.parameters, *layer.outputs))
        return frozenset(self.edges[name].bits for name in moved)

    def with_open_widths(self) -> LayerGraph:
        """The same graph where no width is fixed: all words are as wide as a simulation is asked for."""
        if self.widths == {None}:
            return self
        edges = {name: replace(edge, bits=None) for name, edge in self.edges.items()}
        layers = tuple(
            layer if layer.problem is None else replace(layer, problem=layer.problem.with_open_widths())
            for layer in self.layers
        )
        return replace(self, layers=layers, edges=edges)

    def layer(self, name: str) -> Layer:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}
