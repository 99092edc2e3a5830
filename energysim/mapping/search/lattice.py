"""Minima over the lattice of tiles: what the factors allowed at a node can reach."""

from __future__ import annotations

import numpy as np

from energysim.mapping.search.jit import compiled, inlined
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
    if factor_ok[d, :n].all():
        # Every factor is a product of primes: one prime after the other reaches all.
        for f in range(1, n):
            if (quotient[d, f, 1:f] >= 0).any():
                continue
            for i in range(f, n):
                if quotient[d, i, f] >= 0:
                    _lower_tiles(result, i * step, (i - quotient[d, i, f]) * step, step, n * step)
        return
    for i in range(n - 1, -1, -1):
        if not factor_ok[d, 0]:
            for row in range(len(result)):
                for base in range(i * step, result.shape[1], n * step):
                    result[row, base : base + step] = np.inf
        for j in range(i):
            f = quotient[d, i, j]
            if f >= 0 and factor_ok[d, f]:
                _lower_tiles(result, i * step, (i - j) * step, step, n * step)


@inlined
def _lower_tiles(result: Floats, first: int, back: int, width: int, period: int) -> None:
    """Lower every value at ``first + k * period + [0, width)`` to that ``back`` entries before it."""
    for row in range(len(result)):
        for base in range(first, result.shape[1], period):
            for to in range(base, base + width):
                result[row, to] = min(result[row, to], result[row, to - back])


def split_maximum(values: Floats, tables: Tables, factors: Ints) -> Floats:
    """[row, tile]: the greatest of the ``values`` [row, split] over the splits that divide a tile, and 1.

    ``factors``: digits, one row per split. Dimensions that none of them splits do not matter.
    """
    size = len(tables.ndiv)
    dims = np.flatnonzero((factors > 0).any(axis=0))
    shape, stride = tables.ndiv[dims], np.ones(len(dims), dtype=np.int64)
    stride[:-1] = np.cumprod(shape[:0:-1])[::-1]
    most = np.full((len(values), int(shape.prod())), -1.0)
    at = factors[:, dims] @ stride
    most[:, at] = np.minimum(most[:, at], -values)
    quotient = np.ascontiguousarray(tables.quotient[dims])
    _lower(most, shape, stride, quotient, np.ones(quotient.shape[:2], dtype=np.int64))
    spread = [int(tables.ndiv[d]) if d in dims else 1 for d in range(size)]
    whole = np.broadcast_to(-most.reshape(-1, *spread), (len(values), *tables.ndiv))
    return whole.reshape(len(values), -1)


def split_minimum(values: Floats, tables: Tables, factors: Ints, spread: Floats, credit: Floats) -> Floats:
    """[row, tile]: the least value over the tiles that the factors of an array reach.

    ``factors``: digits, one row per split. ``credit[row]`` is taken off per instance that the split makes of a partial
    sum: ``spread[tile]`` counts the iterations of a tile that add to the same word.
    """
    dims = np.flatnonzero((factors > 0).any(axis=0))
    places = np.arange(values.shape[1]).reshape(tables.ndiv)
    split = tuple(slice(None) if d in dims else 0 for d in range(len(tables.ndiv)))
    rest = tuple(0 if d in dims else slice(None) for d in range(len(tables.ndiv)))
    result = np.full(values.T.shape, np.inf)
    _split(
        np.ascontiguousarray(values.T),
        tables.ndiv,
        tables.stride,
        tables.quotient,
        factors,
        dims,
        np.ravel(places[split]),
        np.ravel(places[rest]),
        spread,
        credit,
        result,
    )
    return np.ascontiguousarray(result.T)


@compiled
def _split(
    values: Floats,
    shape: Ints,
    stride: Ints,
    quotient: Ints,
    factors: Ints,
    dims: Ints,
    places: Ints,
    rest: Ints,
    spread: Floats,
    credit: Floats,
    result: Floats,
) -> None:
    """``values`` and ``result``: [tile, row]. ``dims``: dimensions that some factors split. A tile is one of ``places``
    (which only they move) plus one of ``rest`` (which the others do)."""
    rows = values.shape[1]
    digits = np.zeros(len(dims), np.int64)
    for place in places:
        for i in range(len(dims)):
            digits[i] = place // stride[dims[i]] % shape[dims[i]]
        for s in range(len(factors)):
            back = 0
            for i in range(len(dims)):
                d = dims[i]
                j = quotient[d, digits[i], factors[s, d]]
                if j < 0:
                    back = -1
                    break
                back += (digits[i] - j) * stride[d]
            if back < 0:
                continue
            for at in rest:
                tile = place + at
                made = spread[tile] / spread[tile - back]
                for row in range(rows):
                    value = values[tile - back, row] - credit[row] * made
                    if value < result[tile, row]:
                        result[tile, row] = value


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
