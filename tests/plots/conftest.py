"""Results that the plot tests share; the searches behind them run once."""

from __future__ import annotations

from dataclasses import replace

import pytest

import energysim
from energysim.simulation import StoredResult


@pytest.fixture(scope="session")
def stored() -> StoredResult:
    """Four variants of a small network, as `--variant all` gives them (but without the search for the optimum)."""
    runs = [
        energysim.simulate("lightweight_cnn", "jetson_nano", variant=name, tile=(4, 4), buffer_bytes=65536).stored()
        for name in ("plain", "layerwise", "tiled", "buffered")
    ]
    return replace(
        runs[0],
        variants=tuple(variant for run in runs for variant in run.variants),
        schedules=tuple(schedule for run in runs for schedule in run.schedules),
        occupancies=tuple(item for run in runs for item in run.occupancies),
    )


@pytest.fixture(scope="session")
def other() -> StoredResult:
    """Another network on the same device."""
    return energysim.simulate("ffnn", "jetson_nano").stored()
