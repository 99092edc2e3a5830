"""Sweeps: every point once, failures recorded, the same results in this process and in others."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sweep_cases import write_case

from energysim.errors import EnergySimError
from energysim.sweep import Store, evaluate, load_experiment, run_sweep
from energysim.sweep.identity import key_of

UNSTEADY = ("cpu_s", "finished", "command")
BAD_AND_GOOD = """\
sweep:
  workload: WORKLOAD
  arch: ARCH
  arch.GLB.capacity: [64 B, 128 B]
  arch.GLB.access: [8 b, 768 b]
  variant: [layerwise, buffered]
  buffer: [16 B, 1 KiB]
"""


def steady(path: Path) -> list[dict[str, Any]]:
    with Store.open(path) as store:
        return [{name: row[name] for name in row if name not in UNSTEADY} for row in store.rows()]


def test_every_point_once(tmp_path: Path) -> None:
    file, store_path = write_case(tmp_path), tmp_path / "r.db"
    told: list[tuple[int, int, str]] = []
    first = run_sweep(file, store_path, jobs=1, progress=lambda *args: told.append(args))
    assert (first.ok, first.computed, first.stored_before, first.failed) == (78, 78, 0, 0)
    assert [done for done, _, _ in told] == list(range(79)) and {total for _, total, _ in told} == {78}
    points = list(load_experiment(file).space.grid())
    assert list(first.keys) == [key_of(point) for point in points]
    with Store.open(store_path) as store:
        for key, point in list(zip(first.keys, points, strict=True))[::13]:
            assert store.load(key)["variants"] == json.loads(json.dumps(evaluate(point)["variants"]))
        before = [(row["key"], row["finished"]) for row in store.rows()]
    again = run_sweep(file, store_path, jobs=1)
    assert (again.ok, again.computed, again.stored_before) == (78, 0, 78)
    with Store.open(store_path) as store:
        assert before == [(row["key"], row["finished"]) for row in store.rows()]


def test_a_point_that_fails_is_recorded_and_the_sweep_goes_on(tmp_path: Path) -> None:
    """An access wider than its memory is no device; a buffer larger than its memory is one that it cannot run."""
    file, store_path = write_case(tmp_path, BAD_AND_GOOD), tmp_path / "r.db"
    result = run_sweep(file, store_path, jobs=1)
    assert (len(result.keys), result.ok, result.infeasible, result.failed) == (12, 6, 3, 3)
    with Store.open(store_path) as store:
        rows = list(store.rows())
    errors = {status: {row["error"] for row in rows if row["status"] == status} for status in ("failed", "infeasible")}
    assert all("hold less than one access of 768 bits" in error for error in errors["failed"])
    assert all("does not fit in" in error for error in errors["infeasible"])
    assert all(row["energy_pj"] is None and not row["optimal"] for row in rows if row["status"] != "ok")
    assert run_sweep(file, store_path, jobs=1).computed == 0
    retried = run_sweep(file, store_path, jobs=1, retry=True)
    assert (retried.computed, retried.stored_before, retried.failed) == (3, 9, 3)


def test_random_points_and_products_in_a_list(tmp_path: Path) -> None:
    text = (
        "sweep:\n"
        "  - {workload: WORKLOAD, arch: ARCH, variant: layerwise, arch.PE.x: [1, 2, 4]}\n"
        "  - {workload: WORKLOAD, arch: ARCH, variant: [layerwise, tiled], tile: [2, 3], arch.PE.x: 4}\n"
    )
    whole = run_sweep(write_case(tmp_path, text), tmp_path / "all.db", jobs=1)
    assert len(whole.keys) == 5  # the layerwise point with x = 4 is in both
    search = "search: {method: random, points: 3, seed: 4}\n"
    some = run_sweep(write_case(tmp_path, text + search), tmp_path / "some.db", jobs=1)
    assert len(some.keys) in (2, 3) and set(some.keys) < set(whole.keys)
    assert steady(tmp_path / "some.db") == [row for row in steady(tmp_path / "all.db") if row["key"] in some.keys]


def test_processes_find_what_one_finds(tmp_path: Path) -> None:
    """Two workers; a network whose code kills any process that imports it beside this one is its own failure only."""
    (tmp_path / "deadly.py").write_text(
        "import multiprocessing, os, signal\n"
        "if multiprocessing.parent_process() is not None:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "def build(): raise RuntimeError('never called')\n"
    )
    deadly = f"  - {{workload: '{tmp_path / 'deadly.py'}:build', arch: ARCH, input: 1x3x8x8}}\n"
    text = "sweep:\n  - {workload: WORKLOAD, arch: ARCH, arch.PE.x: [1, 2, 4], bits: [8, 16, 32]}\n"
    file = write_case(tmp_path, text)
    run_sweep(file, tmp_path / "one.db", jobs=1)
    result = run_sweep(write_case(tmp_path, text + deadly), tmp_path / "two.db", jobs=2)
    assert (result.ok, result.failed) == (9, 1)
    rows = steady(tmp_path / "two.db")
    (failure,) = [row for row in rows if row["status"] == "failed"]
    assert "the process computing it died of SIGKILL" in failure["error"]
    assert [row for row in rows if row["status"] == "ok"] == steady(tmp_path / "one.db")


def test_constraints_that_nothing_can_answer_are_refused(tmp_path: Path) -> None:
    head = "sweep: {workload: WORKLOAD, arch: ARCH, arch.PE.x: [1, 2]}\n"
    for tail, what in (("constraints: {min_accuracy: 0.5}\n", "accuracy"), ("goals: [area_mm2]\n", "area")):
        with pytest.raises(EnergySimError, match=f"no {what} is known"):
            run_sweep(write_case(tmp_path, head + tail), tmp_path / "r.db", jobs=1)
    (tmp_path / "art.yaml").write_text("ART: {tables: [{name: GLB, area: 500}, {name: MAC, area: 100}]}")
    known = f"art: {tmp_path / 'art.yaml'}\ngoals: [area_mm2, latency_s]\n"
    result = run_sweep(write_case(tmp_path, head + known), tmp_path / "r.db", jobs=1)
    areas = {row["overrides"]["PE.x"]: row["area_mm2"] for row in _rows(result.store)}
    assert areas == {1: pytest.approx(600e-6), 2: pytest.approx(700e-6)}


def _rows(path: Path) -> list[dict[str, Any]]:
    with Store.open(path) as store:
        return list(store.rows())


def test_a_store_survives_what_is_no_store(tmp_path: Path) -> None:
    file = write_case(tmp_path)
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(EnergySimError, match="no store of sweep results"):
        run_sweep(file, tmp_path / "other.db", jobs=1)
