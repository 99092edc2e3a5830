"""Minima over the lattice of tiles: what the factors allowed at a node can reach."""

from __future__ import annotations

import numpy as np

from energysim.mapping.search.jit import compiled
from energysim.mapping.search.records import Floats, Ints
from energysim.mapping.search.space import Tables


@compiled
def lattice_minimum(values: Floats, shape: Ints, stride: Ints, quotient: Ints, factor_ok: Ints) -> Floats:
    """For every tile the least value over the tiles reached by allowed factors per dimension."""
    result = values.copy()
    for d in range(len(shape)):
        n, step = shape[d], stride[d]
        block = step * n
        for base in range(0, len(values), block):
            for low in range(step):
                for i in range(n - 1, -1, -1):
                    best = np.inf
                    for j in range(i + 1):
                        f = quotient[d, i, j]
                        if f >= 0 and factor_ok[d, f]:
                            best = min(best, result[base + j * step + low])
                    result[base + i * step + low] = best
    return result


@compiled
def split_minimum(
    values: Floats, tables: Tables, feasible: Ints, limit: float, spread: Floats, credit: Floats
) -> Floats:
    """[row, tile]: the least value over the tiles that the feasible factors of an array reach.

    ``credit[row]`` is taken off per instance that the split makes of a partial sum: ``spread[tile]`` counts the
    iterations of a tile that add to the same word.
    """
    rows, tiles = values.shape
    dims = len(tables.ndiv)
    result = np.full_like(values, np.inf)
    from_, choice = np.zeros(dims, np.int64), np.zeros(dims, np.int64)
    product, at, split = np.ones(dims + 1), np.zeros(dims + 1, np.int64), np.zeros(dims + 1, np.int64)
    for tile in range(tiles):
        for d in range(dims):
            from_[d] = tile // tables.stride[d] % tables.ndiv[d]
        depth = 0
        choice[0] = -1
        while depth >= 0:
            choice[depth] += 1
            f = choice[depth]
            if f > from_[depth]:
                depth -= 1
                continue
            j = tables.quotient[depth, from_[depth], f]
            if j < 0:
                continue
            product[depth + 1] = product[depth] * tables.div[depth, f]
            if product[depth + 1] > limit:
                depth -= 1
                continue
            at[depth + 1] = at[depth] + j * tables.stride[depth]
            split[depth + 1] = split[depth] + f * tables.stride[depth]
            if depth < dims - 1:
                depth += 1
                choice[depth] = -1
                continue
            if feasible[split[dims]]:
                inner = at[dims]
                made = spread[tile] / spread[inner]
                for row in range(rows):
                    value = values[row, inner] - credit[row] * made
                    if value < result[row, tile]:
                        result[row, tile] = value
    return result


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
