"""Random numbers as a function of where in a run they are drawn, not of what was drawn before.

Every step of a run seeds its generator from (seed, epoch, step, ...). A resumed run therefore needs no stored generator
state: step 17 of epoch 3 draws the same numbers whether or not the process was killed before it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_of(*place: int | str) -> int:
    """A 63-bit seed of a place in a run, e.g. ``seed_of(seed, "dropout", epoch, step)``.

    Mixed by NumPy's SeedSequence, so that neighbouring places give unrelated generators.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in place]
    if any(word < 0 for word in words):
        raise ValueError(f"places in a run are counted from 0: {place}")
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(*place: int | str) -> np.random.Generator:
    """NumPy's generator for a place in a run."""
    return np.random.default_rng(seed_of(*place))


@contextmanager
def seeded(*place: int | str) -> Iterator[None]:
    """Torch's global generators seeded for a place in a run; their state before is restored after."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed_of(*place))
        yield
