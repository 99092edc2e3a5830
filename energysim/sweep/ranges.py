"""Values of an axis: a list, one value, or a range written as ``{from: 32 KiB, to: 1 MiB, times: 2}``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from energysim.errors import SpecError, UnitError
from energysim.units import parse_frequency_hz, parse_size_bits

_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(\D.*?)?\s*")
_KEYS = ("from", "to", "step", "times")
_MOST = 100_000


def values_of(written: Any) -> tuple[Any, ...]:
    """The values as a YAML file writes them: text or numbers, each once.

    Raises SpecError for an empty list or a range that is none.
    """
    if isinstance(written, Mapping):
        return _range(written)
    values = written if isinstance(written, list) else [written]
    if not values:
        raise SpecError("an axis without values", hint="a value, a list of values, or {from, to, step}")
    for value in values:
        if isinstance(value, list | Mapping):
            raise SpecError(f"{value!r} is no value of an axis", hint="text or a number")
    return tuple({(type(value), value): value for value in values}.values())


def _range(written: Mapping[str, Any]) -> tuple[Any, ...]:
    hint = "{from: 4, to: 32, step: 4} or {from: 32 KiB, to: 1 MiB, times: 2}"
    unknown = [str(key) for key in written if key not in _KEYS]
    if unknown or "from" not in written or "to" not in written or {"step", "times"} <= written.keys():
        raise SpecError(f"{dict(written)!r} is no range", hint=hint)
    (low, unit), (high, other) = _split(written["from"]), _split(written["to"])
    scale = _scale(unit, other, written, hint)
    step, times = _split(written.get("step", 1)), float(written.get("times", 0))
    if step[1] not in ("", unit):
        raise SpecError(f"the step {written['step']!r} is in another unit than {written['from']!r}", hint=hint)
    if step[0] <= 0 or ("times" in written and times <= 1) or low > high * scale:
        raise SpecError(f"{dict(written)!r} has no end", hint="from <= to, step above 0, times above 1")
    found: list[Any] = []
    value = low
    while value <= high * scale * (1 + 1e-12):
        found.append(_joined(value, unit))
        if len(found) > _MOST:
            raise SpecError(f"{dict(written)!r} has more than {_MOST:,} values")
        value = low * times ** len(found) if "times" in written else low + len(found) * step[0]
    return tuple(found)


def _split(text: Any) -> tuple[float, str]:
    match = None if isinstance(text, bool) else _NUMBER.fullmatch(str(text))
    if match is None:
        raise SpecError(f"{text!r} is no end of a range", hint="a number, with its unit where it has one")
    return float(match[1]), match[2] or ""


def _scale(unit: str, other: str, written: Mapping[str, Any], hint: str) -> float:
    """How many of ``unit`` are one of ``other``: the ends may differ in their prefix, as KiB and MiB do."""
    if unit == other:
        return 1.0
    for parse in (parse_size_bits, parse_frequency_hz):
        with contextlib.suppress(UnitError):
            return parse(f"1 {other}") / parse(f"1 {unit}")
    raise SpecError(f"the ends of {dict(written)!r} are in different units", hint=hint)


def _joined(value: float, unit: str) -> Any:
    number = int(value) if value == int(value) else float(f"{value:.12g}")
    return number if not unit else f"{number}{unit}" if unit == "ch" else f"{number} {unit}"
