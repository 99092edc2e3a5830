"""A constant with its uncertainty and its provenance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sourced:
    """A number, the range that the literature allows, and its source. ``estimate``: no public source states it."""

    value: float
    low: float
    high: float
    source: str
    estimate: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"low <= value <= high does not hold: {self.low}, {self.value}, {self.high}")

    def scaled(self, factor: float) -> Sourced:
        """The same constant in another unit or size (factor >= 0)."""
        return Sourced(self.value * factor, self.low * factor, self.high * factor, self.source, self.estimate)
