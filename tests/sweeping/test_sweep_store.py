"""The store alone: what goes in comes out, and what is no store is refused."""

from __future__ import annotations

import os
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sweep_cases import write_case
from warm import Warm

from energysim.errors import EnergySimError
from energysim.sweep import Point, Store, evaluate
from energysim.sweep.accuracy import Accuracy
from energysim.sweep.evaluation import FAILED, OK, Outcome, Task, outcome_of
from energysim.sweep.export import export
from energysim.sweep.identity import key_of


@pytest.fixture
def task(tmp_path: Path) -> Task:
    write_case(tmp_path)
    point = Point(str(tmp_path / "net.yaml"), str(tmp_path / "tiny.yaml"), overrides=(("PE.x", 2), ("clock", "2 GHz")))
    return Task(key_of(point), point)


def test_a_result_comes_back_as_it_was(tmp_path: Path, task: Task) -> None:
    with Store.open(tmp_path / "new" / "r.db", create=True) as store:
        store.put(outcome_of(task, ("energysim", "sweep")), ("energysim", "sweep"), accuracy=0.5)
        assert store.statuses([task.key, "other"]) == {task.key: OK} and len(store) == 1
        document = store.load(task.key)
        assert document == {**evaluate(task.point), "command": ["energysim", "sweep"]}
        row = store.row(task.key)
        assert row is not None and list(store.rows()) == [row]
        totals = document["variants"][0]["totals"]
        assert {name: row[name] for name in totals if name not in ("optimal", "gap")} == {
            name: totals[name] for name in totals if name not in ("optimal", "gap")
        }
        assert row["dram_bytes"] == totals["dram_read_bytes"] + totals["dram_write_bytes"]
        assert row["optimal"] is True and row["gap"] == 0.0 and row["used_bits"] == 8
        assert row["arch_sha256"] == document["arch"]["sha256"] and row["accuracy"] == 0.5
        assert row["overrides"] == {"PE.x": 2, "clock": "2 GHz"} and row["command"] == ["energysim", "sweep"]
        store.set_accuracy({"net": Accuracy(0.75, (3, 8, 8)), "nothing": Accuracy(0.1)})
        (again,) = store.rows([task.key])
        assert again["accuracy"] == 0.75
        with pytest.raises(EnergySimError, match="no point 'other'"):
            store.load("other")


def test_a_failure_gives_way_to_a_result_and_never_replaces_one(tmp_path: Path, task: Task) -> None:
    failure = Outcome(task.key, task.point, FAILED, "broken")
    with Store.open(tmp_path / "r.db", create=True) as store:
        store.put(failure)
        with pytest.raises(EnergySimError, match=r"failed \(broken\)"):
            store.load(task.key)
        store.put(outcome_of(task))
        store.put(failure)
        assert store.statuses([task.key]) == {task.key: OK} and store.load(task.key)["variants"]


def test_a_store_of_before_a_column_came_takes_new_results(tmp_path: Path, task: Task) -> None:
    with Store.open(tmp_path / "r.db", create=True) as store:
        store.put(outcome_of(task))
    with sqlite3.connect(tmp_path / "r.db") as connection:
        for name in ("edp_low_js", "gap"):
            connection.execute(f"ALTER TABLE points DROP COLUMN {name}")
    connection.close()
    other = replace(task.point, bits=16)
    with Store.open(tmp_path / "r.db") as store:
        store.put(outcome_of(Task(key_of(other), other)))
        old, new = (store.row(key) for key in (task.key, key_of(other)))
    assert old is not None and old["energy_pj"] is not None and (old["edp_low_js"], old["gap"]) == (None, None)
    assert new is not None and new["edp_low_js"] > 0 and new["gap"] == 0


def test_tables(tmp_path: Path, task: Task) -> None:
    with Store.open(tmp_path / "r.db", create=True) as store:
        assert store.to_pandas().empty and "energy_pj" in store.to_pandas()
        store.put(outcome_of(task))
        store.put(Outcome("k", task.point, FAILED, "broken"))
        frame = store.to_pandas()
        assert frame["arch.PE.x"].tolist() == [2, 2] and frame["arch.clock"].tolist() == ["2 GHz"] * 2
        export(store, tmp_path / "t.csv")
        export(store, tmp_path / "t.parquet", [task.key])
        text = pd.read_csv(tmp_path / "t.csv")
        assert list(text) == list(frame) and "document" not in frame
        for column in ("key", "error", "energy_pj", "macs", "optimal", "arch.PE.x"):
            assert text[column].dropna().tolist() == frame[column].dropna().tolist()
        (row,) = pd.read_parquet(tmp_path / "t.parquet").to_dict("records")
        (expected,) = frame[frame["key"] == task.key].to_dict("records")
        assert {name: value for name, value in row.items() if not pd.isna(value)} == {
            name: value for name, value in expected.items() if not pd.isna(value)
        }
        with pytest.raises(EnergySimError, match=r"\.parquet or \.csv"):
            export(store, tmp_path / "t.xlsx")
        with pytest.raises(EnergySimError, match="cannot write"):
            export(store, tmp_path / "missing" / "t.csv")
    assert not list(tmp_path.glob(".*partial"))


def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    text, other, later = tmp_path / "text.db", tmp_path / "other.db", tmp_path / "later.db"
    text.write_text("not a database, but long enough to look at" * 50)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    Store.open(later, create=True).close()
    with sqlite3.connect(later) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = {path: path.read_bytes() for path in (text, other)}
    cases = ((text, "cannot be used"), (other, "no store"), (later, "version 99"), (tmp_path, "cannot be used"))
    for path, what in cases:
        with pytest.raises(EnergySimError, match=what):
            Store.open(path, create=True)
    assert before == {path: path.read_bytes() for path in before}
    with pytest.raises(EnergySimError, match="no store"):
        Store.open(tmp_path / "missing.db")
    assert not (tmp_path / "missing.db").exists()


def write_at_once(directory: str) -> None:
    """In a process of its own: three more open a store that does not exist yet, at the same moment."""
    for number in range(6):
        wait, start = os.pipe()
        children = [child for _ in range(3) if (child := os.fork())]
        if len(children) < 3:
            os.close(start)
            os.read(wait, 1)
            with Store.open(f"{directory}/{number}.db", create=True) as store:
                for row in range(20):
                    store.put(Outcome(str(row), Point("w", "a"), FAILED, "x" * 2000))
            os._exit(0)
        os.close(start)
        codes = [os.waitpid(child, 0)[1] for child in children]
        if any(codes):
            sys.exit(f"round {number}")


def test_several_writers_at_once(tmp_path: Path, warm: Warm) -> None:
    """Processes open a store that does not exist yet and write the same rows."""
    warm.run("test_sweep_store:write_at_once", tmp_path)
    stores = sorted(tmp_path.glob("*.db"))
    assert len(stores) == 6
    for path in stores:
        with Store.open(path) as store:
            assert len(store) == 20
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
