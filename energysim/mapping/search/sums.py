"""Weighted sums over all tiles, compiled: what the bounds of a hierarchy consist of."""

from __future__ import annotations

from energysim.mapping.search.jit import compiled
from energysim.mapping.search.records import Floats, Ints


@compiled
def add_words(result: Floats, words: Floats, weights: Floats) -> None:
    """Add ``words`` [tensor, tile] x ``weights`` [component, class, tensor] to ``result`` [component, class, tile]."""
    for k in range(result.shape[0]):
        for z in range(result.shape[1]):
            for t in range(words.shape[0]):
                weight = weights[k, z, t]
                if weight == 0.0:
                    continue
                for tile in range(result.shape[2]):
                    result[k, z, tile] += weight * words[t, tile]


@compiled
def add_absorbed(
    result: Floats, words: Floats, classes: Ints, sent: Floats, received: Floats, elided: Floats, output: int
) -> None:
    """Add what the tensors of each class (bit masks) cost: ``words`` [tensor, tile] x ``sent`` and ``received``
    [component, tensor]; from the ofmap's, ``elided`` [component] is taken, but no more than they are."""
    for k in range(result.shape[0]):
        for z in range(result.shape[1]):
            for t in range(words.shape[0]):
                out, back = sent[k, t], received[k, t]
                if not classes[z] >> t & 1 or (out == 0.0 and back == 0.0):
                    continue
                less = elided[k] if t == output else 0.0
                for tile in range(result.shape[2]):
                    result[k, z, tile] += max(0.0, words[t, tile] * out - less) + words[t, tile] * back
