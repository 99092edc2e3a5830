"""Live ranges: what occupies on-chip memory from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate


class Content(StrEnum):
    """What a live range holds."""

    TILE = "tile"  # the region of a feature map that the running tile works on
    HALO = "halo"  # the part of a feature map that is kept for later tiles
    WEIGHTS = "weights"
    MAP = "map"  # a feature map (or its first channels) from producer to last consumer


@dataclass(frozen=True, slots=True)
class LiveRange:
    """``size_bytes`` that must be on chip in every step ``first <= step <= last``."""

    name: str
    content: Content
    size_bytes: int
    first: int
    last: int

    def overlaps(self, other: LiveRange) -> bool:
        return self.first <= other.last and other.first <= self.last


def live_at(ranges: Sequence[LiveRange], step: int) -> tuple[LiveRange, ...]:
    return tuple(item for item in ranges if item.first <= step <= item.last)


def demand(ranges: Sequence[LiveRange]) -> dict[int, int]:
    """Live bytes from each step on at which they change."""
    changes: dict[int, int] = {}
    for item in ranges:
        changes[item.first] = changes.get(item.first, 0) + item.size_bytes
        changes[item.last + 1] = changes.get(item.last + 1, 0) - item.size_bytes
    steps = sorted(changes)
    return dict(zip(steps, accumulate(changes[step] for step in steps), strict=True))


def peak_bytes(ranges: Sequence[LiveRange]) -> int:
    """The most bytes that are live in one step: no allocation needs less."""
    return max(demand(ranges).values(), default=0)


def peak_step(ranges: Sequence[LiveRange]) -> int:
    """The first step of the highest demand (0 where nothing is live)."""
    found = demand(ranges)
    return max(found, key=lambda step: found[step], default=0)
