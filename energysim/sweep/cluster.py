"""The workers of a Dask cluster. A worker that dies costs time only: the scheduler gives its chunk to another."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from energysim.errors import EnergySimError, UnavailableError
from energysim.sweep.evaluation import FAILED, Outcome, Task, outcome_of
from energysim.sweep.executors import chunks_of
from energysim.sweep.identity import code_digest

_CONNECT_S = 20.0
_WORKERS_S = 60.0
_FETCH_S = 30.0
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
        try:
            self._client = distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise UnavailableError(f"no Dask scheduler at {address!r}: {error}", hint="tcp://host:port") from None
        try:
            self._client.wait_for_workers(1, timeout=_WORKERS_S)
        except TimeoutError:
            self._client.close()
            raise UnavailableError(
                f"the Dask scheduler at {address!r} has no workers", hint=f"dask worker {address} --nthreads 1"
            ) from None

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        workers = max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
        chunks = {self._submitted(chunk): chunk for chunk in chunks_of(tasks, workers, _LARGEST_CHUNK)}
        coming = self._dask.as_completed(list(chunks), loop=self._client.loop)
        for future in coming:
            chunk = chunks.pop(future)
            try:
                yield from future.result(timeout=_FETCH_S)
            except TimeoutError:
                # Finished, but its worker died before the result was here.
                again = self._submitted(chunk)
                chunks[again] = chunk
                coming.add(again)
            except self._dask.scheduler.KilledWorker as error:
                # Several workers died of it. Alone, its points show which one kills; the others live.
                if len(chunk) > 1:
                    again = {self._submitted((task,)): (task,) for task in chunk}
                    chunks.update(again)
                    coming.update(list(again))
                else:
                    yield Outcome(chunk[0].key, chunk[0].point, FAILED, f"the workers computing it died: {error}")
            except (self._dask.CancelledError, self._dask.comm.core.CommClosedError) as error:
                raise EnergySimError(
                    f"the Dask scheduler is gone: {error}", hint="what is done is stored: the same command goes on"
                ) from None

    def close(self) -> None:
        with contextlib.suppress(Exception):  # the cluster may be gone
            self._client.close(timeout=5)

    def _submitted(self, chunk: tuple[Task, ...]) -> Any:
        return self._client.submit(_computed, chunk, self._command, code_digest(), pure=False)


def _computed(chunk: tuple[Task, ...], command: tuple[str, ...], code: str) -> list[Outcome]:
    """A chunk, at a worker. Threads of one worker take turns: tracing is not made for several at once."""
    if code_digest() != code:
        raise EnergySimError("a Dask worker has another energysim than this one", hint="the same version everywhere")
    with _alone:
        return [outcome_of(task, command) for task in chunk]
