"""Weighted sums over all tiles, compiled: what the bounds of a hierarchy consist of."""

from __future__ import annotations

import numpy as np

from energysim.mapping.search.jit import compiled
from energysim.mapping.search.records import Floats, Ints


@compiled
def plus_words(base: Floats, words: Floats, weights: Floats, direct: Floats, shared: Floats) -> Floats:
    """``base`` [component, class, tile] and ``words`` [tensor, tile] x ``weights`` [component, class, tensor].

    Of a tensor that nothing on the way stores, at least ``direct`` [tensor] words / ``shared`` [tensor, tile] count.
    """
    result = np.empty_like(base)
    added = np.empty(base.shape[2])
    for k in range(base.shape[0]):
        for z in range(base.shape[1]):
            added[:] = 0.0
            for t in range(words.shape[0]):
                weight, least = weights[k, z, t], direct[t]
                if weight == 0.0:
                    continue
                if least > 0.0:
                    for tile in range(len(added)):
                        added[tile] += weight * max(words[t, tile], least / shared[t, tile])
                else:
                    for tile in range(len(added)):
                        added[tile] += weight * words[t, tile]
            for tile in range(len(added)):
                result[k, z, tile] = base[k, z, tile] + added[tile]
    return result


@compiled
def least_absorbed(
    total: Floats,
    words: Floats,
    classes: Ints,
    sent: Floats,
    received: Floats,
    elided: Floats,
    less: Floats,
    output: int,
) -> Floats:
    """[component, tile]: the least over the classes (bit masks of tensors) of ``total`` [component, class, tile], what
    the tensors of the class cost, and minus ``less`` [component, class].

    A tensor costs ``words`` [tensor, tile] x ``sent`` and ``received`` [component, tensor]; from what the ofmap is sent
    for, ``elided`` [component] is taken, but no more than that is.
    """
    least = np.empty((total.shape[0], total.shape[2]))
    added = np.empty(total.shape[2])
    for k in range(total.shape[0]):
        for z in range(total.shape[1]):
            added[:] = 0.0
            for t in range(words.shape[0]):
                out, back = sent[k, t], received[k, t]
                if not classes[z] >> t & 1 or (out == 0.0 and back == 0.0):
                    continue
                free = elided[k] if t == output else 0.0
                for tile in range(len(added)):
                    added[tile] += max(0.0, words[t, tile] * out - free) + words[t, tile] * back
            for tile in range(len(added)):
                here = total[k, z, tile] + added[tile] - less[k, z]
                least[k, tile] = here if z == 0 else min(least[k, tile], here)
    return least
