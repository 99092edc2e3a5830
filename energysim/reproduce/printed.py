"""A figure as a write-up prints it, and which values it may stand for."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from energysim.errors import EnergySimError

_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_PLAIN = re.compile(rf"({_NUMBER})")
_SPREAD = re.compile(rf"({_NUMBER})\s*±\s*({_NUMBER})")
_RANGE = re.compile(rf"({_NUMBER})\s*-\s*({_NUMBER})")
_BOUND = re.compile(rf"<\s*({_NUMBER})")
_ABOUT = re.compile(rf"~\s*({_NUMBER})")


class PrintedError(EnergySimError):
    """A figure in a form that none of the write-ups uses."""


@dataclass(frozen=True, slots=True)
class Printed:
    """``text`` stands for the values from ``low`` to ``high``; ``value`` is the figure itself, of a range its middle.

    The tolerance is that of the printed digits: ``43.4`` is 43.35 to 43.45, ``~65`` a unit of the last digit either
    way, ``70.2 ± 1.2``, ``15-30`` and ``<20,000`` what they say.
    """

    text: str
    value: float
    low: float
    high: float
    open_above: bool = False

    def holds(self, value: float) -> bool:
        """Whether a computed value is one that the figure stands for (to a relative 1e-12: binary fractions)."""
        slack = 1e-12 * max(abs(self.value), abs(value))
        return self.low - slack <= value and (
            value < self.high - slack if self.open_above else value <= self.high + slack
        )

    @property
    def interval(self) -> str:
        """The values in words, for reasons."""
        if math.isinf(self.high):
            return f"at least {shown(self.low)}"
        if self.open_above:
            return f"below {shown(self.high)}"
        return f"{_digits(self.low)} to {_digits(self.high)}"

    def at_least(self) -> Printed:
        """The same figure as a promise: more than it is as good."""
        return Printed(self.text, self.value, self.low, math.inf)


def parse_printed(text: str) -> Printed:
    """The values behind a figure such as ``258,292``, ``70.2 ± 1.2``, ``~65``, ``<20,000`` or ``15-30``.

    Raises PrintedError for any other form.
    """
    stripped = text.strip()
    if match := _SPREAD.fullmatch(stripped):
        value, spread = _number(match[1]), _number(match[2])
        return Printed(text, value, value - spread, value + spread)
    if match := _RANGE.fullmatch(stripped):
        low, high = _number(match[1]), _number(match[2])
        return Printed(text, (low + high) / 2, low, high)
    if match := _BOUND.fullmatch(stripped):
        return Printed(text, _number(match[1]), -math.inf, _number(match[1]), open_above=True)
    if match := _ABOUT.fullmatch(stripped):
        value, unit = _number(match[1]), _unit(match[1])
        return Printed(text, value, value - unit, value + unit)
    if match := _PLAIN.fullmatch(stripped):
        value, unit = _number(match[1]), _unit(match[1])
        return Printed(text, value, value - unit / 2, value + unit / 2)
    raise PrintedError(f"{text!r} is no printed figure", hint="258,292, 70.2 ± 1.2, ~65, <20,000 or 15-30 is right")


def shown(value: float) -> str:
    """A computed figure for reading: whole numbers in full, others with four digits or all before the point."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    before = len(str(int(abs(value)))) if abs(value) >= 1 else 1 + math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, 4 - before)}f}"


def _digits(value: float) -> str:
    """A bound of an interval, with every digit that it has."""
    text = f"{value:,.9f}".rstrip("0")
    return text.rstrip(".")


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _unit(text: str) -> float:
    """Of the last printed digit."""
    return 10.0 ** -len(text.partition(".")[2])
