"""Products over all tiles of the lattice, compiled: of one factor per dimension, or of one table entry per rank."""

from __future__ import annotations

import numpy as np

from energysim.mapping.search.jit import compiled
from energysim.mapping.search.records import Floats, Ints


@compiled
def dimension_products(values: Floats, ndiv: Ints, masks: Ints) -> Floats:
    """[mask, tile]: product of ``values`` [dim, digit] at the tile's digits, over the dimensions in the bit mask."""
    size = ndiv.prod()
    result = np.ones((len(masks), size))
    step = size
    for d in range(len(ndiv)):
        step //= ndiv[d]
        for m in range(len(masks)):
            if masks[m] >> d & 1:
                for first in range(0, size, step):
                    factor = values[d, first // step % ndiv[d]]
                    for tile in range(first, first + step):
                        result[m, tile] *= factor
    return result


@compiled
def rank_products(
    table: Floats, constants: Floats, ndiv: Ints, rank_start: Ints, rank_stride: Ints, rank_offset: Ints
) -> Floats:
    """[tensor, tile]: ``constants`` [tensor] x the product of the entries of its ranks, whose tables are joined.

    ``rank_start``, ``rank_stride``, ``rank_offset``: of :class:`energysim.mapping.search.space.Tables`.
    """
    dims, size = len(ndiv), ndiv.prod()
    result = np.empty((len(constants), size))
    digits = np.empty(dims, np.int64)
    for t in range(len(constants)):
        first, last = rank_start[t], rank_start[t + 1]
        at = rank_offset[first:last].copy()
        digits[:] = 0
        for tile in range(size):
            words = constants[t]
            for k in range(last - first):
                words *= table[at[k]]
            result[t, tile] = words
            for d in range(dims - 1, -1, -1):  # the next tile
                digits[d] += 1
                for k in range(last - first):
                    at[k] += rank_stride[first + k, d]
                if digits[d] < ndiv[d]:
                    break
                for k in range(last - first):
                    at[k] -= digits[d] * rank_stride[first + k, d]
                digits[d] = 0
    return result
