"""What a tile of a stack is of one feature map along one axis, where kept columns and lines may live elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from energysim.schedule.axes import Interval


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


def along(
    used: Sequence[Interval], held: Sequence[Interval], fresh: Sequence[Interval], keeps: bool
) -> tuple[Along, ...]:
    """One feature map in every tile. ``keeps``: anything of it is kept from one tile to the next."""
    kept, wanted = [0] * (len(held) + 1), [0] * len(held)
    if keeps:
        last = 0  # that a later tile uses: it may be less than what is held
        for index in range(len(held) - 1, 0, -1):
            last = max(last, used[index].stop)
            if held[index].size:
                made = fresh[index - 1]
                kept[index] = Interval(held[index].start, held[index - 1].stop).size
                wanted[index - 1] = Interval(max(made.start, held[index].start), min(made.stop, last)).size
    made_of, sizes, of_all = ([piece.size for piece in pieces] for pieces in (fresh, used, held))
    # What is fresh is all at the end of what is used.
    inherited = [size - new for size, new in zip(sizes, made_of, strict=True)]
    return tuple(map(Along, sizes, inherited, made_of, wanted, of_all, kept[:-1], kept[1:]))
