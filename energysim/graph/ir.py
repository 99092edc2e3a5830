"""What a reader (torch.export, torch.fx, ONNX) hands to the operator table, and what the table answers.

A reader turns a network into a list of :class:`Call`; the table (:mod:`energysim.graph.ops`) turns each call into
:class:`Step` values; :mod:`energysim.graph.lower` and :mod:`energysim.graph.fold` make a layer graph of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from energysim.graph.layers import LayerKind, TensorKind, Window
from energysim.graph.problem import TensorProblem


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the traced program: ``shape`` in elements, ``bits`` per element, ``storage`` what it is a view of,
    ``width`` the bits that it is quantized to (0: it is not)."""

    name: str
    shape: tuple[int, ...]
    bits: int
    kind: TensorKind = TensorKind.ACTIVATION
    storage: str = ""
    width: int = 0

    @property
    def root(self) -> str:
        """The value whose words this one shares (itself, unless it is a view)."""
        return self.storage or self.name

    @property
    def words(self) -> int:
        return prod(self.shape)

    @property
    def is_stored(self) -> bool:
        """Known before the network runs: a parameter, a buffer, a literal, or computed from these alone."""
        return self.kind in (TensorKind.PARAMETER, TensorKind.CONSTANT)


@dataclass(frozen=True, slots=True)
class Call:
    """One operator call.

    ``op`` is the operator's name without overload, namespace (for aten) and in-place underscore; ``arguments`` are
    bound by the names of its schema, with defaults. ``leaf`` says that ``module`` is one torch.nn layer, so that its
    path names the layer. ``overwrites`` are the values that an in-place form replaces, each by the output at its place;
    ``copies`` marks a reshape
    that PyTorch carries out as a copy.
    """

    op: str
    arguments: Mapping[str, Any]
    outputs: tuple[Value, ...]
    target: str
    module: str = ""
    leaf: bool = False
    overwrites: tuple[Value, ...] = ()
    copies: bool = False

    def value(self, *names: str) -> Value:
        """The first of the named arguments that is a tensor (operators disagree on ``self`` and ``input``)."""
        found = (self.optional(name) for name in names)
        return next(value for value in found if value is not None)

    def optional(self, name: str) -> Value | None:
        value = self.arguments.get(name)
        return value if isinstance(value, Value) else None

    def get(self, name: str, default: Any = None) -> Any:
        value = self.arguments.get(name)
        return default if value is None else value

    @property
    def tensors(self) -> tuple[Value, ...]:
        """Every tensor among the arguments, lists included, in order and each once."""
        return tuple({value.name: value for value in values_in(self.arguments)}.values())


@dataclass(frozen=True, slots=True)
class Step:
    """A layer in the making: like :class:`~energysim.graph.layers.Layer`, but over values.

    ``inputs`` holds feature maps, parameters and constants together, in the operator's order. ``operands`` names the
    value behind each tensor of ``problem``. ``pointwise`` marks one element in, one element out, which can run inside
    the step before it; ``hosts`` marks a step that computes its output elements one by one, so that a follower fits.
    ``calls`` are the operator calls that the step stands for, folded ones included.
    """

    op: str
    kind: LayerKind
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    problem: TensorProblem | None = None
    operands: tuple[tuple[str, Value], ...] = ()
    folded: tuple[str, ...] = ()
    window: Window | None = None
    ops: int = 0
    suffix: str = ""
    pointwise: bool = False
    hosts: bool = False
    module: str = ""
    leaf: bool = False
    target: str = ""
    calls: tuple[Call, ...] = ()


def values_in(items: Any) -> Iterator[Value]:
    """The values in arbitrarily nested sequences and mappings, in order."""
    if isinstance(items, Value):
        yield items
    elif isinstance(items, Mapping):
        yield from values_in(tuple(items.values()))
    elif not isinstance(items, str | bytes) and isinstance(items, Sequence):
        for item in items:
            yield from values_in(item)


def replace_values(item: Any, known: Mapping[str, Value]) -> Any:
    """``item`` with each value replaced by what ``known`` has under its name, through lists, tuples and mappings."""
    if isinstance(item, Value):
        return known.get(item.name, item)
    if isinstance(item, Mapping):
        return {key: replace_values(entry, known) for key, entry in item.items()}
    if isinstance(item, list | tuple):
        return tuple(replace_values(entry, known) for entry in item)
    return item
