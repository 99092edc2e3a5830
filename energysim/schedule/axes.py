"""Halo arithmetic along one axis of a feature-map plane: the ifmap coordinates behind an interval of the ofmap.

Rows and columns are independent, so everything about tiles is computed per axis and multiplied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from energysim.mapping.footprint import tile_mask


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


@dataclass(frozen=True, slots=True)
class AxisMap:
    """A sliding window along one axis: ofmap x reads ifmap ``x*stride - before + i*dilation`` for i < kernel.

    ``transposed``: ifmap x writes ofmap ``x*stride - before + i*dilation`` instead. ``whole``: every ofmap coordinate
    needs the whole axis (global pooling, softmax over the axis). ``upscale``: ofmap x reads ifmap x // upscale.
    """

    size_in: int
    size_out: int
    kernel: int = 1
    stride: int = 1
    before: int = 0
    dilation: int = 1
    transposed: bool = False
    whole: bool = False
    upscale: int = 1

    def need(self, out: Interval) -> Interval:
        """The hull of the ifmap coordinates behind ``out``, clipped to the plane: padding is never fetched."""
        if out.size == 0:
            return EMPTY
        if self.whole:
            return Interval(0, self.size_in)
        if self._has_holes:
            # Where padding clips such a window, its outermost taps may miss the plane: only the taps tell.
            mask = self.touched(out)
            return Interval((mask & -mask).bit_length() - 1, mask.bit_length()) if mask else EMPTY
        return self._window(out.start, out.stop)

    def needs(self, pieces: Sequence[Interval]) -> list[Interval]:
        """:meth:`need` of each piece."""
        if self.whole or self._has_holes:
            return [self.need(piece) for piece in pieces]
        return [self._window(start, stop) if stop > start else EMPTY for start, stop in pieces]

    def _window(self, start: int, stop: int) -> Interval:
        first = start // self.upscale * self.stride - self.before
        end = (stop - 1) // self.upscale * self.stride - self.before + self.kernel
        first, end = max(0, first), min(self.size_in, end)
        return Interval(first, end) if first < end else EMPTY

    @property
    def _has_holes(self) -> bool:
        """Whether the coordinates behind an interval may have gaps."""
        return self.dilation > 1 or self.transposed or self.stride > self.kernel

    def count(self, out: Interval) -> int:
        """How many ifmap coordinates ``out`` reads."""
        if self._has_holes and not self.whole and self.upscale == 1:
            return self.touched(out).bit_count()
        return self.need(out).size

    def touched(self, out: Interval) -> int:
        """Exactly the ifmap coordinates that ``out`` reads, as a bit mask: the hull without the holes of a stride."""
        if self.whole or self.upscale > 1:
            return bits(self.need(out))
        if out.size == 0:
            return 0
        if self.transposed:
            taps = range(0, self.kernel * self.dilation, self.dilation)
            hits = {divmod(x + self.before - tap, self.stride) for x in range(out.start, out.stop) for tap in taps}
            return sum(1 << at for at, rest in hits if rest == 0 and 0 <= at < self.size_in)
        mask = tile_mask((self.stride, self.dilation), (out.size, self.kernel), False)
        shift = out.start * self.stride - self.before
        return (mask << shift if shift >= 0 else mask >> -shift) & ((1 << self.size_in) - 1)


def bits(interval: Interval) -> int:
    """The interval as a bit mask (bit x = coordinate x)."""
    return ((1 << interval.size) - 1) << interval.start


def cut(size: int, tile: int) -> tuple[Interval, ...]:
    """An axis of ``size`` cut into tiles; the last is the exact remainder."""
    return tuple(Interval(start, min(start + tile, size)) for start in range(0, size, tile))


def scaled_cut(pieces: tuple[Interval, ...], size: int, onto: int) -> tuple[Interval, ...]:
    """The same number of pieces on an axis of another size, in proportion, covering it exactly once."""
    edges = [round(piece.start * onto / size) for piece in pieces] + [onto]
    return tuple(Interval(a, b) for a, b in pairwise(edges))
