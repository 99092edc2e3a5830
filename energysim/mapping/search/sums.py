"""Weighted sums over all tiles, compiled: what the bounds of a hierarchy consist of."""

from __future__ import annotations

import numpy as np

from energysim.mapping.search.jit import lean
from energysim.mapping.search.records import Floats, Ints


def plus_words(base: Floats, words: Floats, weights: Floats, direct: Floats, shared: Floats) -> Floats:
    """``base`` [component, class, tile] and ``words`` [tensor, tile] x ``weights`` [component, class, tensor].

    Of a tensor that nothing on the way stores, at least ``direct`` [tensor] words / ``shared`` [tensor, tile] count.
    """
    result = np.zeros(base.shape)
    _add_words(result, np.empty(base.shape[2]), base, words, weights, direct, shared)
    return result


@lean
def _add_words(
    result: Floats, sent: Floats, base: Floats, words: Floats, weights: Floats, direct: Floats, shared: Floats
) -> None:
    """``sent``: room for one number per tile."""
    components, classes, tiles = base.shape
    for t in range(len(words)):
        for tile in range(tiles):
            sent[tile] = words[t, tile]
        if direct[t] > 0.0:
            for tile in range(tiles):
                sent[tile] = max(sent[tile], direct[t] / shared[t, tile])
        for k in range(components):
            for z in range(classes):
                weight = weights[k, z, t]
                if weight != 0.0:
                    for tile in range(tiles):
                        result[k, z, tile] += weight * sent[tile]
    for k in range(components):
        for z in range(classes):
            for tile in range(tiles):
                result[k, z, tile] += base[k, z, tile]


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
    least = np.full((total.shape[0], total.shape[2]), np.inf)
    _absorb(least, np.empty(total.shape[2]), total, words, classes, sent, received, elided, less, output)
    return least


@lean
def _absorb(
    least: Floats,
    added: Floats,
    total: Floats,
    words: Floats,
    classes: Ints,
    sent: Floats,
    received: Floats,
    elided: Floats,
    less: Floats,
    output: int,
) -> None:
    """``added``: room for one number per tile."""
    for k in range(total.shape[0]):
        for z in range(total.shape[1]):
            for tile in range(len(added)):
                added[tile] = 0.0
            for t in range(len(words)):
                out, back = sent[k, t], received[k, t]
                if not classes[z] >> t & 1 or (out == 0.0 and back == 0.0):
                    continue
                free = elided[k] if t == output else 0.0
                for tile in range(len(added)):
                    added[tile] += max(0.0, words[t, tile] * out - free) + words[t, tile] * back
            for tile in range(len(added)):
                here = total[k, z, tile] + added[tile] - less[k, z]
                least[k, tile] = min(least[k, tile], here)
