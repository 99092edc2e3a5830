"""Runs schedules and mappings on real tensors in PyTorch, and counts every word that crosses the DRAM boundary."""

from energysim.nn.executor.program import ExecutableProgram, ExecutionError, prepare
from energysim.nn.executor.run import Execution, run_schedule
from energysim.nn.executor.stack import run_stack
from energysim.nn.executor.trace import StackTrace

__all__ = ["ExecutableProgram", "Execution", "ExecutionError", "StackTrace", "prepare", "run_schedule", "run_stack"]
