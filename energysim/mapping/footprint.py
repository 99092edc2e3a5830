"""Which words a tile holds along one axis (rank) of a tensor, and the sums of them that the counts are made of.

A rank's coordinate is ``offset + sum(coefficient * dim)``. The ranks of a tensor involve disjoint dimensions, so a tile
is a product of one 1-d set per rank, and its words, its overlap with another tile and the number of different tiles
that neighbours need are products of 1-d quantities. Everything here is 1-d; :mod:`energysim.mapping.access` multiplies.

A 1-d set is an int used as a bit mask (bit ``c`` = coordinate ``c``). :func:`tile_mask` is the only place that knows
the footprint convention: true words with their holes (`exact`) or bounding boxes (`timeloop`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

from energysim.graph.problem import Rank
from energysim.mapping.counts import Convention

TEMPORAL = -1
"""Kind of a loop that steps in time."""
PRIVATE = -2
"""Kind of a spatial loop whose children are served one by one (above the parent, or an array without multicast)."""

Loops = tuple[tuple[int, int, int], ...]
"""Loops that move a rank, outermost first: (index of the term, bound, kind). Kinds >= 0 number the arrays, outermost
first, whose children share a transfer where they need the same words."""


class Axis(NamedTuple):
    """One rank of a tensor in one problem and convention. ``extent=None``: every coordinate reached exists."""

    coefficients: tuple[int, ...]
    bounds: tuple[int, ...]
    offset: int
    extent: int | None
    boxes: bool


class Walk(NamedTuple):
    """What the tiles of one rank add up to over all their positions in time and space, in words of this rank.

    ``private``/``shared``: sum over all positions, each child counted / equal needs of children counted once.
    ``private_saved``/``shared_saved``: for each keeping step type, how much less that is when the words still held from
    the previous step are not moved again.
    """

    private: int
    shared: int
    private_saved: tuple[int, ...] = ()
    shared_saved: tuple[int, ...] = ()


def axis_of(rank: Rank, bounds: dict[str, int], convention: Convention) -> Axis:
    """The rank as numbers. An extent that clips nothing is dropped, and so is all padding in boxes."""
    coefficients = tuple(coefficient for _, coefficient in rank.terms)
    sizes = tuple(bounds[dim] for dim, _ in rank.terms)
    highest = rank.offset + sum(c * (n - 1) for c, n in zip(coefficients, sizes, strict=True))
    boxes = convention is Convention.TIMELOOP
    clips = rank.extent is not None and (rank.offset < 0 or highest >= rank.extent)
    if boxes or not clips:
        return Axis(coefficients, sizes, 0, None, boxes)
    return Axis(coefficients, sizes, rank.offset, rank.extent, boxes)


@lru_cache(maxsize=1 << 14)
def tile_mask(coefficients: tuple[int, ...], lengths: tuple[int, ...], boxes: bool) -> int:
    """The coordinates that a block of iterations touches, relative to its first one: THE footprint convention.

    Boxes: all coordinates from the first to the last. Otherwise only those that some iteration uses.
    """
    if boxes:
        span = sum(c * (n - 1) for c, n in zip(coefficients, lengths, strict=True)) + 1
        return (1 << span) - 1
    mask = 1
    for coefficient, length in zip(coefficients, lengths, strict=True):
        done = 1
        while done < length:  # doubling: log2(length) shifts
            more = min(done, length - done)
            mask |= mask << (coefficient * more)
            done += more
    return mask


def tile_words(axis: Axis, tiles: tuple[int, ...]) -> int:
    """Words of the largest tile of ``tiles[i]`` iterations of term ``i``."""
    if len(tiles) == 1 and axis.extent is None:
        return axis.coefficients[0] * (tiles[0] - 1) + 1 if axis.boxes else tiles[0]
    return _largest(axis, tiles)


@lru_cache(maxsize=1 << 16)
def _largest(axis: Axis, tiles: tuple[int, ...]) -> int:
    inside = tile_mask(axis.coefficients, tiles, axis.boxes).bit_count()
    if axis.extent is None:
        return inside
    largest = 0
    for bases in product(*(range(0, n, t) for n, t in zip(axis.bounds, tiles, strict=True))):
        largest = max(largest, _tile_at(axis, tiles, bases).bit_count())
        if largest == inside:
            break
    return largest


def total_words(axis: Axis, tiles: tuple[int, ...]) -> int:
    """Sum of the words of all tiles, each position once."""
    if len(tiles) == 1 and axis.extent is None:
        (bound,), (tile,), (coefficient,) = axis.bounds, tiles, axis.coefficients
        return coefficient * bound - (coefficient - 1) * -(-bound // tile) if axis.boxes else bound
    return _total(axis, tiles)


@lru_cache(maxsize=1 << 16)
def _total(axis: Axis, tiles: tuple[int, ...]) -> int:
    if axis.extent is None and not any(n % t for n, t in zip(axis.bounds, tiles, strict=True)):
        positions = prod(n // t for n, t in zip(axis.bounds, tiles, strict=True))
        return positions * tile_mask(axis.coefficients, tiles, axis.boxes).bit_count()
    starts = (range(0, n, t) for n, t in zip(axis.bounds, tiles, strict=True))
    return sum(_tile_at(axis, tiles, bases).bit_count() for bases in product(*starts))


def _tile_at(axis: Axis, tiles: tuple[int, ...], bases: tuple[int, ...]) -> int:
    """Bit mask of the existing words of the tile that starts at iteration ``bases[i]`` of term ``i`` (0 if none)."""
    lengths = tuple(min(t, n - b) for t, n, b in zip(tiles, axis.bounds, bases, strict=True))
    if min(lengths) <= 0:
        return 0
    mask = tile_mask(axis.coefficients, lengths, axis.boxes)
    shift = axis.offset + sum(c * b for c, b in zip(axis.coefficients, bases, strict=True))
    mask = mask << shift if shift >= 0 else mask >> -shift
    return mask if axis.extent is None else mask & ((1 << axis.extent) - 1)


@lru_cache(maxsize=1 << 16)
def walk(axis: Axis, tiles: tuple[int, ...], loops: Loops, keep: tuple[int, ...]) -> Walk:
    """Sums over all positions of a rank's tiles.

    ``loops`` stand above the tile; ``keep`` lists indices into ``loops`` of the temporal loops whose step keeps what
    the previous tile holds. Perfectly divided ranks without padding have closed forms (all tiles are one tile moved
    about); otherwise the positions are visited one by one, which is still 1-d.
    """
    inner = [1] * len(tiles)
    for term, bound, _ in loops:
        inner[term] *= bound
    if axis.extent is None and all(i * t == n for i, t, n in zip(inner, tiles, axis.bounds, strict=True)):
        return _uniform_walk(axis, tiles, loops, keep)
    return _visited_walk(axis, tiles, loops, keep)


def _strides(tiles: tuple[int, ...], loops: Loops) -> list[int]:
    """Iterations of its dimension that one step of each loop advances."""
    strides, running = [0] * len(loops), list(tiles)
    for index in range(len(loops) - 1, -1, -1):
        term, bound, _ = loops[index]
        strides[index] = running[term]
        running[term] *= bound
    return strides


def _uniform_walk(axis: Axis, tiles: tuple[int, ...], loops: Loops, keep: tuple[int, ...]) -> Walk:
    steps = [axis.coefficients[term] * s for (term, _, _), s in zip(loops, _strides(tiles, loops), strict=True)]
    mask = tile_mask(axis.coefficients, tiles, axis.boxes)
    words = mask.bit_count()
    in_time = prod(bound for _, bound, kind in loops if kind == TEMPORAL)
    alone = prod(bound for _, bound, kind in loops if kind == PRIVATE)
    groups = together = 1
    for array in {kind for _, _, kind in loops if kind >= 0}:
        moves = [range(0, step * b, step) for step, (_, b, kind) in zip(steps, loops, strict=True) if kind == array]
        together *= prod(len(move) for move in moves)
        groups *= len(moves[0]) if len(moves) == 1 else len({sum(position) for position in product(*moves)})
    private_saved, shared_saved = [], []
    for index in keep:
        outer = prod(bound for _, bound, kind in loops[:index] if kind == TEMPORAL)
        back = sum(
            step * (b - 1)
            for step, (_, b, kind) in zip(steps[index + 1 :], loops[index + 1 :], strict=True)
            if kind == TEMPORAL
        )
        shift = abs(steps[index] - back)
        saved = (loops[index][1] - 1) * outer * alone * (mask & (mask >> shift)).bit_count()
        private_saved.append(saved * together)
        shared_saved.append(saved * groups)
    total = in_time * alone * words
    return Walk(total * together, total * groups, tuple(private_saved), tuple(shared_saved))


def _visited_walk(axis: Axis, tiles: tuple[int, ...], loops: Loops, keep: tuple[int, ...]) -> Walk:
    tile_at = _all_tiles(axis, tiles)
    strides = _strides(tiles, loops)
    fan_outs, seats = [], [0]
    for array in sorted({kind for _, _, kind in loops if kind >= 0}):
        moves = [key for key, _ in _positions(loops, strides, array)]
        fan_outs.append(len(moves))
        seats = [seat + move for seat in seats for move in moves]
    steps = _positions(loops, strides, TEMPORAL)
    shared = 0
    saved = {index: [0, 0] for index in keep}
    for alone, _ in _positions(loops, strides, PRIVATE):
        at = [alone + seat for seat in seats]
        held = [0] * len(at)
        for base, moving in steps:
            needs = [tile_at.get(base + seat) for seat in at]
            words = _shared_words(needs, fan_outs)
            shared += words
            if not keep:
                continue
            if moving in saved:
                kept = [need & old if need else 0 for need, old in zip(needs, held, strict=True)]
                saved[moving][0] += sum(map(int.bit_count, kept))
                news = [need and need ^ same for need, same in zip(needs, kept, strict=True)]
                saved[moving][1] += words - _shared_words(news, fan_outs)
            # A child without an iteration in this step is idle and goes on holding its last tile.
            held = [old if need is None else need for need, old in zip(needs, held, strict=True)]
    private = total_words(axis, tiles)
    return Walk(private, shared, tuple(saved[k][0] for k in keep), tuple(saved[k][1] for k in keep))


_TERM_BITS = 40  # a position packs the first iteration of every term into one int, this many bits each


@lru_cache(maxsize=1 << 9)
def _all_tiles(axis: Axis, tiles: tuple[int, ...]) -> dict[int, int]:
    """The bit mask of every tile that has iterations, by packed position."""
    starts = (range(0, n, t) for n, t in zip(axis.bounds, tiles, strict=True))
    return {
        sum(base << (_TERM_BITS * term) for term, base in enumerate(bases)): _tile_at(axis, tiles, bases)
        for bases in product(*starts)
    }


def _positions(loops: Loops, strides: list[int], kind: int) -> list[tuple[int, int | None]]:
    """(packed position, innermost loop that is not in its first iteration) of all iterations of one kind, in order."""
    positions: list[tuple[int, int | None]] = [(0, None)]
    for index, (term, bound, loop_kind) in enumerate(loops):
        if loop_kind == kind:
            move = strides[index] << (_TERM_BITS * term)
            positions = [
                (key + digit * move, index if digit else moving) for key, moving in positions for digit in range(bound)
            ]
    return positions


def _shared_words(needs: Sequence[int | None], fan_outs: list[int]) -> int:
    """Words that leave the parent when, array by array from the inside, children of equal needs share one transfer."""
    if len(needs) == 1:
        return needs[0].bit_count() if needs[0] else 0
    if len(fan_outs) == 1:
        return sum([need.bit_count() for need in set(needs) if need])
    nodes: list[tuple[object, int]] = [(need, need.bit_count() if need else 0) for need in needs]
    for fan_out in reversed(fan_outs):
        grouped: list[tuple[object, int]] = []
        for start in range(0, len(nodes), fan_out):
            different = {need: words for need, words in nodes[start : start + fan_out] if words}
            grouped.append((frozenset(different), sum(different.values())))
        nodes = grouped
    return sum(words for _, words in nodes)


@lru_cache(maxsize=1 << 14)
def visited_words(axis: Axis, tiles: tuple[int, ...], loops: Loops) -> int:
    """Different words that a spatial position sees in the whole run, summed over the spatial positions."""
    tile_at = _all_tiles(axis, tiles)
    strides = _strides(tiles, loops)
    steps = _positions(loops, strides, TEMPORAL)
    total = 0
    for seat, _ in _positions(loops, strides, PRIVATE):
        union = 0
        for base, _ in steps:
            union |= tile_at.get(seat + base, 0)
        total += union.bit_count()
    return total
