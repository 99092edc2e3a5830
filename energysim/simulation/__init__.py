"""The recipe from a workload to a result: trace, schedule, map every distinct problem once, count, cost.

(The package is not called `simulate` so that the function `energysim.simulate` is not hidden by it.)
"""

from energysim.simulation.result import SimulationResult
from energysim.simulation.run import simulate
from energysim.simulation.stored import StoredResult, read_stored, stored_result

__all__ = ["SimulationResult", "StoredResult", "read_stored", "simulate", "stored_result"]
