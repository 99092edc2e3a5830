"""The kinds of values that compiled functions know, and how they are laid out in memory for a call.

An argument is a run of slots of 8 bytes: one for a number; pointer and shape for an array; for a named tuple those of
its fields, one after another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np


@dataclass(frozen=True, slots=True)
class Number:
    """``code``: how :mod:`struct` packs it; ``llvm``: its type."""

    name: str
    code: str
    llvm: str


BOOL, INT, FLOAT = Number("bool", "q", "i1"), Number("int", "q", "i64"), Number("float", "d", "double")
_NUMBERS = {bool: BOOL, int: INT, float: FLOAT}
_ELEMENTS = {"int64": INT, "float64": FLOAT}


@dataclass(frozen=True, slots=True)
class Array:
    """C-contiguous."""

    element: Number
    dims: int


@dataclass(frozen=True, slots=True)
class Record:
    """A named tuple."""

    name: str
    fields: tuple[tuple[str, Kind], ...]

    def field(self, name: str) -> tuple[int, Kind]:
        """(first slot, kind). Raises LookupError."""
        at = 0
        for other, kind in self.fields:
            if other == name:
                return at, kind
            at += slots(kind)
        raise LookupError(f"{self.name} has no field {name!r}")


Kind = Number | Array | Record


def slots(kind: Kind) -> int:
    if isinstance(kind, Number):
        return 1
    return 1 + kind.dims if isinstance(kind, Array) else sum(slots(field) for _, field in kind.fields)


def layout(kind: Kind) -> str:
    """As :mod:`struct` writes it."""
    if isinstance(kind, Number):
        return kind.code
    return "q" * slots(kind) if isinstance(kind, Array) else "".join(layout(field) for _, field in kind.fields)


def kind_of(value: Any, annotation: Any) -> Kind:
    """Of an argument: numbers as annotated, arrays as they are. Raises TypeError."""
    if annotation in _NUMBERS:
        return _NUMBERS[annotation]
    if isinstance(value, np.ndarray):
        if value.dtype.name not in _ELEMENTS or not value.flags.c_contiguous:
            raise TypeError(f"an array of {value.dtype} that is contiguous: {value.flags.c_contiguous}")
        return Array(_ELEMENTS[value.dtype.name], value.ndim)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        hints = get_type_hints(type(value))
        fields = ((name, kind_of(field, hints[name])) for name, field in zip(value._fields, value, strict=True))
        return Record(type(value).__name__, tuple(fields))
    raise TypeError(f"a {type(value).__name__} cannot be passed to a compiled function")


def flat(kind: Kind, value: Any, into: list[Any]) -> None:
    """Append what fills the slots of a value. Raises TypeError for an array of another kind."""
    if isinstance(kind, Number):
        into.append(float(value) if kind is FLOAT else int(value))
    elif isinstance(kind, Record):
        for (_, field), item in zip(kind.fields, value, strict=True):
            flat(field, item, into)
    else:
        if value.ndim != kind.dims or _ELEMENTS.get(value.dtype.name) is not kind.element:
            raise TypeError(f"an array of {value.ndim} x {value.dtype}, not {kind.dims} x {kind.element.name}")
        if not value.flags.c_contiguous:
            raise TypeError("an array that is not contiguous")
        into.append(value.__array_interface__["data"][0])
        into.extend(value.shape)


def results(annotation: Any) -> tuple[Number, ...]:
    """What a function annotated so returns."""
    if annotation is type(None):
        return ()
    if get_origin(annotation) is tuple:
        return tuple(_NUMBERS[item] for item in get_args(annotation))
    return (_NUMBERS[annotation],)
