"""Worker processes of this machine. Each answers point by point, so that nothing finished is ever lost; one that dies
is replaced, and what it was at is tried once more."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from energysim.sweep.evaluation import FAILED, Outcome, Task, outcome_of
from energysim.sweep.executors import chunks_of

_TRIES = 2
# Threads of numerical libraries: the workers are as many as there are cores.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_PASSED_ON = ("ENERGYSIM_CACHE", "XDG_CACHE_HOME", "PATH")


class Processes:
    """``jobs`` workers, started when the first tasks come."""

    def __init__(self, jobs: int, command: Sequence[str] = ()) -> None:
        self._jobs = jobs
        self._command = tuple(command)
        self._workers: list[_Worker] = []

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        waiting = deque(chunks_of(tasks, self._jobs))
        died: Counter[str] = Counter()
        while len(self._workers) < min(self._jobs, len(waiting)):
            self._workers.append(_Worker.started(self._command))
        while waiting or any(worker.left for worker in self._workers):
            for worker in self._workers:
                if not worker.left and waiting:
                    worker.give(waiting.popleft())
            busy = {worker.connection: worker for worker in self._workers if worker.left}
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                outcome = worker.taken()
                if outcome is not None:
                    yield outcome
                    continue
                first, *others = worker.left
                self._replace(worker)
                died[first.key] += 1
                if died[first.key] < _TRIES:
                    waiting.appendleft((first,))
                else:
                    yield Outcome(first.key, first.point, FAILED, f"the process computing it died {worker.how}")
                if others:
                    waiting.append(tuple(others))

    def close(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._workers.clear()

    def _replace(self, dead: _Worker) -> None:
        dead.stop()
        self._workers[self._workers.index(dead)] = _Worker.started(self._command)


@dataclass(eq=False)
class _Worker:
    """A process, the pipe to it, and the tasks that it has not answered, the one it is at first."""

    process: BaseProcess
    connection: Connection[Any, Any]
    left: deque[Task]

    @classmethod
    def started(cls, command: tuple[str, ...]) -> _Worker:
        methods = multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        if hasattr(context, "set_forkserver_preload"):
            context.set_forkserver_preload([__name__])  # torch and numba are imported once
        ours, theirs = context.Pipe()
        variables = {name: os.environ.get(name) for name in _PASSED_ON}
        process = context.Process(target=_work, args=(theirs, command, variables), daemon=True)
        process.start()
        theirs.close()  # the worker's end is open in the worker alone: its death ends our reading
        return cls(process, ours, deque())

    def give(self, chunk: Sequence[Task]) -> None:
        self.left.extend(chunk)
        with contextlib.suppress(OSError):  # dead: taking its answer tells
            self.connection.send(tuple(chunk))

    def taken(self) -> Outcome | None:
        """The next answer; None where the process is dead."""
        try:
            outcome: Outcome = self.connection.recv()
        except (EOFError, OSError):
            return None
        self.left.popleft()
        return outcome

    @property
    def how(self) -> str:
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"of {signal.Signals(-code).name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
        return f"with exit code {code}"

    def stop(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _work(connection: Connection[Any, Any], command: tuple[str, ...], variables: dict[str, str | None]) -> None:
    """Chunks in, outcomes out, until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    sys.stdout = sys.stderr  # stdout may carry the sweep's JSON
    # The other end may go while it has not read everything, which resets the pipe: no error either.
    with contextlib.suppress(EOFError, OSError):
        while True:
            for task in connection.recv():
                connection.send(outcome_of(task, command))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
