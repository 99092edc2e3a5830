"""Minima over the lattice of tiles: what the factors allowed at a node can reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from energysim.mapping.search.jit import compiled
from energysim.mapping.search.records import Floats, Ints
from energysim.mapping.search.space import Tables


def lattice_minimum(values: Floats, tables: Tables, factor_ok: Ints) -> Floats:
    """[row, tile]: for every tile the least value over the tiles reached by allowed factors per dimension."""
    if not factor_ok[:, 1:].any() and factor_ok[:, 0].all():
        return values  # nothing is split
    result = np.array(values, order="C")
    _lower(result, tables.ndiv, tables.stride, tables.quotient, factor_ok)
    return result


def reachable_minima(values: Floats, tables: Tables, factor_ok: Ints) -> Floats:
    """[dimension, row, tile]: for every tile the least value over the tiles reached by allowed factors of this and the
    later dimensions, while the earlier ones stay."""
    result = np.empty((len(tables.ndiv), *values.shape))
    _lower_by_dimension(values, result, tables.ndiv, tables.stride, tables.quotient, factor_ok)
    return result


@compiled
def _lower(result: Floats, shape: Ints, stride: Ints, quotient: Ints, factor_ok: Ints) -> None:
    for d in range(len(shape)):
        _lower_along(result, d, shape, stride, quotient, factor_ok)


@compiled
def _lower_by_dimension(
    values: Floats, result: Floats, shape: Ints, stride: Ints, quotient: Ints, factor_ok: Ints
) -> None:
    for d in range(len(shape) - 1, -1, -1):
        result[d] = values if d == len(shape) - 1 else result[d + 1]
        _lower_along(result[d], d, shape, stride, quotient, factor_ok)


@compiled
def _lower_along(result: Floats, d: int, shape: Ints, stride: Ints, quotient: Ints, factor_ok: Ints) -> None:
    n, step = shape[d], stride[d]
    block = step * n
    for row in range(result.shape[0]):
        for base in range(0, result.shape[1], block):
            for i in range(n - 1, -1, -1):
                to = base + i * step
                if not factor_ok[d, 0]:
                    for low in range(step):
                        result[row, to + low] = np.inf
                for j in range(i):
                    f = quotient[d, i, j]
                    if f >= 0 and factor_ok[d, f]:
                        from_ = base + j * step
                        for low in range(step):
                            result[row, to + low] = min(result[row, to + low], result[row, from_ + low])


def split_minimum(
    values: Floats, tables: Tables, feasible: Ints, factor_ok: Ints, spread: Floats, credit: Floats
) -> Floats:
    """[row, tile]: the least value over the tiles that the feasible factors of an array reach.

    ``feasible[tile]`` and ``factor_ok[dim, digit]`` decide. ``credit[row]`` is taken off per instance that the split
    makes of a partial sum: ``spread[tile]`` counts the iterations of a tile that add to the same word.
    """
    factors = np.flatnonzero(feasible)[:, None] // tables.stride % tables.ndiv
    factors = factors[factor_ok[np.arange(len(tables.ndiv)), factors].all(axis=1)]
    result = np.full(values.shape, np.inf)
    at = np.zeros(len(tables.ndiv), dtype=np.int64)
    _split(
        np.ascontiguousarray(values),
        tables.ndiv,
        tables.stride,
        tables.quotient,
        factors,
        (factors > 0).any(axis=0),
        spread,
        credit,
        result,
        at,
    )
    return result


@compiled
def _split(
    values: Floats,
    shape: Ints,
    stride: Ints,
    quotient: Ints,
    factors: Ints,
    splits: NDArray[np.bool_],
    spread: Floats,
    credit: Floats,
    result: Floats,
    at: Ints,
) -> None:
    """``factors``: digits, one row per split; ``splits[dim]``: whether any does; ``at``: working space."""
    for tile in range(values.shape[1]):
        for d in range(len(shape)):
            at[d] = tile // stride[d] % shape[d]
        for s in range(len(factors)):
            inner = tile
            for d in range(len(shape)):
                if splits[d]:
                    j = quotient[d, at[d], factors[s, d]]
                    if j < 0:
                        inner = -1
                        break
                    inner += (j - at[d]) * stride[d]
            if inner < 0:
                continue
            made = spread[tile] / spread[inner]
            for row in range(values.shape[0]):
                value = values[row, inner] - credit[row] * made
                if value < result[row, tile]:
                    result[row, tile] = value


@compiled
def mark_products(left: Ints, right: Ints, div: Floats, digit_of: Ints, stride: Ints, marks: Ints) -> None:
    """Mark the tiles left x right (rows of digits) that exist on the lattice."""
    for a in range(len(left)):
        for b in range(len(right)):
            tile = 0
            for d in range(left.shape[1]):
                value = int(div[d, left[a, d]] * div[d, right[b, d]])
                digit = digit_of[d, value] if value < digit_of.shape[1] else -1
                if digit < 0:
                    tile = -1
                    break
                tile += digit * stride[d]
            if tile >= 0:
                marks[tile] = 1
