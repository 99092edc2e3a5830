"""Which spatial factors fit an array, and how a factor per dimension is split over its two axes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from energysim.arch.spec import Array, Axis
from energysim.mapping.search.lattice import mark_products
from energysim.mapping.search.space import Ints, Space


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


def split_axes(space: Space, array: Array, factors: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Factors per dimension along x and y whose product is ``factors``; the most along x, then lexicographic."""

    def along(axis: Axis) -> list[tuple[int, ...]]:
        splits = axis_splits(space, array, axis).tolist()
        return [tuple(divs[i] for divs, i in zip(space.divisors, digits, strict=True)) for digits in splits]

    right = set(along("y"))
    for along_x in reversed(along("x")):
        if all(f % x == 0 for f, x in zip(factors, along_x, strict=True)):
            along_y = tuple(f // x for f, x in zip(factors, along_x, strict=True))
            if along_y in right:
                return along_x, along_y
    raise AssertionError(f"{factors} do not fit {array.name}")
