"""kill -9 at any moment loses nothing and repeats nothing, in one process and with workers."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest
from sweep_cases import write_case
from warm import Warm

from energysim.cli import main

KILLS = 50
TEXT = (
    "sweep: {workload: WORKLOAD, arch: ARCH, arch.GLB.capacity: {from: 64 B, to: 256 B, step: 32 B},"
    " arch.PE.x: [1, 2, 4], bits: [8, 16]}"
)
POINTS = 7 * 3 * 2
UNSTEADY = ("cpu_s", "finished", "command")


def kill_many(file: str, directory: str) -> None:
    """Runs in a process of its own, which has imported everything, so that fifty sweeps begin in seconds. Sweeps into
    one store are killed until it is whole, then the next store is begun."""
    from energysim.sweep import load_experiment, run_sweep

    experiment = load_experiment(file)
    chance = random.Random(7)
    reference = Path(directory) / "reference.db"
    run_sweep(experiment, reference, jobs=1)
    began = time.monotonic()
    run_sweep(experiment, Path(directory) / "again.db", jobs=1)
    whole_s = time.monotonic() - began
    kills, stores, caught = 0, 0, 0
    while kills < KILLS:
        store, before = Path(directory) / f"{stores}.db", dict[str, float]()
        stores += 1
        while True:
            begun, tell = os.pipe()
            child = os.fork()
            if child == 0:
                run_sweep(experiment, store, jobs=1, progress=lambda *_, tell=tell: os.write(tell, b"."))
                os._exit(0)
            os.close(tell)
            for _ in range(2 if kills % 3 else 0):  # most strike when one point is there, some at any moment
                os.read(begun, 1)
            os.close(begun)
            time.sleep(chance.uniform(0, 0.5 * whole_s * (1 - len(before) / POINTS)))
            if kills < KILLS:
                os.kill(child, signal.SIGKILL)
                kills += 1
            code = os.waitpid(child, 0)[1]
            rows = finished(store)
            assert before.items() <= rows.items(), "a stored point was lost or computed again"
            caught += 0 < len(rows) - len(before) < POINTS
            before = rows
            if code == 0:
                break
        assert content(store) == content(reference)
        for file in store.parent.glob(f"{store.name}*"):
            file.unlink()
    assert caught > KILLS / 4, f"only {caught} of {kills} kills struck while points were computed"


def finished(store: Path) -> dict[str, float]:
    """Key -> when it was stored. A kill may come before there is a table."""
    if not store.exists():
        return {}
    connection = sqlite3.connect(store)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return {}
        return dict(connection.execute("SELECT key, finished FROM points"))
    finally:
        connection.close()


def content(path: Path) -> list[tuple[object, ...]]:
    """Everything in a store but times."""
    from energysim.sweep import Store

    with Store.open(path) as store:
        rows = list(store.rows())
        return [
            (*(row[name] for name in row if name not in UNSTEADY), str(store.load(row["key"])["variants"]))
            for row in rows
        ]


def test_fifty_kills(tmp_path: Path, warm: Warm) -> None:
    warm.run("test_sweep_killed:kill_many", write_case(tmp_path, TEXT), tmp_path)


def command(*words: str) -> None:
    """The command line, in a process of its own."""
    sys.argv = ["energysim", *words]
    main()


def test_interrupted_and_killed_with_workers(tmp_path: Path, warm: Warm) -> None:
    """Ctrl-C ends in one sentence and exit code 130; killed, a sweep leaves no worker behind; then it goes on."""
    text = (
        "sweep: {workload: WORKLOAD, arch: ARCH, arch.GLB.capacity: {from: 64 B, to: 1 KiB, step: 3 B},"
        " bits: [8, 16, 32]}"
    )
    store, log = tmp_path / "r.db", tmp_path / "log"
    words = ("sweep", write_case(tmp_path, text), "-j", "2", "-o", store)
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        known = len(finished(store))
        running = warm.start("test_sweep_killed:command", *words, log=log)
        _until(lambda known=known: len(finished(store)) > known + 10)
        family = _descendants(running)
        assert len(family) >= 2
        os.kill(running, number)
        assert warm.wait(running) == code
        if number == signal.SIGINT:
            told = f"interrupted; what is done is in {store}: the same command goes on from there"
            assert [line for line in log.read_text().splitlines() if line] == [told, "interrupted"]
        _until(lambda family=family: not any(map(_lives, family)))
        assert 0 < known + 10 < len(finished(store)) < 321 * 3


def _until(condition: object) -> None:
    assert callable(condition)
    for _ in range(2400):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("waited for two minutes")


def _descendants(process: int) -> list[int]:
    found = []
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        found += [int(child), *_descendants(int(child))]
    return found


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


if not Path("/proc/self/task").is_dir() or not hasattr(os, "fork"):
    pytest.skip("needs Linux", allow_module_level=True)
