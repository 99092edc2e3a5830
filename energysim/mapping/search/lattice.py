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


@compiled
def split_maximum(values: Floats, ndiv: Ints, quotient: Ints, factors: Ints) -> Floats:
    """[row, tile]: the greatest of the ``values`` [row, split] over the splits that divide a tile, and 1.

    ``ndiv``, ``quotient``: of the lattice; ``factors``: digits, one row per split. Dimensions that none of them splits
    do not matter.
    """
    dims = _splitting(factors)
    shape, stride = ndiv[dims], np.ones(len(dims), np.int64)
    for i in range(len(dims) - 2, -1, -1):
        stride[i] = stride[i + 1] * shape[i + 1]
    most = np.full((len(values), shape.prod()), -1.0)
    for s in range(len(factors)):
        at = 0
        for i in range(len(dims)):
            at += factors[s, dims[i]] * stride[i]
        for row in range(len(values)):
            most[row, at] = min(most[row, at], -values[row, s])
    free = np.ones((len(dims), quotient.shape[1]), np.int64)
    _lower(most, shape, stride, quotient[dims], free)
    # Every tile of the lattice, the last dimension first.
    result = np.empty((len(values), ndiv.prod()))
    place = np.zeros(result.shape[1], np.int64)
    step = 1
    for d in range(len(ndiv) - 1, -1, -1):
        for i in range(len(dims)):
            if dims[i] == d:
                for base in range(0, len(place), step):
                    place[base : base + step] += base // step % ndiv[d] * stride[i]
        step *= ndiv[d]
    for row in range(len(values)):
        for tile in range(len(place)):
            result[row, tile] = -most[row, place[tile]]
    return result


@compiled
def split_minimum(
    values: Floats, ndiv: Ints, stride: Ints, quotient: Ints, factors: Ints, spread: Floats, credit: Floats
) -> Floats:
    """[row, tile]: the least value over the tiles that the factors of an array reach.

    ``factors``: digits, one row per split. ``credit[row]`` is taken off per instance that the split makes of a partial
    sum: ``spread[tile]`` counts the iterations of a tile that add to the same word.
    """
    dims = _splitting(factors)
    # A tile is one of the places, which only the dimensions that are split move, plus one of the rest.
    moves = np.zeros(len(ndiv), np.int64)
    moves[dims] = 1
    split, free = np.zeros(values.shape[1], np.bool_), np.zeros(values.shape[1], np.bool_)
    for d in range(len(ndiv)):
        for tile in range(len(split)):
            if tile // stride[d] % ndiv[d] > 0:
                split[tile] |= moves[d] == 1
                free[tile] |= moves[d] == 0
    rest = np.flatnonzero(~split)
    digits = np.zeros(len(ndiv), np.int64)
    result = np.full(values.shape, np.inf)
    for place in np.flatnonzero(~free):
        for d in dims:
            digits[d] = place // stride[d] % ndiv[d]
        for s in range(len(factors)):
            back = 0
            for d in dims:
                left = quotient[d, digits[d], factors[s, d]]
                if left < 0:
                    back = -1
                    break
                back += (digits[d] - left) * stride[d]
            if back < 0:
                continue
            for row in range(len(values)):
                taken = credit[row]
                for at in rest:
                    to = place + at
                    value = values[row, to - back]
                    if taken > 0.0:
                        value -= taken * (spread[to] / spread[to - back])
                    result[row, to] = min(result[row, to], value)
    return result


@compiled
def _splitting(factors: Ints) -> Ints:
    """The dimensions that some of the factors split."""
    return np.flatnonzero(factors.sum(axis=0))


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
