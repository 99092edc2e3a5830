"""Who computes: this process, processes beside it, or a Dask cluster. All take tasks and give outcomes as they come."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import batched
from types import FrameType
from typing import Protocol

from energysim.sweep.evaluation import Outcome, Task, outcome_of

_CHUNKS_PER_WORKER = 8
_LARGEST_CHUNK = 64


class Executor(Protocol):
    """``run`` gives every task's outcome once, in any order; what it has not given when it is closed is dropped."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]: ...

    def close(self) -> None: ...


class Interrupted(BaseException):
    """Ctrl-C, while this process computes. (The engine answers KeyboardInterrupt with what it has found by then, which
    is right for one simulation and wrong for a point of a sweep.)"""


class InProcess:
    """One after the other, here."""

    def __init__(self, command: Sequence[str] = ()) -> None:
        self._command = tuple(command)

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        for chunk in chunks_of(tasks, 1):
            for task in chunk:
                with _interruptible():
                    outcome = outcome_of(task, self._command)
                yield outcome

    def close(self) -> None:
        pass


def executor_for(jobs: int | None, dask: str | None = None, command: Sequence[str] = ()) -> Executor:
    """``jobs`` worker processes of this machine, one per core by default, 1 for this process alone; or the workers of
    the Dask scheduler at ``dask``. ``command`` goes into the documents. Raises UnavailableError like ``Cluster``."""
    if dask is not None:
        from energysim.sweep.cluster import Cluster

        return Cluster(dask, command)
    jobs = jobs or available_cores()
    if jobs == 1:
        return InProcess(command)
    from energysim.sweep.processes import Processes

    return Processes(jobs, command)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunks_of(tasks: Sequence[Task], workers: int, largest: int = _LARGEST_CHUNK) -> list[tuple[Task, ...]]:
    """The tasks in chunks for one worker at a time. Tasks of one network on one device follow one another: a worker
    then finds the layer graph, and most mappings, in its memory."""
    groups: dict[object, list[Task]] = {}
    for task in tasks:
        point = task.point
        shared = (point.workload, point.input, point.batch, point.arch, point.overrides, point.bits, point.objective)
        groups.setdefault(shared, []).append(task)
    size = max(1, min(largest, len(tasks) // (workers * _CHUNKS_PER_WORKER)))
    return [chunk for group in groups.values() for chunk in batched(group, size)]


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C raises Interrupted within (in the main thread, which alone receives it)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except Interrupted:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)
