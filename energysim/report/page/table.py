"""A table of the page: cells with their text, what sorting compares, and what is drawn in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from energysim.units import format_bytes, format_energy, format_time


@dataclass(frozen=True, slots=True)
class Cell:
    """``value``: what sorting compares (None: the text). ``bar``: a length from 0 to 1, drawn behind the text.

    ``span``: low, nominal and high value from 0 to 1, drawn as an interval below the text. ``link``: an id of the page.
    """

    text: str
    value: float | None = None
    bar: float | None = None
    span: tuple[float, float, float] | None = None
    link: str | None = None

    def plain(self) -> str | list[str | float | None]:
        """For the page's JSON: the text alone, or text, value and bar as far as they are known."""
        parts = [self.text, _digits(self.value), _digits(self.bar)]
        while parts[-1] is None:
            parts.pop()
        return self.text if len(parts) == 1 else parts


@dataclass(frozen=True, slots=True)
class Column:
    """``about``: what the heading means, shown to those who point at it."""

    name: str
    numeric: bool = True
    about: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """``layer``: the name of the layer that the row is of, whose panel it opens."""

    cells: tuple[Cell, ...]
    layer: str | None = None

    def plain(self) -> dict[str, object]:
        cells = [cell.plain() for cell in self.cells]
        return {"cells": cells} if self.layer is None else {"cells": cells, "layer": self.layer}


@dataclass(frozen=True, slots=True)
class Table:
    """``name`` tells the tables of one result apart; ``foot``: a total, which sorting leaves where it is."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    foot: Row | None = None
    filtered: bool = False
    notes: tuple[str, ...] = ()


def units(text: str) -> str:
    """Micro as on paper: "142.7 uJ" -> "142.7 µJ"."""
    return text.replace(" uJ", " µJ").replace(" us", " µs").replace(" uW", " µW")


def words(text: str) -> Cell:
    return Cell(text)


def energy(pj: float, bar: float | None = None) -> Cell:
    return Cell(units(format_energy(pj)), pj, bar)


def seconds(value: float, bar: float | None = None) -> Cell:
    return Cell(units(format_time(value)), value, bar)


def size(count: float, bar: float | None = None) -> Cell:
    return Cell(format_bytes(count), count, bar)


def count(number: float, bar: float | None = None) -> Cell:
    return Cell(f"{number:,.0f}", number, bar) if number else Cell("-", 0.0)


def share(part: float, whole: float, bar: bool = False) -> Cell:
    of = part / whole if whole else 0.0
    return Cell(f"{of:.1%}", of, of if bar else None)


def times(value: float, base: float) -> Cell:
    return Cell(f"{value / base:.2f}", value / base) if base else Cell("-")


def _digits(value: float | None) -> float | None:
    """Six digits suffice to sort and draw; what is not finite sorts by its text."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None
