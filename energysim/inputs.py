"""Input shapes as text: ``1x3x224x224``, several with commas, another type than float32 as ``1x77:int64``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from energysim.errors import EnergySimError, did_you_mean

DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
_HINT = "sizes are joined with x, inputs with commas: 1x3x224x224 or 1x3x224x224,1x10:int64"


class InputError(EnergySimError):
    """An input shape, type or batch makes no sense."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One tensor that a model takes; ``shape`` in elements, ``dtype`` as PyTorch spells it."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    def __str__(self) -> str:
        text = "x".join(str(size) for size in self.shape)
        return text if self.dtype == "float32" else f"{text}:{self.dtype}"


def parse_inputs(text: str) -> tuple[InputSpec, ...]:
    """Shapes from text. Raises InputError naming the part that is wrong."""
    return tuple(_parse(part.strip()) for part in text.split(","))


def with_batch(inputs: tuple[InputSpec, ...], batch: int) -> tuple[InputSpec, ...]:
    """The same inputs with their first axis replaced. Raises InputError for a batch below 1."""
    if not isinstance(batch, int) or batch < 1:
        raise InputError(f"a batch of {batch} is not possible", hint="a whole number, 1 or more")
    return tuple(InputSpec((batch, *spec.shape[1:]), spec.dtype) for spec in inputs)


def _parse(part: str) -> InputSpec:
    sizes, _, dtype = part.partition(":")
    if dtype and dtype not in DTYPES:
        raise InputError(f"unknown type {dtype!r}", hint=did_you_mean(dtype, DTYPES) or f"one of {', '.join(DTYPES)}")
    if not re.fullmatch(r"\d+(x\d+)*", sizes):
        raise InputError(f"{part!r} is no input shape", hint=_HINT)
    shape = tuple(int(size) for size in sizes.split("x"))
    if 0 in shape:
        raise InputError(f"{part!r} has an axis of size 0", hint="sizes are 1 or more")
    return InputSpec(shape, dtype or "float32")
