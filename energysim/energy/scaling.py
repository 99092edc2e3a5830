"""Dynamic energy of logic from one technology node to another.

Stillmaker and Baas, "Scaling equations for the accurate prediction of CMOS device performance from 180 nm to 7 nm",
Integration 58 (2017): the energy of a gate at a node is a polynomial of its supply, a2 V^2 + a1 V + a0 (in units
common to all nodes). The supplies are the nominal ones assumed here for low-power designs.
"""

from __future__ import annotations

from itertools import pairwise
from math import exp, log

from energysim.arch.sourced import Sourced
from energysim.errors import EnergySimError

SOURCE = "scaled between nodes with the polynomials of Stillmaker and Baas, Integration 2017"
MIN_NODE_NM, MAX_NODE_NM = 7.0, 130.0
# What a different supply or library changes at the same node: the range widens by this factor on both sides.
UNCERTAINTY = 1.5

# node in nm: (a2, a1, a0, assumed supply in V)
_POLYNOMIALS: dict[float, tuple[float, float, float, float]] = {
    130.0: (7.171, -6.709, 2.904, 1.2),
    90.0: (4.762, -4.781, 2.092, 1.1),
    65.0: (3.755, -4.398, 1.975, 1.1),
    45.0: (1.103, -0.362, 0.2767, 0.9),
    32.0: (0.9559, -0.7823, 0.471, 0.9),
    20.0: (0.373, -0.1582, 0.04104, 0.9),
    16.0: (0.2958, -0.1241, 0.03024, 0.8),
    14.0: (0.2363, -0.09675, 0.02239, 0.8),
    10.0: (0.2068, -0.09311, 0.02375, 0.75),
    7.0: (0.1776, -0.09097, 0.02447, 0.7),
}


def relative_energy(node_nm: float) -> float:
    """Energy of a gate at a node, in the polynomials' arbitrary units; log-log between nodes.

    Raises:
        EnergySimError: the node lies outside 7 to 130 nm.
    """
    if not MIN_NODE_NM <= node_nm <= MAX_NODE_NM:
        raise EnergySimError(
            f"no published scaling reaches {node_nm:g} nm",
            hint=f"a node of {MIN_NODE_NM:g} to {MAX_NODE_NM:g} nm, or energies stated in the architecture",
        )
    nodes = sorted(_POLYNOMIALS)
    for low, high in pairwise(nodes):
        if low <= node_nm <= high:
            share = log(node_nm / low) / log(high / low)
            return exp((1 - share) * log(_at(low)) + share * log(_at(high)))
    raise AssertionError(node_nm)


def _at(node_nm: float) -> float:
    a2, a1, a0, volts = _POLYNOMIALS[node_nm]
    return a2 * volts**2 + a1 * volts + a0


def scale_energy(energy: Sourced, from_nm: float, to_nm: float) -> Sourced:
    """The same operation at another node; the range widens by ``UNCERTAINTY`` unless the nodes are equal."""
    if from_nm == to_nm:
        return energy
    factor = relative_energy(to_nm) / relative_energy(from_nm)
    return Sourced(
        energy.value * factor,
        energy.low * factor / UNCERTAINTY,
        energy.high * factor * UNCERTAINTY,
        f"{energy.source}; {from_nm:g} to {to_nm:g} nm {SOURCE}",
        energy.estimate,
    )
