"""Which spatial factors fit an array, and how a factor per dimension is split over its two axes."""

from __future__ import annotations

import numpy as np

from energysim.arch.spec import Array, Axis
from energysim.mapping.search.lattice import mark_products
from energysim.mapping.search.space import Ints, Space


def axis_splits(space: Space, array: Array, axis: Axis) -> list[tuple[int, ...]]:
    """Digits of all factor vectors that fit one axis."""
    limit = array.x if axis == "x" else array.y
    constraints = array.constraints
    allowed = constraints.x_dims if axis == "x" else constraints.y_dims
    found: list[tuple[int, ...]] = [()]
    products = [1]
    for dim, divs in zip(space.dims, space.divisors, strict=True):
        grown, grown_products = [], []
        for digits, used in zip(found, products, strict=True):
            for digit, factor in enumerate(divs):
                if used * factor > limit or (factor > 1 and allowed is not None and dim not in allowed):
                    break
                grown.append((*digits, digit))
                grown_products.append(used * factor)
        found, products = grown, grown_products
    return found


def feasible_splits(space: Space, array: Array) -> Ints:
    """[tile]: 1 where the factors of the tile fit the array, its constraints and its least utilization."""
    tables = space.tables
    marks = np.zeros(space.size, dtype=np.int64)
    left = np.array(axis_splits(space, array, "x"), dtype=np.int64)
    right = np.array(axis_splits(space, array, "y"), dtype=np.int64)
    mark_products(left, right, tables.div, tables.digit_of, tables.stride, marks)
    needed = array.constraints.min_utilization * array.x * array.y
    if needed > 1:
        marks[space.iterations < needed] = 0
    return marks


def split_axes(space: Space, array: Array, factors: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Factors per dimension along x and y whose product is ``factors``; the most along x, then lexicographic."""
    right = {tuple(space.divisors[d][i] for d, i in enumerate(digits)) for digits in axis_splits(space, array, "y")}
    for digits in reversed(axis_splits(space, array, "x")):
        along_x = tuple(space.divisors[d][i] for d, i in enumerate(digits))
        if all(f % x == 0 for f, x in zip(factors, along_x, strict=True)):
            along_y = tuple(f // x for f, x in zip(factors, along_x, strict=True))
            if along_y in right:
                return along_x, along_y
    raise AssertionError(f"{factors} do not fit {array.name}")
