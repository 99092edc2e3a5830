"""The workers of a Dask cluster. A worker that dies costs time only: the scheduler gives its chunk to another.

Outcomes do not travel as results of Dask's tasks. Those stay in the memory of the worker that computed them, and the
scheduler fetches them from there when it is asked: if that worker dies meanwhile, the scheduler goes on trying to
connect to it for half a minute (distributed.comm.timeouts.connect), in which this client gets nothing else either. They
are sent as events: a worker sends them on the stream on which it then says that the task is done, and the scheduler
passes both on in that order. So when a future is done its outcomes are here, whatever happens to the worker.
"""

from __future__ import annotations

import contextlib
import importlib
import pickle
import queue
import threading
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from energysim.errors import EnergySimError, UnavailableError
from energysim.sweep.evaluation import FAILED, Outcome, Task, outcome_of
from energysim.sweep.executors import chunks_of
from energysim.sweep.identity import code_digest

_CONNECT_S = 20.0
_WORKERS_S = 60.0
_POLL_S = 0.1
_LARGEST_CHUNK = 16
_alone = threading.Lock()


class Cluster:
    """Behind the scheduler at ``address``. Raises UnavailableError where it, or its workers, cannot be reached."""

    def __init__(self, address: str, command: Sequence[str] = ()) -> None:
        self._command = tuple(command)
        try:
            distributed: Any = importlib.import_module("distributed")
        except ImportError as error:
            raise UnavailableError(
                f"a Dask cluster needs distributed, which cannot be imported: {error}",
                hint="pip install 'energysim-edge[dask]'",
            ) from None
        self._dask = distributed
        self._topic = f"energysim-{uuid.uuid4()}"
        self._arrived: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        try:
            self._client = distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise UnavailableError(f"no Dask scheduler at {address!r}: {error}", hint="tcp://host:port") from None
        self._client.subscribe_topic(self._topic, self._arrive)
        try:
            self._client.wait_for_workers(1, timeout=_WORKERS_S)
        except TimeoutError:
            self._client.close()
            raise UnavailableError(
                f"the Dask scheduler at {address!r} has no workers", hint=f"dask worker {address} --nthreads 1"
            ) from None

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        workers = max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
        waiting = {task.key: task for task in tasks}
        chunks = {self._submitted(chunk): chunk for chunk in chunks_of(tasks, workers, _LARGEST_CHUNK)}
        coming = self._dask.as_completed(list(chunks), loop=self._client.loop)
        while waiting:
            done = coming.next_batch() if coming.has_ready() else []
            for outcome in self._arriving(wait=not done):
                if waiting.pop(outcome.key, None) is not None:  # else: of a chunk that was computed twice
                    yield outcome
            for future in done:
                missing = tuple(task for task in chunks.pop(future) if task.key in waiting)
                if not missing:
                    continue
                death = self._death(future)
                if death is not None and len(missing) == 1:
                    (task,) = missing
                    del waiting[task.key]
                    yield Outcome(task.key, task.point, FAILED, f"the workers computing it died: {death}")
                    continue
                # Several workers died of it: alone, its points show which one kills, and the others live.
                again = [missing] if death is None else [(task,) for task in missing]
                futures = {self._submitted(chunk): chunk for chunk in again}
                chunks.update(futures)
                coming.update(list(futures))

    def _arriving(self, wait: bool) -> Iterator[Outcome]:
        """What has arrived; ``wait``: for the first one, a moment."""
        with contextlib.suppress(queue.Empty):
            if wait:
                yield self._arrived.get(timeout=_POLL_S)
            while True:
                yield self._arrived.get_nowait()

    def _death(self, future: Any) -> Exception | None:
        """Why the scheduler has given up a chunk: workers died of it. Raises EnergySimError where the cluster is gone,
        and whatever else made the chunk fail."""
        if future.status == "cancelled":
            raise EnergySimError("the Dask scheduler is gone", hint="what is done is stored: the same command goes on")
        error: Exception | None = future.exception() if future.status == "error" else None
        if error is None or isinstance(error, self._dask.scheduler.KilledWorker):
            return error
        raise error

    def close(self) -> None:
        with contextlib.suppress(Exception):  # the cluster may be gone
            if self._client.status == "running":
                self._client.run_on_scheduler(_forget, topic=self._topic)
        with contextlib.suppress(Exception):
            self._client.close(timeout=5)

    def _arrive(self, event: tuple[float, dict[str, Any]]) -> None:
        self._arrived.put(pickle.loads(event[1]["outcome"]))

    def _submitted(self, chunk: tuple[Task, ...]) -> Any:
        return self._client.submit(_compute, chunk, self._command, code_digest(), self._topic, pure=False)


def _compute(chunk: tuple[Task, ...], command: tuple[str, ...], code: str, topic: str) -> None:
    """A chunk, at a worker. Threads of one worker take turns: tracing is not made for several at once."""
    if code_digest() != code:
        raise EnergySimError("a Dask worker has another energysim than this one", hint="the same version everywhere")
    worker = importlib.import_module("distributed").get_worker()
    with _alone:
        for task in chunk:
            worker.log_event(topic, {"outcome": pickle.dumps(outcome_of(task, command))})


def _forget(topic: str, dask_scheduler: Any) -> None:
    """At the scheduler, which keeps the last events of every topic for those who ask later."""
    dask_scheduler._broker.truncate(topic)
