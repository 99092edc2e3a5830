"""The same sweep on a real Dask cluster of this machine, of which a worker is killed while it computes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweep_cases import write_case

from energysim.errors import UnavailableError
from energysim.sweep import Store, run_sweep

pytest.importorskip("distributed")

# Workers count the points that they begin. The first to reach its third is stuck in it, so that it is killed at work.
STUCK = """\
import os, pathlib, time
import energysim.sweep.evaluation as evaluate
simulated = evaluate._uncounted = getattr(evaluate, "_uncounted", evaluate._simulated)  # a preload runs twice
begun = pathlib.Path(os.environ["SWEEP_BEGUN"])

def counted(point):
    with begun.open("a") as file:
        file.write(f"{os.getpid()}\\n")
    mine = begun.read_text().split().count(str(os.getpid()))
    if mine == 3:
        try:
            with (begun.parent / "stuck").open("x") as file:
                file.write(str(os.getpid()))
            while True:
                time.sleep(0.1)
        except FileExistsError:
            pass
    return simulated(point)

evaluate._simulated = counted
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("SWEEP_BEGUN", str(tmp_path / "begun"))
    (tmp_path / "preload.py").write_text(STUCK)
    address = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = [*dask, "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(address)]
    worker = [
        *dask, "worker", "--scheduler-file", str(address), "--nthreads", "1", "--no-nanny", "--no-dashboard",
        "--local-directory", str(tmp_path), "--preload", str(tmp_path / "preload.py"),
    ]  # fmt: skip
    processes = [subprocess.Popen(command, **quiet) for command in (scheduler, worker, worker)]
    try:
        for _ in range(600):
            if address.exists() and address.read_text():
                break
            time.sleep(0.1)
        yield json.loads(address.read_text())["address"]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_killed_worker_loses_no_point(tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("energysim.sweep.cluster._FETCH_S", 5.0)
    text = "sweep: {workload: WORKLOAD, arch: ARCH, arch.PE.x: [1, 2, 4], bits: [4, 8, 16, 32]}"
    file = write_case(tmp_path, text)
    stuck, killed = tmp_path / "stuck", tmp_path / "killed"

    def kill_the_stuck() -> None:
        while not (stuck.exists() and stuck.read_text()):
            time.sleep(0.05)
        killed.touch()
        os.kill(int(stuck.read_text()), signal.SIGKILL)

    threading.Thread(target=kill_the_stuck, daemon=True).start()
    result = run_sweep(file, tmp_path / "dask.db", dask=cluster)
    assert killed.exists() and (result.ok, result.computed) == (12, 12)
    run_sweep(file, tmp_path / "here.db", jobs=1)
    with Store.open(tmp_path / "dask.db") as there, Store.open(tmp_path / "here.db") as here:
        assert there.statuses(result.keys) == here.statuses(result.keys)
        assert all(there.load(key)["variants"] == here.load(key)["variants"] for key in result.keys)


def test_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("energysim.sweep.cluster._CONNECT_S", 1.0)
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        with pytest.raises(UnavailableError, match="no Dask scheduler at"):
            run_sweep(write_case(tmp_path), tmp_path / "r.db", dask=address)
