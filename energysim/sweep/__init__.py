"""Design spaces: many simulations, in parallel, each computed once and kept in a store.

>>> from energysim.sweep import Store, run_sweep
>>> result = run_sweep("sweep_quick", "quick.db")
>>> with Store.open("quick.db") as store:
...     table = store.to_pandas()
"""

from energysim.sweep.evaluation import evaluate
from energysim.sweep.experiment import Experiment, load_experiment
from energysim.sweep.pareto import non_dominated, pareto_front
from energysim.sweep.point import Point
from energysim.sweep.run import SweepResult, run_sweep
from energysim.sweep.store import Store

__all__ = [
    "Experiment",
    "Point",
    "Store",
    "SweepResult",
    "evaluate",
    "load_experiment",
    "non_dominated",
    "pareto_front",
    "run_sweep",
]
