"""The search for the best mapping of one layer problem, with proof. Method: ``docs/mapper.md``."""

from energysim.mapping.search.objective import DRAM, EDP, ENERGY, LATENCY, Metric, Objective
from energysim.mapping.search.result import Progress, SearchResult
from energysim.mapping.search.solve import search

__all__ = ["DRAM", "EDP", "ENERGY", "LATENCY", "Metric", "Objective", "Progress", "SearchResult", "search"]
