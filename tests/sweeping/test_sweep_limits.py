"""Limits that are known before a simulation rule points out, exactly those whose result would break them; buffers that
are cut to what the device has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sweep_cases import write_case

from energysim.sweep import Point, Store, SweepResult, load_experiment, run_sweep
from energysim.sweep.accuracy import Accuracy
from energysim.sweep.beforehand import Rules
from energysim.sweep.buffers import asked_bytes, fitted, room_bytes
from energysim.sweep.evaluation import Task, outcome_of
from energysim.sweep.export import export
from energysim.sweep.limits import keeps

SPACE = """\
sweep:
  workload: WORKLOAD
  arch: ARCH
  variant: [plain, layerwise, tiled, buffered, full, optimal]
  tile: [null, 2]
  buffer: [null, 32 B, 64 B, 1ch, 4ch]
  arch.GLB.capacity: [96 B, 192 B]
  bits: [8, 16]
art: ART
"""


@pytest.fixture
def space(tmp_path: Path) -> str:
    (tmp_path / "art.yaml").write_text("ART: {tables: [{name: GLB, area: 500}, {name: MAC, area: 100}]}")
    tiled = SPACE.replace("variant: [plain, layerwise, tiled, buffered, full, optimal]", "variant: [plain, full]")
    rest = SPACE.replace("[null, 2]", "2").replace("[null, 32 B", "[32 B")
    blocks = [text.partition("sweep:\n")[2].partition("art:")[0].replace("  ", "    ") for text in (tiled, rest)]
    head = "sweep:\n" + "".join(f"  -{block[3:]}" for block in blocks)
    return f"{head}art: {tmp_path / 'art.yaml'}\n"


def rows(result: SweepResult) -> list[dict[str, Any]]:
    with Store.open(result.store) as store:
        return list(store.rows(result.keys))


def test_what_is_ruled_out_is_what_would_break_the_limit(tmp_path: Path, space: str) -> None:
    everything = rows(run_sweep(write_case(tmp_path, space), tmp_path / "all.db", jobs=1))
    limited = space + "constraints: {max_buffer: 64 B, max_area: 0.001 mm2}\n"
    file, path = write_case(tmp_path, limited), tmp_path / "some.db"
    limits = load_experiment(file).limits
    result = run_sweep(file, path, jobs=1)
    found = {row["key"]: row for row in rows(result)}
    assert {row["key"] for row in everything} == set(found)
    broken = [row["key"] for row in everything if row["status"] == "ok" and not keeps(row, limits)]
    searched = [row["key"] for row in everything if row["variant"] == "optimal"]  # chooses its buffer itself
    ruled_out = [key for key, row in found.items() if row["status"] == "ruled_out"]
    never_run = {row["key"] for row in everything if row["status"] == "infeasible"}
    assert set(broken) - set(searched) == set(ruled_out) - never_run
    assert len(ruled_out) > 10 and len(ruled_out) < len(found) / 2 and not set(ruled_out) & set(searched)
    assert result.ruled_out == len(ruled_out) and result.computed == len(found) - len(ruled_out)
    assert all(found[key]["energy_pj"] is None for key in ruled_out)
    assert {found[key]["error"] for key in ruled_out} >= {"ruled out by used_buffer_bytes <= 64: 96"}
    assert all(found[row["key"]]["energy_pj"] == row["energy_pj"] for row in everything if row["key"] not in ruled_out)


def test_areas_and_accuracies_rule_out_whole_devices_and_networks(tmp_path: Path, space: str) -> None:
    write_case(tmp_path)
    net, device, art = (str(tmp_path / name) for name in ("net.yaml", "tiny.yaml", "art.yaml"))
    wide, narrow = (Point(net, device, overrides=(("PE.x", x),), art=(art,)) for x in (8, 2))
    limits = load_experiment(write_case(tmp_path, space + "constraints: {max_area: 0.001 mm2}\n")).limits
    rules = Rules(limits, {})
    assert rules.against(narrow) is None and rules.against(wide) == "ruled out by area_mm2 <= 0.001: 0.0013"
    areas = [dict(outcome_of(Task("", point)).totals)["area_mm2"] for point in (narrow, wide)]
    assert areas == pytest.approx([0.0007, 0.0013])
    least = load_experiment(write_case(tmp_path, space + "constraints: {min_accuracy: 0.9}\n")).limits
    assert Rules(least, {"net": Accuracy(0.85)}).against(narrow) == "ruled out by accuracy >= 0.9: 0.85"
    assert Rules(least, {"net": Accuracy(0.9)}).against(narrow) is None
    assert Rules(least, {}).against(narrow) == "ruled out by accuracy >= 0.9: not known for its images"


def test_a_ruling_holds_for_its_limits_only_and_what_was_computed_stays(tmp_path: Path) -> None:
    text = "sweep: {workload: WORKLOAD, arch: ARCH, variant: buffered, buffer: [16 B, 32 B, 64 B]}\n"
    path = tmp_path / "r.db"

    def run(most: str) -> tuple[int, int, int, int]:
        limit = f"constraints: {{max_buffer: {most}}}\n" if most else ""
        done = run_sweep(write_case(tmp_path, text + limit), path, jobs=1)
        return done.computed, done.stored_before, done.ok, done.ruled_out

    assert run("16 B") == (1, 0, 1, 2)
    with Store.open(path) as store:
        before = list(store.rows())
        export(store, tmp_path / "r.csv")
    table = pd.read_csv(tmp_path / "r.csv").set_index("buffer_bytes")
    assert table.status.to_dict() == {16: "ok", 32: "ruled_out", 64: "ruled_out"}
    assert table.error[64] == "ruled out by used_buffer_bytes <= 16: 64" and table.energy_pj.notna().sum() == 1
    assert run("16 B") == (0, 1, 1, 2)
    with Store.open(path) as store:
        assert list(store.rows()) == before
    assert run("32 B") == (1, 1, 2, 1)
    assert run("16 B") == (0, 2, 2, 1)
    assert run("") == (1, 2, 3, 0)
    assert run("16 B") == (0, 3, 3, 0)


def test_buffers_are_cut_to_what_the_device_has(tmp_path: Path) -> None:
    """Halves of the capacity for `buffered`, the whole for `full`; equal ones are one point."""
    text = (
        "sweep: {workload: WORKLOAD, arch: ARCH, variant: [buffered, full], buffer: [32 B, 1ch, 4ch, 1 KiB, 2 KiB]}\n"
    )
    plain = run_sweep(write_case(tmp_path, text), tmp_path / "plain.db", jobs=1)
    fitting = run_sweep(write_case(tmp_path, text + "fit_buffers: true\n"), tmp_path / "fitting.db", jobs=1)
    assert (plain.ok, plain.infeasible) == (4, 6) and (fitting.ok, fitting.infeasible) == (6, 0)
    taken = {
        (row["variant"], row["buffer_bytes"], row["buffer_channels"]): row["used_buffer_bytes"] for row in rows(fitting)
    }
    assert taken == {
        ("buffered", 32, None): 32, ("buffered", None, 1): 64, ("buffered", 64, None): 64,
        ("full", 32, None): 32, ("full", None, 1): 64, ("full", 128, None): 128,
    }  # fmt: skip


def test_a_fitted_point_asks_for_no_more_than_there_is(tmp_path: Path, space: str) -> None:
    for point in load_experiment(write_case(tmp_path, space)).space.grid():
        fits = fitted(point)
        asked, room = asked_bytes(fits), room_bytes(fits)
        if point.variant in ("buffered", "full"):
            assert asked is not None and room is not None and asked <= room
            before = asked_bytes(point)
            assert before is not None and asked == min(before, room) and (asked != before or fits == point)
        else:
            assert fits == point
