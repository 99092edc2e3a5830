"""The same sweep on a real Dask cluster of this machine, whose workers are killed while they compute."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sweep_cases import write_case
from warm import Warm

from energysim.errors import UnavailableError
from energysim.sweep import Store, SweepResult, run_sweep

distributed: Any = pytest.importorskip("distributed")

TEXT = "sweep: {workload: WORKLOAD, arch: ARCH, arch.PE.x: [1, 2, 4], bits: [4, 8, 16, 32]}"


def schedule(address_file: str) -> None:
    """A scheduler, in a process of its own, that never fetches a result from a worker."""

    async def never(*_: object, **__: object) -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        scheduler = await distributed.Scheduler(port=0, dashboard=False, host="127.0.0.1")
        Path(address_file).write_text(scheduler.address)
        await scheduler.finished()

    # Fetching from a worker that has just died takes half a minute of attempts to connect: nothing may depend on it.
    distributed.Scheduler.gather = never
    asyncio.run(main())


def work(address: str, directory: str, begun: str) -> None:
    """A worker, in a process of its own. ``begun``: workers count there the points that they begin; the first one to
    reach its third is stuck in it, so that it is killed at work."""
    import energysim.sweep.evaluation as evaluation

    simulated, me = evaluation._simulated, str(os.getpid())

    def counted(point: Any) -> Any:
        with Path(begun).open("a") as file:
            file.write(f"{me}\n")
        if Path(begun).read_text().split().count(me) == 3:
            try:
                with Path(begun).with_name("stuck").open("x") as file:
                    file.write(me)
                time.sleep(3600)
            except FileExistsError:
                pass
        return simulated(point)

    if begun:
        evaluation._simulated = counted

    async def main() -> None:
        worker = await distributed.Worker(address, nthreads=1, dashboard=False, local_directory=directory)
        await worker.finished()

    asyncio.run(main())


@dataclass
class Cluster:
    """A scheduler and its workers, by their process ids."""

    warm: Warm
    directory: Path
    address: str
    workers: list[int] = field(default_factory=list)

    def add(self, begun: Path | str = "") -> None:
        """One more worker; this returns before the scheduler knows it."""
        log = self.directory / f"worker{len(self.workers)}.log"
        call = ("test_sweep_dask:work", self.address, self.directory, begun)
        self.workers.append(self.warm.start(*call, log=log))

    def kill(self, process: int) -> None:
        os.kill(process, signal.SIGKILL)
        self.warm.wait(process)
        self.workers.remove(process)


@pytest.fixture
def cluster(tmp_path: Path, warm: Warm) -> Iterator[Cluster]:
    file = tmp_path / "address"
    scheduler = warm.start("test_sweep_dask:schedule", file, log=tmp_path / "scheduler.log")
    while not (file.exists() and file.read_text()):
        time.sleep(0.02)
    found = Cluster(warm, tmp_path, file.read_text())
    yield found
    for process in (*found.workers, scheduler):
        os.kill(process, signal.SIGKILL)
        warm.wait(process)


def same_as_here(result: SweepResult, experiment: Path) -> None:
    """12 points, all with the result that one process finds."""
    here = experiment.with_name("here.db")
    run_sweep(experiment, here, jobs=1)
    assert result.ok == len(result.keys) == 12
    with Store.open(result.store) as there, Store.open(here) as alone:
        assert there.statuses(result.keys) == alone.statuses(result.keys)
        assert all(there.load(key)["variants"] == alone.load(key)["variants"] for key in result.keys)


def test_a_killed_worker_loses_no_point(tmp_path: Path, cluster: Cluster) -> None:
    stuck, begun = tmp_path / "stuck", tmp_path / "begun"
    cluster.add(begun)
    cluster.add(begun)
    killed: list[int] = []

    def kill_the_stuck() -> None:
        while not (stuck.exists() and stuck.read_text()):
            time.sleep(0.02)
        killed.append(int(stuck.read_text()))
        cluster.kill(killed[0])

    killer = threading.Thread(target=kill_the_stuck, daemon=True)
    killer.start()
    file = write_case(tmp_path, TEXT)
    result = run_sweep(file, tmp_path / "dask.db", dask=cluster.address)
    killer.join()
    assert result.computed == 12 and killed[0] not in cluster.workers
    same_as_here(result, file)


def test_workers_killed_at_random_moments_lose_no_point(tmp_path: Path, cluster: Cluster) -> None:
    """One of two, or both; another one comes for each."""
    file, chance = write_case(tmp_path, TEXT), random.Random(3)
    cluster.add()
    cluster.add()
    took = 1.0
    for number in range(4):
        victims = chance.sample(cluster.workers, 1 + (number % 3 == 2))
        moment = chance.uniform(0, took)

        def kill(victims: list[int] = victims, moment: float = moment) -> None:
            time.sleep(moment)
            for process in victims:
                cluster.kill(process)
                cluster.add()

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        began = time.monotonic()
        result = run_sweep(file, tmp_path / f"{number}.db", dask=cluster.address)
        took = time.monotonic() - began
        killer.join()
        same_as_here(result, file)


def test_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("energysim.sweep.cluster._CONNECT_S", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        with pytest.raises(UnavailableError, match="no Dask scheduler at"):
            run_sweep(write_case(tmp_path), tmp_path / "r.db", dask=address)
