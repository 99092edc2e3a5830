"""Sweeps, trained models and ledgers on the page: told apart by content, joined where they belong together."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from energysim.cli import cli
from energysim.report.page import read_sources, report_page
from energysim.report.page.beside import differences_table, ledger_table, training_table
from energysim.report.page.headline import best_variant
from energysim.report.page.points import points_table
from energysim.report.page.sources import SweepPoints
from energysim.report.page.table import Table
from energysim.reproduce.ledger import Finding, Ledger, Verdict
from energysim.simulation import stored_result
from energysim.sweep.evaluation import Task, outcome_of
from energysim.sweep.point import Point
from energysim.sweep.store import Store
from energysim.train.summary import DeviceCost, ModelSummary, Spread


def _texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def _model(name: str, cost: DeviceCost | None = None) -> ModelSummary:
    spread = Spread(0.9, 0.01, 3)
    return ModelSummary(name, "digits", 1000, spread, None, spread, spread, Spread(12.0, None, 1), cost)


@pytest.fixture
def ledger() -> Ledger:
    found = Finding(
        "S1", "energy", "less energy", "75 %", "74.2 %", Verdict.ONLY_IF, ("batch 1",), "why", "energysim x"
    )
    return Ledger((found,), "0.1.0")


def test_a_sweep_is_read_from_its_store_with_the_front_marked(tmp_path: Path) -> None:
    path = tmp_path / "sweep.db"
    with Store.open(path, create=True) as store:
        points = (Point("ffnn", "simple3", bits=8), Point("ffnn", "simple3", bits=16), Point("ffnn", "no_such_device"))
        for number, point in enumerate(points):
            store.put(outcome_of(Task(str(number), point)))
    sources = read_sources([path])
    (sweep,) = sources.sweeps
    table = points_table(sweep, "sweep-1")
    ok = [row for row in sweep.rows if row["status"] == "ok"]
    assert len(sweep.rows) == 3 and len(ok) == 2
    energies = [row.cells[-5].value for row in table.rows]
    assert energies == sorted(row["energy_pj"] for row in ok)
    assert [row[0] for row in _texts(table)] == ["8", "16"] and table.rows[0].cells[-1].text == "yes"
    assert any(note.endswith(": 1 that failed.") for note in table.notes)
    text = report_page(sources)
    assert text.count("<figcaption>") > 2 and "<title>" in text.partition("</head>")[2]  # plots and their hover texts


def test_a_store_without_results_is_a_table_without_rows() -> None:
    assert points_table(SweepPoints("empty.db", (), pd.DataFrame()), "sweep-1").rows == ()


def test_accuracy_stands_beside_the_energy_of_the_same_workload(data: dict[str, Any]) -> None:
    result = stored_result(data, "result.json")
    cost = DeviceCost("eyeriss", 8, 10, 5e6, 4e6, 6e6, 1e-3, 2048.0, 1024.0)
    table = training_table((_model("Residual"), _model("alone", cost), _model("uncosted")), (result,))
    best = best_variant(result)
    assert [row.cells[9].value for row in table.rows] == [best.energy.value, 5e6, None]
    assert [row[8] for row in _texts(table)] == [f"jetson_nano, {best.variant}", "eyeriss", "-"]
    assert {row[2] for row in _texts(table)} == {"90.0 ± 1.0"}


def test_summaries_of_training_come_back_from_json(tmp_path: Path) -> None:
    cost = DeviceCost("eyeriss", 8, 10, 5e6, 4e6, 6e6, 1e-3, 2048.0, 1024.0)
    models = (_model("one"), _model("two", cost))
    path = tmp_path / "models.json"
    path.write_text(json.dumps({"schema": 1, "models": [asdict(model) for model in models]}))
    assert read_sources([path]).models == models


def test_the_ledger_tells_claims_and_verdicts(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    path.write_text(ledger.to_json())
    (read,) = read_sources([path]).ledgers
    table = ledger_table(read)
    assert _texts(table) == [
        ["S1 energy", "less energy", "75 %", "74.2 %", "only if", "why; batch 1", "energysim x"],
    ]
    assert table.notes[0] == "1 only if"


def test_results_are_compared_with_the_first(data: dict[str, Any]) -> None:
    one = stored_result(data, "one.json")
    other = stored_result({**data, "variants": data["variants"][:1]}, "other.json")
    (row,) = differences_table((one, other)).rows
    ratio = other.variants[0].energy.value / best_variant(one).energy.value
    assert float(row.cells[2].text) == pytest.approx(ratio, rel=1e-3)


def test_simulate_writes_the_page_beside_its_table(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    command = ["simulate", "ffnn", "--arch", "simple3", "--html", str(target)]
    found = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert found.exit_code == 0 and "ffnn on simple3" in found.output
    text = target.read_text()
    assert text.startswith("<!doctype html>") and "ffnn on simple3" in text
    assert list(tmp_path.iterdir()) == [target]


def test_only_one_output_goes_to_stdout() -> None:
    found = CliRunner().invoke(cli, ["simulate", "ffnn", "--arch", "simple3", "--html", "-", "--json", "-"])
    assert found.exit_code == 2 and "both write to stdout" in found.output
