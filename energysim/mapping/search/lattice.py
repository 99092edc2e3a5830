"""Minima over the lattice of tiles: what the factors allowed at a node can reach."""

from __future__ import annotations

import numpy as np

from energysim.mapping.search.jit import inlined, lean
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


@lean
def _lower(result: Floats, shape: Ints, stride: Ints, quotient: Ints, factor_ok: Ints) -> None:
    for d in range(len(shape)):
        _lower_along(result, shape[d], stride[d], quotient[d], factor_ok[d])


@lean
def _lower_by_dimension(
    values: Floats, result: Floats, shape: Ints, stride: Ints, quotient: Ints, factor_ok: Ints
) -> None:
    for d in range(len(shape) - 1, -1, -1):
        last = d == len(shape) - 1
        for row in range(len(values)):
            for tile in range(values.shape[1]):
                result[d, row, tile] = values[row, tile] if last else result[d + 1, row, tile]
        _lower_along(result[d], shape[d], stride[d], quotient[d], factor_ok[d])


@lean
def _lower_along(result: Floats, n: int, step: int, quotient: Ints, factor_ok: Ints) -> None:
    """One dimension of ``n`` digits that are ``step`` entries apart."""
    every = True
    for f in range(n):
        every = every and factor_ok[f] > 0
    # Every factor is a product of primes: where all are allowed, one prime after the other reaches all.
    for f in range(1, n if every else 0):
        prime = True
        for j in range(1, f):
            prime = prime and quotient[f, j] < 0
        for i in range(f, n if prime else 0):
            left = quotient[i, f]
            if left >= 0:
                _lower_tiles(result, i * step, (i - left) * step, step, n * step)
    for i in range(-1 if every else n - 1, -1, -1):
        if not factor_ok[0]:
            for row in range(len(result)):
                for base in range(i * step, result.shape[1], n * step):
                    for to in range(base, base + step):
                        result[row, to] = np.inf
        for j in range(i):
            f = quotient[i, j]
            if f >= 0 and factor_ok[f]:
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
    dims = np.flatnonzero(factors.any(axis=0))
    least = np.full((len(values), int(tables.ndiv[dims].prod())), -1.0)
    result = np.empty((len(values), tables.floor.shape[1]))
    room, free = np.zeros((2, len(tables.ndiv)), dtype=np.int64), np.ones(tables.div.shape[1], dtype=np.int64)
    _greatest(values, least, result, tables.ndiv, tables.stride, tables.quotient, factors, dims, room, free)
    return result


@lean
def _greatest(
    values: Floats,
    least: Floats,
    result: Floats,
    ndiv: Ints,
    stride: Ints,
    quotient: Ints,
    factors: Ints,
    dims: Ints,
    room: Ints,
    free: Ints,
) -> None:
    """``least``: -1 for every tile of the lattice of ``dims`` alone; ``room``: zeros for its strides and for digits;
    ``free``: every digit allowed."""
    step, digits = room[0], room[1]
    size = 1
    for i in range(len(dims) - 1, -1, -1):
        step[dims[i]] = size
        size *= ndiv[dims[i]]
    for s in range(len(factors)):
        at = 0
        for d in dims:
            at += factors[s, d] * step[d]
        for row in range(len(values)):
            least[row, at] = min(least[row, at], -values[row, s])
    for d in dims:
        _lower_along(least, ndiv[d], step[d], quotient[d], free)
    last = dims[-1] if len(dims) else 0
    alike = stride[last]  # tiles that only later dimensions tell apart
    for base in range(0, result.shape[1], alike):
        at = 0
        for d in dims:
            at += digits[d] * step[d]
        for row in range(len(values)):
            for tile in range(base, base + alike):
                result[row, tile] = -least[row, at]
        _next_digits(digits, ndiv, last)


def split_minimum(values: Floats, tables: Tables, factors: Ints, spread: Floats, credit: Floats) -> Floats:
    """[row, tile]: the least value over the tiles that the factors of an array reach.

    ``factors``: digits, one row per split. ``credit[row]`` is taken off per instance that the split makes of a partial
    sum: ``spread[tile]`` counts the iterations of a tile that add to the same word.
    """
    dims = np.flatnonzero(factors.any(axis=0))
    digits, result = np.zeros(len(tables.ndiv), dtype=np.int64), np.full(values.shape, np.inf)
    _split(values, result, tables.ndiv, tables.stride, tables.quotient, factors, dims, digits, spread, credit)
    return result


@lean
def _split(
    values: Floats,
    result: Floats,
    ndiv: Ints,
    stride: Ints,
    quotient: Ints,
    factors: Ints,
    dims: Ints,
    digits: Ints,
    spread: Floats,
    credit: Floats,
) -> None:
    """``dims``: those that some factors split; ``digits``: all 0."""
    last = dims[-1] if len(dims) else 0
    alike = stride[last]  # tiles that only later dimensions tell apart
    for base in range(0, values.shape[1], alike):
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
                if credit[row] > 0.0:
                    for to in range(base, base + alike):
                        value = values[row, to - back] - credit[row] * (spread[to] / spread[to - back])
                        result[row, to] = min(result[row, to], value)
                else:
                    for to in range(base, base + alike):
                        result[row, to] = min(result[row, to], values[row, to - back])
        _next_digits(digits, ndiv, last)


@inlined
def _next_digits(digits: Ints, ndiv: Ints, last: int) -> None:
    """Count one up in the digits of the dimensions up to ``last``, which turns over first."""
    d = last
    digits[d] += 1
    while d > 0 and digits[d] == ndiv[d]:
        digits[d] = 0
        d -= 1
        digits[d] += 1


@lean
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
