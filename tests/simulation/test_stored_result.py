"""A result read back from its JSON is the result: every layer, total, schedule and on-chip memory."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

import energysim
from energysim.errors import EnergySimError, NotFoundError, SpecError
from energysim.report.page.headline import findings
from energysim.report.tables import print_result
from energysim.simulation import SimulationResult, read_stored, stored_result
from energysim.simulation.occupancy import occupancies


@pytest.fixture(scope="module")
def result() -> SimulationResult:
    return energysim.simulate("lightweight_cnn", "meta_proto_df", variant="full", tile=(4, 4), overlap="cache")


def test_what_is_read_back_is_what_was_written(result: SimulationResult, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(result.to_json())
    stored = read_stored(path)
    assert stored.variants == result.variants
    assert stored.occupancies == occupancies(result)
    assert [json.loads(json.dumps(asdict(schedule))) for schedule in result.schedules] == list(stored.schedules)
    assert (stored.workload, stored.arch, stored.arch_sha256) == (result.workload, "meta_proto_df", result.arch.sha256)
    assert [layer["name"] for layer in stored.graph["layers"]] == [layer.name for layer in result.graph.layers]
    assert result.stored().variants == stored.variants


def test_a_device_without_a_feature_map_memory_has_no_occupancy() -> None:
    assert energysim.simulate("ffnn", "nvdla_small").stored().occupancies == ()


@pytest.mark.parametrize("part", ["graph", "occupancy", "engine", "command"])
def test_a_result_without_one_of_its_parts_is_refused(result: SimulationResult, part: str) -> None:
    data = result.to_dict()
    del data[part]
    with pytest.raises(SpecError, match=f"no '{part}'"):
        stored_result(data, "somewhere")


def test_an_edited_layer_is_noticed(result: SimulationResult) -> None:
    data = json.loads(result.to_json())
    data["variants"][0]["layers"][0]["shares"][0]["energy_pj"] += data["variants"][0]["totals"]["energy_pj"]
    with pytest.raises(EnergySimError, match="its parts sum to"):
        stored_result(data, "somewhere")


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="--json FILE writes one"):
        read_stored(tmp_path / "none.json")


def test_a_schedule_that_is_not_proven_says_how_much_better_one_could_be(result: SimulationResult) -> None:
    """In the terminal and on the page."""
    variant = replace(result.variants[0], optimal=False, gap=0.0691)
    unproven = replace(result, variants=(variant,))
    console = Console(file=io.StringIO(), width=150)
    print_result(unproven, console)
    assert isinstance(console.file, io.StringIO)
    assert "may be up to 6.9% better" in console.file.getvalue()
    (said,) = (sentence for sentence in findings(unproven.stored(), variant) if "6.9%" in sentence)
    assert said.startswith(variant.variant)
    print_result(result, console)
    assert console.file.getvalue().count("may be up to") == 1
