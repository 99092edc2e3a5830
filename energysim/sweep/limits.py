"""Constraints: limits that a point keeps or does not, from its totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from energysim.spec_files import SpecModel, checked
from energysim.units import parse_area_mm2, parse_energy_pj, parse_size_bits, parse_time_s


def _bytes(text: object) -> float:
    return parse_size_bits(text) / 8


def _of(parse: Any) -> Any:
    return BeforeValidator(checked(parse))


class LimitsFile(SpecModel):
    """``constraints:`` of an experiment, each with its unit: ``max_energy: 2 mJ``."""

    max_energy: Annotated[float, _of(parse_energy_pj)] | None = None
    max_latency: Annotated[float, _of(parse_time_s)] | None = None
    max_dram: Annotated[float, _of(_bytes)] | None = None
    max_buffer: Annotated[float, _of(_bytes)] | None = None
    max_area: Annotated[float, _of(parse_area_mm2)] | None = None
    min_accuracy: float | None = Field(default=None, ge=0, le=1)

    def limits(self) -> tuple[Limit, ...]:
        """The limits that are set."""
        given = (
            Limit("energy_pj", self.max_energy),
            Limit("latency_s", self.max_latency),
            Limit("dram_bytes", self.max_dram),
            Limit("used_buffer_bytes", self.max_buffer),
            Limit("area_mm2", self.max_area),
            Limit("accuracy", self.min_accuracy, at_least=True),
        )
        return tuple(limit for limit in given if limit.value is not None)


@dataclass(frozen=True, slots=True)
class Limit:
    """``column`` is at most ``value``, or at least."""

    column: str
    value: float | None
    at_least: bool = False

    def excess(self, row: Mapping[str, Any]) -> float:
        """By how much the row breaks the limit, relative to it; 0 or less where it keeps it.

        No buffer is a buffer of 0 bytes; of anything else what is not known breaks the limit.
        """
        assert self.value is not None
        found = row[self.column]
        if found is None:
            found = 0.0 if self.column == "used_buffer_bytes" else float("-inf" if self.at_least else "inf")
        over = self.value - float(found) if self.at_least else float(found) - self.value
        return over / self.value if self.value else over

    def __str__(self) -> str:
        return f"{self.column} {'>=' if self.at_least else '<='} {self.value:g}"


def keeps(row: Mapping[str, Any], limits: tuple[Limit, ...]) -> bool:
    """Whether a row keeps all limits."""
    return all(limit.excess(row) <= 0 for limit in limits)
