"""Run-length coding of feature maps, as the Eyeriss chip does between itself and the DRAM."""

from __future__ import annotations

WORD_BITS = 64
PAIRS_PER_WORD = 3
"""A 64-bit word holds three pairs of a 5-bit run of zeros and a 16-bit level, and one bit that ends the stream (Chen et
al., JSSC 2017, section VI-A)."""
LONGEST_RUN = 31
LEVEL_BITS = 16


def coded_share(zeros: float) -> float:
    """Coded bits over plain bits of a map of 16-bit words of which the share ``zeros`` is zero, spread at random.

    Every level costs a pair; so does every full run of ``LONGEST_RUN`` zeros that is followed by yet another zero (its
    level is that zero). With independent zeros a run of the longest length begins after a level with the probability
    zeros ** (LONGEST_RUN + 1), and again after each such pair: pairs per level = 1 / (1 - zeros ** (LONGEST_RUN + 1)).
    A map without zeros grows by a third.
    """
    if not 0.0 <= zeros <= 1.0:
        raise ValueError(f"a share of zeros lies between 0 and 1 (got {zeros})")
    if zeros == 1.0:
        words_per_pair = LONGEST_RUN + 1.0
        return WORD_BITS / PAIRS_PER_WORD / LEVEL_BITS / words_per_pair
    pairs_per_word = (1 - zeros) / (1 - zeros ** (LONGEST_RUN + 1))
    return pairs_per_word * WORD_BITS / PAIRS_PER_WORD / LEVEL_BITS
