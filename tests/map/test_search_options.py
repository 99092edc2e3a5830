"""Options of `map` and `simulate` that change what is searched, and Ctrl-C during them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from energysim.cli import cli
from energysim.engines.registry import ImperfectEngine, NativeEngine, get_engine
from energysim.errors import UnavailableError
from energysim.mapping.search import solve
from energysim.mapping.search.walk import Walk, walk_hierarchy

SIMULATE = ("simulate", "lightweight_cnn", "--input", "1x3x10x10", "--arch", "eyeriss", "--json", "-")
MAP = ("map", "lightweight_cnn", "--layer", "features.1.0", "--arch", "a2")
FILES = Path(__file__).parent.parent / "timeloop" / "files"


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENERGYSIM_CACHE", "off")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def simulated(*options: str) -> dict[str, Any]:
    result = invoke(*SIMULATE, *options)
    assert result.exit_code == 0, (result.output, result.exception)
    output: dict[str, Any] = json.loads(result.stdout)["variants"][0]
    return output


def interrupt(monkeypatch: pytest.MonkeyPatch, nth: int) -> list[int]:
    """The nth walk of all is interrupted, once; counts the walks."""
    walks: list[int] = []

    def walk(*arguments: Any, **options: Any) -> Walk:
        walks.append(len(walks) + 1)
        if walks[-1] == nth:
            raise KeyboardInterrupt
        return walk_hierarchy(*arguments, **options)

    monkeypatch.setattr(solve, "walk_hierarchy", walk)
    return walks


def test_simulate_with_imperfect_factors_needs_no_more_energy() -> None:
    perfect = simulated()
    imperfect = simulated("--imperfect", "--time-limit", "1")
    assert imperfect["totals"]["energy_pj"] < perfect["totals"]["energy_pj"]
    assert imperfect["totals"]["macs"] == perfect["totals"]["macs"]


def test_imperfect_factors_belong_to_the_native_engine() -> None:
    assert type(get_engine("native")) is NativeEngine
    assert type(get_engine("native", imperfect=True)) is ImperfectEngine
    with pytest.raises(UnavailableError, match="imperfect factors belong to the native engine"):
        get_engine("timeloop", imperfect=True)


def test_a_dataflow_costs_no_less_and_is_named() -> None:
    free, rows = simulated(), simulated("--dataflow", "row-stationary")
    assert rows["totals"]["energy_pj"] >= free["totals"]["energy_pj"] * (1 - 1e-9)
    assert "mapped weight-stationary only" not in invoke(*MAP).stdout
    result = invoke(*MAP, "--dataflow", "weight-stationary", "--json", "-")
    mapping = [loop for loop in json.loads(result.stdout)["mapping"] if not loop["spatial"]]
    assert {loop["dim"] for loop in mapping[-2:]} == {"P", "Q"}


def test_a_dataflow_and_timeloop_s_files_exclude_each_other() -> None:
    files = [str(FILES / f"{stem}.yaml") for stem in ("grid_tree", "conv_problem", "grid_ert")]
    result = invoke("map", *files, "--dataflow", "weight-stationary")
    assert result.exit_code == 2 and "--dataflow belongs to a workload" in result.output


def test_ctrl_c_during_map_prints_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(monkeypatch, 2)
    result = invoke(*MAP)
    assert result.exit_code == 0, result.output
    assert "interrupted, not proven: the optimum is at most" in " ".join(result.stdout.split())


def test_ctrl_c_during_simulate_finishes_with_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--bits", "11")  # problems that no other test has proven in this process
    interrupt(monkeypatch, 1)
    interrupted = simulated(*options)
    mapped = [layer for layer in interrupted["layers"] if layer["mapping"]]
    assert any(not layer["optimal"] for layer in mapped)
    monkeypatch.setattr(solve, "walk_hierarchy", walk_hierarchy)
    assert simulated(*options)["totals"]["energy_pj"] <= interrupted["totals"]["energy_pj"] * (1 + 1e-9)


def test_a_second_ctrl_c_ends_a_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(*arguments: Any, **options: Any) -> Walk:
        raise KeyboardInterrupt

    monkeypatch.setattr(solve, "walk_hierarchy", walk)
    result = invoke(*SIMULATE, "--bits", "13")
    assert result.exit_code != 0 and not result.stdout
