"""Minima over the lattice of tiles: what the factors allowed at a node can reach."""

from __future__ import annotations

import numpy as np

from energysim.mapping.search.jit import compiled
from energysim.mapping.search.records import Floats, Ints
from energysim.mapping.search.space import Tables


def lattice_minimum(values: Floats, shape: Ints, stride: Ints, quotient: Ints, factor_ok: Ints) -> Floats:
    """For every tile the least value over the tiles reached by allowed factors per dimension."""
    result = np.array(values, order="C")
    _lower(result, shape, stride, quotient, factor_ok)
    return result


@compiled
def _lower(result: Floats, shape: Ints, stride: Ints, quotient: Ints, factor_ok: Ints) -> None:
    for d in range(len(shape)):
        n, step = shape[d], stride[d]
        block = step * n
        for base in range(0, len(result), block):
            for i in range(n - 1, -1, -1):
                to = base + i * step
                if not factor_ok[d, 0]:
                    for low in range(step):
                        result[to + low] = np.inf
                for j in range(i):
                    f = quotient[d, i, j]
                    if f >= 0 and factor_ok[d, f]:
                        from_ = base + j * step
                        for low in range(step):
                            result[to + low] = min(result[to + low], result[from_ + low])


def split_minimum(
    values: Floats, tables: Tables, feasible: Ints, factor_ok: Ints, limit: float, spread: Floats, credit: Floats
) -> Floats:
    """[row, tile]: the least value over the tiles that the feasible factors of an array reach.

    ``feasible[tile]`` decides; ``factor_ok[dim, digit]`` leaves out early what no feasible tile contains.
    ``credit[row]`` is taken off per instance that the split makes of a partial sum: ``spread[tile]`` counts the
    iterations of a tile that add to the same word.
    """
    dims = len(tables.ndiv)
    result = np.full(values.shape, np.inf)
    walk, product = np.zeros((4, dims + 1), dtype=np.int64), np.ones(dims + 1)
    _split(np.ascontiguousarray(values), tables, feasible, factor_ok, limit, spread, credit, result, walk, product)
    return result


@compiled
def _split(
    values: Floats,
    tables: Tables,
    feasible: Ints,
    factor_ok: Ints,
    limit: float,
    spread: Floats,
    credit: Floats,
    result: Floats,
    walk: Ints,
    product: Floats,
) -> None:
    """``walk`` and ``product``: working space, one column per dimension and one more."""
    dims = len(tables.ndiv)
    from_, choice, at, split = walk[0], walk[1], walk[2], walk[3]
    for tile in range(values.shape[1]):
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
            if j < 0 or not factor_ok[depth, f]:
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
