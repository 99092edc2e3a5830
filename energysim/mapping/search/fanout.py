"""Which spatial factors fit an array, and how a factor per dimension is split over its two axes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from energysim.arch.spec import Array, Axis
from energysim.mapping.search.jit import lean
from energysim.mapping.search.lattice import mark_products
from energysim.mapping.search.space import Floats, Ints, Space


def axis_splits(space: Space, array: Array, axis: Axis) -> Ints:
    """[split, dim]: digits of all factor vectors that fit one axis (shared, not to be changed)."""
    limit = array.x if axis == "x" else array.y
    allowed = array.constraints.x_dims if axis == "x" else array.constraints.y_dims
    return _within(
        tuple(
            tuple(factor for factor in divs if factor <= (limit if allowed is None or dim in allowed else 1))
            for dim, divs in zip(space.dims, space.divisors, strict=True)
        ),
        limit,
    )


@lru_cache(maxsize=1 << 10)
def _within(factors: tuple[tuple[int, ...], ...], limit: int) -> Ints:
    """Indices of all choices of one of the ascending ``factors`` per dimension with a product of at most ``limit``."""
    found: list[tuple[tuple[int, ...], int]] = [((), 1)]
    for choices in factors:
        found = [
            ((*digits, digit), product * factor)
            for digits, product in found
            for digit, factor in enumerate(choices)
            if product * factor <= limit
        ]
    return np.array([digits for digits, _ in found], dtype=np.int64)


def feasible_splits(space: Space, array: Array) -> Ints:
    """[tile]: 1 where the factors of the tile fit the array, its constraints and its least utilization."""
    tables = space.tables
    marks = np.zeros(space.size, dtype=np.int64)
    left, right = axis_splits(space, array, "x"), axis_splits(space, array, "y")
    mark_products(left, right, tables.div, tables.digit_of, tables.stride, marks)
    needed = array.constraints.min_utilization * array.x * array.y
    if needed > 1:
        marks[space.iterations < needed] = 0
    return marks


@lean
def multiply_alike(
    result: Floats,
    splits: Ints,
    div: Floats,
    moves: Ints,
    shares: Ints,
    sliding: int,
    slides: Ints,
    rank_start: Ints,
    merging: Ints,
) -> None:
    """``result`` [tensor, split] times the children of an array that need the same words, where it ``shares`` [tensor]
    them.

    Alike are those along dimensions that do not move the tensor; of the ``sliding`` tensor perhaps also those along
    the dimensions of a sliding rank, where more of them than ``merging`` [rank] are split: two, or one where padding
    lets tiles coincide. ``splits``: digits; ``div``, ``moves``, ``slides``, ``rank_start``: of the tables of a space.
    """
    for t in range(len(moves)):
        for s in range(len(splits) if shares[t] else 0):
            for d in range(len(slides)):
                if not moves[t] >> d & 1:
                    result[t, s] *= div[d, splits[s, d]]
            if t != sliding:
                continue
            for rank in range(rank_start[t], rank_start[t + 1]):
                splitting, together = 0, 1.0
                for d in range(len(slides)):
                    if slides[d] == rank:
                        splitting += splits[s, d] > 0
                        together *= div[d, splits[s, d]]
                if splitting > merging[rank]:
                    result[t, s] *= together


def split_axes(space: Space, array: Array, factors: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Factors per dimension along x and y whose product is ``factors``; the most along x, then lexicographic."""
    if set(factors) == {1}:
        return factors, factors
    dims, wanted = np.arange(len(factors)), np.array(factors)
    right = space.tables.div[dims, axis_splits(space, array, "y")]
    for along_x in space.tables.div[dims, axis_splits(space, array, "x")][::-1]:
        if not (wanted % along_x).any() and (right == wanted // along_x).all(axis=1).any():
            return tuple(map(int, along_x)), tuple(map(int, wanted // along_x))
    raise AssertionError(f"{factors} do not fit {array.name}")
