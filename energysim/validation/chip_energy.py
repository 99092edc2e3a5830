"""What the named components leave out of a chip's energy: a power that is always there, and a scale on constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from energysim.errors import EnergySimError
from energysim.validation.eyeriss import ComparedLayer


@dataclass(frozen=True, slots=True)
class ChipEnergyFit:
    """energy = ``scale`` x modelled energy of the components + ``steady_power_w`` x time.

    The second term is the clock network, control and leakage, which run whether or not a PE works.
    ``left_out``: relative error of each fitted layer when the others alone are fitted.
    """

    scale: float
    steady_power_w: float
    left_out: tuple[float, ...]

    def energy_j(self, layer: ComparedLayer, time_s: float) -> float:
        """Energy of a layer that takes ``time_s``."""
        return self.scale * _modelled(layer) + self.steady_power_w * time_s


def fit_chip_energy(layers: Sequence[ComparedLayer]) -> ChipEnergyFit:
    """Non-negative least squares of the relative errors over measured layers (their measured times).

    Raises EnergySimError below three layers: two numbers fitted to two say nothing of a third.
    """
    if len(layers) < 3:
        raise EnergySimError(f"{len(layers)} measured layers cannot fit two numbers and test them; give three or more")
    features = np.array([(_modelled(layer), layer.measured.total_s) for layer in layers])
    measured = np.array([layer.measured.energy_j for layer in layers])
    scale, steady_w = _solve(features, measured)
    left_out = []
    for index in range(len(layers)):
        others = np.arange(len(layers)) != index
        left_out.append(float(features[index] @ _solve(features[others], measured[others]) / measured[index] - 1))
    return ChipEnergyFit(float(scale), float(steady_w), tuple(left_out))


def _solve(features: NDArray[np.float64], measured: NDArray[np.float64]) -> NDArray[np.float64]:
    solution: NDArray[np.float64] = nnls(features / measured[:, None], np.ones_like(measured))[0]
    return solution


def _modelled(layer: ComparedLayer) -> float:
    """With gating where the zeros are published, without elsewhere (then it is an upper bound)."""
    gated = layer.predicted.gated_energy_j
    return layer.predicted.energy_j if gated is None else gated
