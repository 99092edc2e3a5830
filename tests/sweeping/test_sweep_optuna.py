"""Optuna's searches: better than chance, within limits, and the same when they are resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sweep_cases import write_case

from energysim.sweep import Store, load_experiment, pareto_front, run_sweep
from energysim.sweep.limits import keeps

pytest.importorskip("optuna")

SPACE = """\
sweep:
  workload: WORKLOAD
  arch: ARCH
  variant: [layerwise, tiled, buffered]
  tile: {from: 1, to: 5}
  buffer: [32 B, 64 B, 4 KiB]
  arch.GLB.capacity: {from: 64 B, to: 256 B, step: 48 B}
  arch.PE.x: [1, 2, 4]
goals: [energy_pj, latency_s]
constraints: {max_latency: 2 us}
"""


def rows(path: Path) -> list[dict[str, Any]]:
    with Store.open(path) as store:
        return list(store.rows())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    directory = tmp_path_factory.mktemp("whole")
    run_sweep(write_case(directory, SPACE), directory / "r.db", jobs=1)
    return rows(directory / "r.db")


@pytest.mark.parametrize("method", ["nsga2", "tpe"])
def test_a_search_finds_the_front_with_part_of_the_points(
    tmp_path: Path, whole: list[dict[str, Any]], method: str
) -> None:
    search = f"search: {{method: {method}, points: 64, population: 16, seed: 3}}\n"
    file = write_case(tmp_path, SPACE + search)
    result = run_sweep(file, tmp_path / "r.db", jobs=1)
    experiment = load_experiment(file)
    assert result.infeasible and len(result.keys) <= 64 < len(whole) == len(experiment.space)
    best = {
        name: pareto_front([r for r in found if r["status"] == "ok" and keeps(r, experiment.limits)], experiment.goals)
        for name, found in (("search", rows(tmp_path / "r.db")), ("grid", whole))
    }
    assert best["search"][0]["energy_pj"] <= 1.02 * best["grid"][0]["energy_pj"]
    assert best["search"][-1]["latency_s"] <= 1.02 * best["grid"][-1]["latency_s"]
    # Killed after a part of it (here: a store that holds only some rows), it asks for the same points again.
    kept = rows(tmp_path / "r.db")[::2]
    with Store.open(tmp_path / "r.db") as full, Store.open(tmp_path / "part.db", create=True) as part:
        names = [name for name in kept[0] if name != "key"]
        assert names
        part._connection.execute("ATTACH ? AS full", (str(full.path),))
        marks = ", ".join("?" for _ in kept)
        part._connection.execute(
            f"INSERT INTO points SELECT * FROM full.points WHERE key IN ({marks})", [row["key"] for row in kept]
        )
    again = run_sweep(file, tmp_path / "part.db", jobs=1)
    assert again.keys == result.keys and again.computed == len(result.keys) - len(kept)
