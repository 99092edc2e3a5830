"""Intervals of coordinates along one axis: one of them, and those of all tiles at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Interval(NamedTuple):
    """Coordinates ``start <= x < stop``; empty where stop <= start."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start if self.stop > self.start else 0

    def hull(self, other: Interval) -> Interval:
        """The smallest interval that holds both; an empty one adds nothing."""
        if other.stop <= other.start:
            return self
        if self.stop <= self.start:
            return other
        return Interval(min(self.start, other.start), max(self.stop, other.stop))


EMPTY = Interval(0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces(Sequence[Interval]):
    """One interval per tile: a sequence of them that is two arrays. Equal and hashed by content."""

    start: Ints
    stop: Ints

    @classmethod
    def of(cls, intervals: Iterable[Interval]) -> Pieces:
        pairs = np.array(list(intervals), dtype=np.int64).reshape(-1, 2)
        return cls(pairs[:, 0], pairs[:, 1])

    @classmethod
    def none(cls, tiles: int) -> Pieces:
        """Empty ones."""
        return cls(np.zeros(tiles, np.int64), np.zeros(tiles, np.int64))

    @classmethod
    def between(cls, start: Ints, stop: Ints, exists: NDArray[np.bool_]) -> Pieces:
        """From ``start`` to ``stop`` where one exists, and empty ones elsewhere."""
        return cls(np.where(exists, start, 0), np.where(exists, stop, 0))

    def __len__(self) -> int:
        return len(self.start)

    def __iter__(self) -> Iterator[Interval]:
        return map(Interval, self.start.tolist(), self.stop.tolist())

    @overload
    def __getitem__(self, index: int) -> Interval: ...
    @overload
    def __getitem__(self, index: slice) -> Pieces: ...
    def __getitem__(self, index: int | slice) -> Interval | Pieces:
        if isinstance(index, slice):
            return Pieces(self.start[index], self.stop[index])
        return Interval(int(self.start[index]), int(self.stop[index]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pieces):
            return NotImplemented
        return np.array_equal(self.start, other.start) and np.array_equal(self.stop, other.stop)

    def __hash__(self) -> int:
        return hash((self.start.tobytes(), self.stop.tobytes()))

    @property
    def sizes(self) -> Ints:
        result: Ints = np.maximum(self.stop - self.start, 0)
        return result

    def at(self, tiles: Sequence[int]) -> Pieces:
        """Those of some tiles."""
        chosen = np.array(tiles, dtype=np.int64)
        return Pieces(self.start[chosen], self.stop[chosen])

    def hull(self, other: Pieces) -> Pieces:
        """:meth:`Interval.hull`, tile by tile."""
        mine, theirs = self.stop > self.start, other.stop > other.start
        both = mine & theirs
        start = np.where(both, np.minimum(self.start, other.start), np.where(theirs, other.start, self.start))
        stop = np.where(both, np.maximum(self.stop, other.stop), np.where(theirs, other.stop, self.stop))
        return Pieces(start, stop)


def bits(interval: Interval) -> int:
    """The interval as a bit mask (bit x = coordinate x)."""
    return ((1 << interval.size) - 1) << interval.start


def cut(size: int, tile: int) -> Pieces:
    """An axis of ``size`` cut into tiles; the last is the exact remainder."""
    start = np.arange(0, size, tile, dtype=np.int64)
    return Pieces(start, np.minimum(start + tile, size))


def scaled_cut(pieces: Pieces, size: int, onto: int) -> Pieces:
    """The same number of pieces on an axis of another size, in proportion, covering it exactly once."""
    edges = np.array([*(round(start * onto / size) for start in pieces.start.tolist()), onto], dtype=np.int64)
    return Pieces(edges[:-1], edges[1:])
