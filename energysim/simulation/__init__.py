"""The recipe from a workload to a result: trace, schedule, map every distinct problem once, count, cost.

(The package is not called `simulate` so that the function `energysim.simulate` is not hidden by it.)
"""

from energysim.simulation.result import SimulationResult
from energysim.simulation.run import simulate

__all__ = ["SimulationResult", "simulate"]
