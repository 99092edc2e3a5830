"""Energy per action of every component, each constant with its range and source."""

from energysim.energy.accelergy import AccelergyEstimator
from energysim.energy.actions import ActionEnergies, ComputeEnergies, MemoryEnergies
from energysim.energy.estimators import estimate, estimators
from energysim.energy.hwcomponents import HwcomponentsEstimator
from energysim.energy.table import TableEstimator

__all__ = [
    "AccelergyEstimator",
    "ActionEnergies",
    "ComputeEnergies",
    "HwcomponentsEstimator",
    "MemoryEnergies",
    "TableEstimator",
    "estimate",
    "estimators",
]
