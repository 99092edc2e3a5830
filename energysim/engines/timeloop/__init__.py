"""Reading Timeloop v0.4 input files (architecture, problem, mapping, constraints, ERT, ART)."""

from energysim.engines.timeloop.reader import TimeloopInput, is_timeloop, read_timeloop

__all__ = ["TimeloopInput", "is_timeloop", "read_timeloop"]
