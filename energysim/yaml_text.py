"""Documents as YAML text that every reader (ruamel, PyYAML, the yaml-cpp of Timeloop) takes alike.

The three disagree on plain scalars: ``N`` is a boolean by the letter of YAML 1.1, ``45nm`` and ``1..4`` begin like
numbers, ``1e-09`` is a text to PyYAML. So every text that is not a plain word is quoted, and floats carry a point.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

Document = Mapping[str, object]

_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(?:[-.][A-Za-z_0-9]+)*")
_RESERVED = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"))
_WIDTH = 118
_EXACT = 2**53


class Quoted(str):
    """A text that is quoted even where it is a plain word: Accelergy takes unquoted words for expressions."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A mapping with an explicit tag, such as ``!Component``."""

    tag: str
    value: Document


def dump(document: Document) -> str:
    """The document as YAML, block style, short collections in flow style. Raises ValueError for a float that is not
    finite and TypeError for a value that YAML has no plain form of."""
    return "".join(f"{line}\n" for line in _block(document))


def plain_number(value: float) -> int | float:
    """A whole float as an integer: 45.0 -> 45. Its text is then exact and short."""
    return int(value) if float(value).is_integer() and abs(value) < _EXACT else value


def scalar(value: object) -> str:
    """One scalar, quoted where any reader could take it for something else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if not isinstance(value, str):
        raise TypeError(f"{value!r} has no plain form in YAML")
    if _WORD.fullmatch(value) and value.lower() not in _RESERVED and not isinstance(value, Quoted):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _float(value: float) -> str:
    if not isfinite(value):
        raise ValueError(f"{value} has no place in a file")
    mantissa, letter, exponent = repr(value).partition("e")
    if "." not in mantissa:
        mantissa += ".0"
    # YAML 1.1 wants a signed exponent.
    return mantissa + (f"e{exponent if exponent[0] in '+-' else '+' + exponent}" if letter else "")


def _flow(value: object) -> str:
    if isinstance(value, Tagged):
        return f"{value.tag} {_flow(value.value)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return scalar(value)


def _block(value: object) -> list[str]:
    """Lines of a mapping or list without indentation."""
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            lines += _entry(f"{scalar(str(key))}:", item)
        return lines or ["{}"]
    assert isinstance(value, Sequence)
    for item in value:
        lines += _entry("-", item)
    return lines or ["[]"]


def _entry(head: str, item: object) -> list[str]:
    """``head`` followed by ``item``: on the same line where it is short and holds no block of its own."""
    short = f"{head} {_flow(item)}"
    if not _is_collection(item) or (len(short) <= _WIDTH - 16 and not _is_deep(item)):
        return [short]
    inner = item.value if isinstance(item, Tagged) else item
    tag = f" {item.tag}" if isinstance(item, Tagged) else ""
    lines = _block(inner)
    if head == "-" and not tag:
        return [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]
    return [f"{head}{tag}", *(f"  {line}" for line in lines)]


def _is_collection(value: object) -> bool:
    return isinstance(value, Mapping | Tagged) or (isinstance(value, Sequence) and not isinstance(value, str))


def _is_deep(value: object) -> bool:
    """Whether it holds mappings in a list, or mappings in a mapping: those read better in block style."""
    if isinstance(value, Tagged):
        return _is_deep(value.value)
    if isinstance(value, Mapping):
        return any(
            _is_collection(item) and (isinstance(item, Mapping | Tagged) or _is_deep(item)) for item in value.values()
        )
    assert isinstance(value, Sequence)
    return any(isinstance(item, Mapping | Tagged) for item in value)
