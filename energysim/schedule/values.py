"""A schedule as values: stacks of layers, their tiles, and what stays on chip."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from energysim.errors import NotFoundError, did_you_mean


class Overlap(StrEnum):
    """What happens to the halo between neighbouring tiles of a stack.

    RECOMPUTE: each tile computes (and fetches) all it needs. CACHE_COLUMNS: the columns shared with the left neighbour
    are kept, rows are recomputed. CACHE: columns and full-width lines are kept; nothing is computed twice.
    """

    RECOMPUTE = "recompute"
    CACHE_COLUMNS = "cache_columns"
    CACHE = "cache"

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise NotFoundError(
            f"unknown overlap mode {value!r}", hint=did_you_mean(str(value), cls) or f"one of {', '.join(cls)}"
        )

    @property
    def keeps_rows(self) -> bool:
        return self is Overlap.CACHE

    @property
    def keeps_columns(self) -> bool:
        return self is not Overlap.RECOMPUTE


@dataclass(frozen=True, slots=True)
class Stack:
    """Consecutive layers (execution order) that run depth-first, tile by tile.

    ``tile``: rows and columns of the last layer's ofmap per tile; None runs every layer's whole plane at once.
    ``weights_resident``: the stack's weights are fetched once and stay; else each layer's are fetched for every tile.
    ``free``: one layer alone, of which the mapper cuts whatever it likes; ``tile`` and ``overlap`` then say nothing.
    """

    layers: tuple[str, ...]
    tile: tuple[int, int] | None = None
    overlap: Overlap = Overlap.RECOMPUTE
    weights_resident: bool = True
    free: bool = False


@dataclass(frozen=True, slots=True)
class Retained:
    """A feature map of which the first ``channels`` (None: all) stay on chip from producer to last consumer."""

    edge: str
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """One network's schedule. Layers in no stack (views) move nothing.

    ``buffer_bytes``: of on-chip memory, what the retained feature maps may take (`buffered`), or the most that a stack
    may need (`full`); None where the variant has no such limit.
    """

    variant: str
    stacks: tuple[Stack, ...]
    retained: tuple[Retained, ...] = ()
    buffer_bytes: int | None = None
