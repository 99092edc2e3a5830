"""Energy per action of every component, each constant with its range and source."""

from energysim.energy.actions import ActionEnergies, ComputeEnergies, MemoryEnergies
from energysim.energy.estimators import estimate, estimators
from energysim.energy.hwcomponents import HwcomponentsEstimator
from energysim.energy.table import TableEstimator

__all__ = [
    "ActionEnergies",
    "ComputeEnergies",
    "HwcomponentsEstimator",
    "MemoryEnergies",
    "TableEstimator",
    "estimate",
    "estimators",
]
