"""What a tile of a stack is of one feature map along one axis, where kept columns and lines may live elsewhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from energysim.schedule.intervals import Ints, Pieces


class Along(NamedTuple):
    """One feature map along one axis in one tile, in coordinates. ``used``: what the tile reads, computes or stores;
    ``inherited``: of that, what earlier tiles made; ``fresh``: what it makes; ``handed_on``: of that, what later tiles
    want; ``held``: what is used and what is kept; ``before``, ``after``: kept from earlier and for later tiles."""

    used: int
    inherited: int
    fresh: int
    handed_on: int
    held: int
    before: int
    after: int


Extents = tuple[Along, ...]
"""One per feature map of the stack."""


class AllAlong(NamedTuple):
    """The same of all tiles: [tile]."""

    used: Ints
    inherited: Ints
    fresh: Ints
    handed_on: Ints
    held: Ints
    before: Ints
    after: Ints

    def of(self, tile: int) -> Along:
        return Along(*(int(values[tile]) for values in self))


def along(used: Pieces, held: Pieces, fresh: Pieces, keeps: bool) -> AllAlong:
    """One feature map in every tile. ``keeps``: anything of it is kept from one tile to the next."""
    kept, wanted = np.zeros(len(held) + 1, np.int64), np.zeros(len(held), np.int64)
    if keeps:
        start, there = held.start[1:], held.sizes[1:] > 0
        kept[1:-1] = np.where(there, np.maximum(held.stop[:-1] - start, 0), 0)
        # What later tiles use last: it may be less than what is held.
        last = np.maximum.accumulate(np.maximum(used.stop, 0)[:0:-1])[::-1]
        handed = np.minimum(fresh.stop[:-1], last) - np.maximum(fresh.start[:-1], start)
        wanted[:-1] = np.where(there, np.maximum(handed, 0), 0)
    # What is fresh is all at the end of what is used.
    return AllAlong(used.sizes, used.sizes - fresh.sizes, fresh.sizes, wanted, held.sizes, kept[:-1], kept[1:])
