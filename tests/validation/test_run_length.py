"""The closed form of run-length coding against a coder that codes."""

from __future__ import annotations

import numpy as np
import pytest

from energysim.validation.run_length import LONGEST_RUN, PAIRS_PER_WORD, WORD_BITS, coded_share


def _pairs(words: np.ndarray) -> int:
    """(run, level) pairs of a stream: a level follows at most LONGEST_RUN zeros and may itself be a zero."""
    pairs, run = 0, 0
    for word in words:
        if word == 0 and run < LONGEST_RUN:
            run += 1
        else:
            pairs, run = pairs + 1, 0
    return pairs + (run > 0)


@pytest.mark.parametrize("zeros", [0.0, 0.25, 0.55, 0.8, 0.95, 0.99])
def test_expected_size_is_that_of_a_coder(zeros: float) -> None:
    words = (np.random.default_rng(7).random(400_000) >= zeros).astype(int)
    measured = _pairs(words) * WORD_BITS / PAIRS_PER_WORD / (16 * len(words))
    assert coded_share(zeros) == pytest.approx(measured, rel=0.02)


def test_a_map_of_zeros_alone() -> None:
    words = np.zeros(32 * 1000, dtype=int)
    assert coded_share(1.0) == pytest.approx(_pairs(words) * WORD_BITS / PAIRS_PER_WORD / (16 * len(words)))


@pytest.mark.parametrize("zeros", [-0.1, 1.1])
def test_no_share(zeros: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        coded_share(zeros)
