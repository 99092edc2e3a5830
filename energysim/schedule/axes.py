"""Halo arithmetic along one axis of a feature-map plane: the ifmap coordinates behind an interval of the ofmap.

Rows and columns are independent, so everything about tiles is computed per axis and multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energysim.mapping.footprint import tile_mask
from energysim.schedule.intervals import EMPTY, Interval, Ints, Pieces, bits


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
        start, stop = self._window(out.start, out.stop)
        start, stop = max(0, start), min(self.size_in, stop)
        return Interval(start, stop) if start < stop else EMPTY

    def needs(self, pieces: Pieces) -> Pieces:
        """:meth:`need` of each piece."""
        if self.whole or self._has_holes:
            return Pieces.of(self.need(piece) for piece in pieces)
        start, stop = self._window(pieces.start, pieces.stop)
        start, stop = np.maximum(start, 0), np.minimum(stop, self.size_in)
        return Pieces.between(start, stop, (pieces.stop > pieces.start) & (start < stop))

    def _window[Number: (int, Ints)](self, start: Number, stop: Number) -> tuple[Number, Number]:
        """The coordinates behind ``start`` to ``stop``, padding among them."""
        first = start // self.upscale * self.stride - self.before
        end = (stop - 1) // self.upscale * self.stride - self.before + self.kernel
        return first, end

    @property
    def _has_holes(self) -> bool:
        """Whether the coordinates behind an interval may have gaps."""
        return self.dilation > 1 or self.transposed or self.stride > self.kernel

    def count(self, out: Interval) -> int:
        """How many ifmap coordinates ``out`` reads."""
        if self._has_holes and not self.whole and self.upscale == 1:
            return self.touched(out).bit_count()
        return self.need(out).size

    def counts(self, pieces: Pieces) -> Ints:
        """:meth:`count` of each piece."""
        if self._has_holes and not self.whole and self.upscale == 1:
            return np.array([self.touched(piece).bit_count() for piece in pieces], dtype=np.int64)
        return self.needs(pieces).sizes

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
