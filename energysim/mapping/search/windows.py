"""Sums over the positions of a rank whose tiles padding makes unequal: what a window keeps, what children share.

A loop over one dimension of the rank moves the tile innermost, by ``stride`` iterations, ``bound`` times. What the tile
shares with its predecessor does not move again. A second loop outside it slides on if its step, with the first loop
going back to its start, moves the tile not at all (STILL) or by the same step (SHIFTED: over the rank's other
dimension, SAME: over the same one, with other loops in between).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from energysim.mapping.footprint import Axis, tile_mask
from energysim.mapping.search.ranks import divisors, tile_sizes
from energysim.mapping.search.records import Floats, Ints

STILL, SHIFTED, SAME = 0, 1, 2
KINDS = 3


class ClippedRank(NamedTuple):
    """Flat tables; words summed over all positions. Shapes: see ``Tables`` in :mod:`energysim.mapping.search.space`."""

    saved: Floats
    more: Floats
    shared: Floats
    shared_least: Floats
    width: int
    reach: int
    coincides: bool  # padding makes tiles at different places need the same words


class _Tiles:
    """All positions of one tile size: coordinate of the first iteration, and the iteration itself, per term."""

    def __init__(self, axis: Axis, tiles: tuple[int, ...]) -> None:
        self.axis, self.tiles = axis, tiles
        self.mask = tile_mask(axis.coefficients, tiles, axis.boxes)
        steps = [np.arange(0, n, t, dtype=np.int64) for n, t in zip(axis.bounds, tiles, strict=True)]
        grid = np.meshgrid(*steps, indexing="ij")
        self.iterations = [part.reshape(-1) for part in grid]
        self.bases = axis.offset + sum(
            (c * part for c, part in zip(axis.coefficients, self.iterations, strict=True)),
            np.zeros(len(self.iterations[0]), dtype=np.int64),
        )

    def kept(self, shift: int) -> Ints:
        """Per position: existing words that the tile and its copy ``shift`` words before share."""
        return existing(self.bases, self.mask & (self.mask >> shift), self.axis.extent or 0)


def existing(bases: Ints, mask: int, extent: int) -> Ints:
    """Ones of the pattern at each base that fall into [0, extent)."""
    bits = np.frombuffer(mask.to_bytes(mask.bit_length() // 8 + 1, "little"), dtype=np.uint8)
    prefix = np.concatenate([[0], np.cumsum(np.unpackbits(bits, bitorder="little"))]).astype(np.int64)
    last = len(prefix) - 1
    counts: Ints = prefix[np.clip(extent - bases, 0, last)] - prefix[np.clip(-bases, 0, last)]
    return counts


@lru_cache(maxsize=4)
def clipped_rank(axis: Axis) -> ClippedRank:
    """All tables of one clipped rank that several looping terms move. Rows and columns are often alike, so the last
    few are remembered; they are large."""
    table, places = tile_sizes(axis), [place for place, bound in enumerate(axis.bounds) if bound > 1]
    width, reach = max(len(divisors(bound)) for bound in axis.bounds), max(axis.bounds)
    saved = np.zeros((len(table), len(places), width, width))
    more = np.zeros((len(table), len(places), width, width, KINDS, reach + 1))
    shared = np.ones((len(table), len(table), len(table)))
    coincides = False
    for entry, sizes in enumerate(table):
        tiles = _Tiles(axis, sizes)
        identity = _identity(tiles)
        words = existing(tiles.bases, tiles.mask, axis.extent or 0)
        places_of = {(int(i), int(b)) for i, b, w in zip(identity, tiles.bases, words, strict=True) if w}
        coincides = coincides or len(places_of) > len({i for i, _ in places_of})
        kept: dict[int, Ints] = {}
        for term, place in enumerate(places):
            factors = divisors(axis.bounds[place])
            for (s, stride), (b, bound) in product(enumerate(factors), enumerate(factors)):
                if bound == 1 or stride % sizes[place] or axis.bounds[place] % (stride * bound):
                    continue
                step = axis.coefficients[place] * stride
                if step not in kept:
                    kept[step] = tiles.kept(step)
                turn = tiles.iterations[place] // stride % bound
                saved[entry, term, s, b] = kept[step][turn > 0].sum()
                _second_loops(more[entry, term, s, b], tiles, place, places, step, bound, turn == 0, kept[step])
        for (under, outer), (split, parts) in product(enumerate(table), enumerate(table)):
            shared[entry, under, split] = _share(tiles, identity, words, outer, parts)
    return ClippedRank(
        saved.reshape(-1), more.reshape(-1), shared.reshape(-1), shared.min(axis=0).reshape(-1), width, reach, coincides
    )


def _second_loops(
    more: Floats,
    tiles: _Tiles,
    place: int,
    places: list[int],
    step: int,
    bound: int,
    back: NDArray[np.bool_],
    kept: Ints,
) -> None:
    """[kind, bound of the second loop]: words saved at its steps."""
    axis = tiles.axis
    for other in places:
        for kind in (SAME,) if other == place else (STILL, SHIFTED):
            distance = step * (bound - 1) if kind == STILL else step * bound
            coefficient = axis.coefficients[other]
            stride = distance // coefficient
            if distance == 0 or distance % coefficient or stride % tiles.tiles[other]:
                continue
            words = tiles.kept(0) if kind == STILL else kept
            for times in range(2, axis.bounds[other] // stride + 1):
                if axis.bounds[other] % (stride * times) == 0:
                    moved = back & (tiles.iterations[other] // stride % times > 0)
                    more[kind, times] = words[moved].sum()


def _share(tiles: _Tiles, identity: Ints, words: Ints, outer: tuple[int, ...], parts: tuple[int, ...]) -> float:
    """Words sent to an array's children when equal needs are served once, as a share of the words received.

    The array splits a tile into ``parts`` tiles of ``outer`` iterations, through which the tiles move in time.
    """
    sizes = [size * part for size, part in zip(outer, parts, strict=True)]
    inside = not any(o % t for o, t in zip(outer, tiles.tiles, strict=True))
    total = int(words.sum())
    if not inside or any(n % s for n, s in zip(tiles.axis.bounds, sizes, strict=True)) or max(parts) == 1 or not total:
        return 1.0
    step = np.zeros(len(tiles.bases), dtype=np.int64)
    for iterations, size, under, bound in zip(tiles.iterations, sizes, outer, tiles.axis.bounds, strict=True):
        step = (step * (bound // size) + iterations // size) * under + iterations % under
    _, first = np.unique(step * len(identity) + identity, return_index=True)
    return float(words[first].sum() / total)


def _identity(tiles: _Tiles) -> Ints:
    """Numbers that are equal for two positions exactly if they need the same existing words."""
    inside = (1 << (tiles.axis.extent or 0)) - 1
    needs: dict[int, int] = {}
    numbers = []
    for base in tiles.bases.tolist():
        need = (tiles.mask << base if base >= 0 else tiles.mask >> -base) & inside
        numbers.append(needs.setdefault(need, len(needs)))
    return np.array(numbers, dtype=np.int64)
