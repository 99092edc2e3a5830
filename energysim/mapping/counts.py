"""Access counts: what an engine returns. Words are totals over all instances, with Timeloop's meaning of each count."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Convention(StrEnum):
    """How the words of a tile are counted.

    EXACT: only words that exist and are needed (padding is never fetched, holes of a stride are not read), and a
    remainder takes only the cycles it needs. TIMELOOP: bounding boxes, the padded ifmap, cycles of the full bounds.
    """

    EXACT = "exact"
    TIMELOOP = "timeloop"


@dataclass(frozen=True, slots=True)
class AccessCounts:
    """Traffic of one tensor at one memory. ``instances``: instances in use (an average where factors are imperfect).

    ``tile_words`` is the largest tile that one instance keeps. ``reads`` serve the level below (and accumulation),
    ``fills`` come from above, ``updates`` are results arriving from below.
    """

    level: str
    tensor: str
    tile_words: int
    instances: float
    reads: int
    fills: int
    updates: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything an engine says of one mapped problem. ``cycles`` = max(compute_cycles, *level_cycles)."""

    accesses: tuple[AccessCounts, ...]
    macs: int
    compute_instances: float
    compute_cycles: float
    level_cycles: tuple[tuple[str, float], ...]
    cycles: float

    def at(self, level: str, tensor: str) -> AccessCounts | None:
        """None where the level does not keep the tensor."""
        return next((a for a in self.accesses if a.level == level and a.tensor == tensor), None)
