"""Where the tiles of a stack can run on chip, as prices: each pair of homes, and the least of all of them."""

from __future__ import annotations

from typing import NamedTuple

from energysim.arch.spec import ArchSpec, Memory
from energysim.energy import ActionEnergies
from energysim.schedule.homes import Homes, homes_inwards
from energysim.simulation.apart_energy import word_pj


class HomePj(NamedTuple):
    """pJ per word: of a feature map that fills its home, is read there or written there as a result; of a weight that
    fills its home or is read there (where it has none, in DRAM)."""

    map_fill: float
    map_read: float
    map_update: float
    weight_fill: float
    weight_read: float


def home_pj(home: Homes, dram: Memory, energies: ActionEnergies, bits: int) -> HomePj:
    """Of one pair of homes."""
    maps, source = word_pj(home.maps, energies, bits), home.weights or dram
    weights = word_pj(source, energies, bits)
    return HomePj(maps.fill, maps.read, maps.update, 0.0 if home.weights is None else weights.fill, weights.read)


def least_home_pj(arch: ArchSpec, energies: ActionEnergies, bits: int) -> HomePj:
    """Of each, the least of all homes."""
    found = [home_pj(home, arch.memories[0], energies, bits) for home in homes_inwards(arch)]
    return HomePj(*map(min, *found)) if len(found) > 1 else found[0]
