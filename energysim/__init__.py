"""energysim: energy, DRAM traffic and latency of PyTorch models on edge hardware, with exact counts.

>>> import energysim
>>> result = energysim.simulate("lightweight_cnn", "jetson_nano")
>>> result.variants[0].energy.value
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from energysim.version import __version__

if TYPE_CHECKING:
    from energysim.arch.loader import load_arch
    from energysim.arch.spec import ArchSpec
    from energysim.engines.native import evaluate
    from energysim.errors import EnergySimError
    from energysim.graph.layers import LayerGraph
    from energysim.graph.trace import trace
    from energysim.simulation import SimulationResult, simulate

# Imported on first use: `import energysim` and `energysim --help` stay free of torch, pandas and numba.
_LAZY = {
    "ArchSpec": "energysim.arch.spec",
    "EnergySimError": "energysim.errors",
    "LayerGraph": "energysim.graph.layers",
    "SimulationResult": "energysim.simulation",
    "evaluate": "energysim.engines.native",
    "load_arch": "energysim.arch.loader",
    "simulate": "energysim.simulation",
    "trace": "energysim.graph.trace",
}

__all__ = [
    "ArchSpec",
    "EnergySimError",
    "LayerGraph",
    "SimulationResult",
    "__version__",
    "evaluate",
    "load_arch",
    "simulate",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'energysim' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
