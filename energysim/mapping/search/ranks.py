"""Tables of one rank over the sizes of its tiles, remembered: they depend on nothing but the rank's numbers.

Tiles are in the order of :func:`tile_sizes`: every combination of divisors of the terms' bounds, the last term fastest.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from energysim.mapping.footprint import Axis, tile_mask, tile_words, total_words
from energysim.mapping.search.records import Floats, Ints


class RankTable(NamedTuple):
    """``totals``: words of all positions of a tile; ``words``: of the largest tile; ``least``: the least total of any
    tile that divides a tile; ``distinct``: different words that any iteration uses. Arrays: [tile], shared, not to be
    changed."""

    totals: Floats
    words: Floats
    least: Floats
    distinct: int


@lru_cache(maxsize=1 << 12)
def divisors(number: int) -> tuple[int, ...]:
    """Ascending."""
    return tuple(d for d in range(1, number + 1) if number % d == 0)


def tile_sizes(axis: Axis) -> list[tuple[int, ...]]:
    """Iterations per term of every tile of a rank."""
    return list(product(*(divisors(bound) for bound in axis.bounds)))


@lru_cache(maxsize=1 << 12)
def rank_table(axis: Axis) -> RankTable:
    """The table of one rank."""
    sizes = tile_sizes(axis)
    totals = np.array([total_words(axis, tiles) for tiles in sizes], dtype=float)
    words = np.array([tile_words(axis, tiles) for tiles in sizes], dtype=float)
    return RankTable(totals, words, _least_below(totals, axis), _distinct(axis))


@lru_cache(maxsize=1 << 9)
def overlaps(axis: Axis) -> tuple[int, Floats]:
    """Shifts tabulated, and [tile, shift] flat: words that a tile and its copy so many words further share."""
    shifts = sum(c * (n - 1) for c, n in zip(axis.coefficients, axis.bounds, strict=True)) + 2
    return shifts, np.concatenate(
        [_shared(tile_mask(axis.coefficients, t, axis.boxes), shifts) for t in tile_sizes(axis)]
    )


def _shared(mask: int, shifts: int) -> Floats:
    """[shift]: ones that the pattern and its shifted copy have in common."""
    if mask & (mask + 1) == 0:  # no holes
        return np.arange(mask.bit_length(), mask.bit_length() - shifts, -1, dtype=float).clip(0.0)
    return np.array([(mask & (mask >> shift)).bit_count() for shift in range(shifts)], dtype=float)


@lru_cache(maxsize=1 << 12)
def quotients(number: int) -> Ints:
    """[divisor, divisor] -> index of their quotient among the divisors of a number, -1 if it is none."""
    found = divisors(number)
    index = {d: i for i, d in enumerate(found)}
    return np.array([[index[a // b] if a % b == 0 else -1 for b in found] for a in found], dtype=np.int64)


def _distinct(axis: Axis) -> int:
    """Without the holes that boxes fill."""
    mask = tile_mask(axis.coefficients, axis.bounds, False)
    if axis.extent is None:
        return mask.bit_count()
    mask = mask >> -axis.offset if axis.offset < 0 else mask << axis.offset
    return (mask & ((1 << axis.extent) - 1)).bit_count()


def _least_below(totals: Floats, axis: Axis) -> Floats:
    by_term = [divisors(bound) for bound in axis.bounds]
    result = totals.reshape([len(divs) for divs in by_term]).copy()
    for term, divs in enumerate(by_term):
        moved = np.moveaxis(result, term, 0)
        for i in range(len(divs)):
            for j in range(i):
                if divs[i] % divs[j] == 0:
                    moved[i] = np.minimum(moved[i], moved[j])
    return result.reshape(-1)
