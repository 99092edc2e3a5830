"""Running the real Timeloop: its two programs as processes, their input and output as this project's values."""

from energysim.engines.timeloop_run.engine import TimeloopEngine

__all__ = ["TimeloopEngine"]
