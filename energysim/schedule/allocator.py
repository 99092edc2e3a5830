"""Addresses for what is live on chip.

Ranges are placed in order of their first step. When a range is placed, all placed ranges that share a step with it are
live in that first step, so the free bytes of that step are free for the whole range: together they suffice wherever
the live bytes of no step exceed the capacity. A range gets one piece where some gap holds it (the smallest such gap),
else the largest gaps in turn. The allocation therefore never needs more than the peak of the live bytes, which no
allocation can undercut; what it gives up for that is that a range may lie in several pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from energysim.errors import InfeasibleError
from energysim.schedule.live import LiveRange, live_at, peak_bytes, peak_step


class Piece(NamedTuple):
    """Bytes ``address <= x < address + size``."""

    address: int
    size: int

    @property
    def end(self) -> int:
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a live range lies, for all its steps."""

    live: LiveRange
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Allocation:
    """Placements in the order of the given ranges. ``lower_bound_bytes``: the peak of the live bytes."""

    placements: tuple[Placement, ...]
    capacity_bytes: int
    lower_bound_bytes: int

    @property
    def used_bytes(self) -> int:
        """One more than the highest address in use."""
        return max((piece.end for item in self.placements for piece in item.pieces), default=0)


def allocate(ranges: Sequence[LiveRange], capacity_bytes: int | None = None) -> Allocation:
    """Place every range, without a byte that two ranges hold in one step. ``capacity_bytes``: None for the least.

    Raises InfeasibleError where the live bytes of some step exceed the capacity.
    """
    bound = peak_bytes(ranges)
    capacity = bound if capacity_bytes is None else capacity_bytes
    if bound > capacity:
        step = peak_step(ranges)
        largest = max(live_at(ranges, step), key=lambda item: item.size_bytes)
        raise InfeasibleError(
            f"{bound:,} bytes are live in step {step}, the buffer has {capacity:,}",
            hint=f"the largest is {largest.content} of {largest.name!r} with {largest.size_bytes:,} bytes",
        )
    placed: list[Placement] = []
    by_start = sorted(range(len(ranges)), key=lambda i: (ranges[i].first, -ranges[i].last, -ranges[i].size_bytes))
    where: dict[int, Placement] = {}
    for index in by_start:
        item = ranges[index]
        taken = sorted(piece for other in placed if other.live.overlaps(item) for piece in other.pieces)
        where[index] = Placement(item, _fit(_gaps(taken, capacity), item.size_bytes))
        placed.append(where[index])
    return Allocation(tuple(where[index] for index in range(len(ranges))), capacity, bound)


def _gaps(taken: Sequence[Piece], capacity: int) -> list[Piece]:
    gaps, at = [], 0
    for piece in taken:
        if piece.address > at:
            gaps.append(Piece(at, piece.address - at))
        at = piece.end
    if at < capacity:
        gaps.append(Piece(at, capacity - at))
    return gaps


def _fit(gaps: Sequence[Piece], size: int) -> tuple[Piece, ...]:
    if size == 0:
        return ()
    enough = [gap for gap in gaps if gap.size >= size]
    if enough:
        return (Piece(min(enough, key=lambda gap: (gap.size, gap.address)).address, size),)
    pieces = []
    for gap in sorted(gaps, key=lambda gap: (-gap.size, gap.address)):
        pieces.append(Piece(gap.address, min(gap.size, size)))
        size -= pieces[-1].size
        if size == 0:
            break
    return tuple(sorted(pieces))
