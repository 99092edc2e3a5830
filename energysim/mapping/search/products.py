"""Products over all tiles of the lattice, compiled: of one factor per dimension, or of one table entry per rank."""

from __future__ import annotations

import numpy as np

from energysim.mapping.search.jit import lean
from energysim.mapping.search.records import Floats, Ints


def dimension_products(values: Floats, ndiv: Ints, masks: Ints) -> Floats:
    """[mask, tile]: product of ``values`` [dim, digit] at the tile's digits, over the dimensions in the bit mask."""
    result = np.ones((len(masks), int(ndiv.prod())))
    _multiply(result, values, ndiv, masks)
    return result


@lean
def _multiply(result: Floats, values: Floats, ndiv: Ints, masks: Ints) -> None:
    size = result.shape[1]
    step = size
    for d in range(len(ndiv)):
        step //= ndiv[d]
        for m in range(len(masks)):
            if masks[m] >> d & 1:
                for first in range(0, size, step):
                    factor = values[d, first // step % ndiv[d]]
                    for tile in range(first, first + step):
                        result[m, tile] *= factor


def rank_products(
    table: Floats, constants: Floats, ndiv: Ints, rank_start: Ints, rank_stride: Ints, rank_offset: Ints
) -> Floats:
    """[tensor, tile]: ``constants`` [tensor] x the product of the entries of its ranks, whose tables are joined.

    ``rank_start``, ``rank_stride``, ``rank_offset``: of :class:`energysim.mapping.search.space.Tables`.
    """
    result = np.empty((len(constants), int(ndiv.prod())))
    digits = np.zeros(len(ndiv), dtype=np.int64)
    _multiply_ranks(result, table, constants, ndiv, rank_start, rank_stride, rank_offset.copy(), digits)
    return result


@lean
def _multiply_ranks(
    result: Floats,
    table: Floats,
    constants: Floats,
    ndiv: Ints,
    rank_start: Ints,
    rank_stride: Ints,
    at: Ints,
    digits: Ints,
) -> None:
    """``at``: each rank's entry, the first one at first; ``digits``: all 0."""
    for tile in range(result.shape[1]):
        for t in range(len(result)):
            words = constants[t]
            for k in range(rank_start[t], rank_start[t + 1]):
                words *= table[at[k]]
            result[t, tile] = words
        for d in range(len(ndiv) - 1, -1, -1):  # the next tile
            digits[d] += 1
            back = ndiv[d] if digits[d] == ndiv[d] else 0
            digits[d] -= back
            for k in range(len(at)):
                at[k] += (1 - back) * rank_stride[k, d]
            if back == 0:
                break
