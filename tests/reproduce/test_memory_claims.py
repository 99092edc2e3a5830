"""Claims about memory access: the logic on traffic of the test's choice, the conditions, and a real figure."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from energysim.cli import cli
from energysim.reproduce.check import Claimed, Context
from energysim.reproduce.evidence import Evidence, judge
from energysim.reproduce.ledger import Verdict
from energysim.reproduce.memory import MemoryAccess, MemoryOrder, MemoryReduction, ranking
from energysim.reproduce.memory_points import Row, Setup, clipped, point, room, setups
from energysim.reproduce.simulations import Simulated, Simulations, command_of
from energysim.sweep import Point, Store
from energysim.sweep.executors import InProcess

FULL = {"model": "full", "tile": 32, "channels": 64}


class Chosen(Simulations):
    """Traffic by a function of the point (None: the device cannot run it)."""

    def __init__(self, megabytes: Callable[[Point], float | None]) -> None:
        self._megabytes: Callable[[Point], float | None]
        object.__setattr__(self, "_megabytes", megabytes)

    def of(self, point: Point) -> Simulated | None:
        value = self._megabytes(point)
        return None if value is None else Simulated(value * 1e6, 1e6, 1.0, 1.0, 1, True)


def quick(megabytes: Callable[[Point], float | None]) -> Context:
    return Context(Chosen(megabytes), quick=True)


def is_nano(point: Point) -> bool:
    return point.arch == "jetson_nano"


def test_a_reduction_holds_where_it_is_as_large_or_larger() -> None:
    def traffic(point: Point) -> float:
        full = 2.0 if is_nano(point) else 8.0
        return full if point.variant == "full" else 10.0 if point.bits == 8 else 3.1

    check = MemoryReduction.model_validate({"kind": "memory reduction", "row": FULL})
    evidence = check.judge(Claimed("3.2", "x"), quick(traffic))
    assert isinstance(evidence, Evidence)
    found = judge(evidence)
    assert (found.verdict, found.conditions) == (
        Verdict.ONLY_IF,
        ("jetson_nano, 32x32 or 224x224, batch 1, 8 bits",),
    )
    assert found.computed == "5x"
    assert "in 4 conditions weights, input and output alone" in found.reason  # 32 bits: 3.1 MB over 1.04 or 1.63 MB


def test_what_the_device_cannot_run_is_no_sample() -> None:
    check = MemoryAccess.model_validate({"kind": "memory access", "row": FULL})
    evidence = check.judge(Claimed("1.0", "MB"), quick(lambda point: 1.02 if is_nano(point) else None))
    assert isinstance(evidence, Evidence)
    assert {sample.condition[0] for sample in evidence.samples} == {"jetson_nano"}
    assert judge(evidence).verdict is Verdict.REPRODUCED


def test_order_is_strict_and_other_orders_are_counted() -> None:
    def traffic(point: Point) -> float:
        assert point.tile is not None
        small = {16: 1.2, 32: 1.0, 64: 1.8} if is_nano(point) else {16: 1.0, 32: 1.0, 64: 1.8}
        return small[point.tile[0]]

    rows = {str(tile): {**FULL, "tile": tile} for tile in (32, 16, 64)}
    check = MemoryOrder.model_validate({"kind": "memory order", "rows": rows})
    evidence = check.judge(Claimed("32 < 16 < 64", ""), quick(traffic))
    assert isinstance(evidence, Evidence)
    found = judge(evidence)
    assert found.verdict is Verdict.ONLY_IF
    assert found.computed == "1.000 < 1.200 < 1.800"
    assert "elsewhere: 32 = 16 < 64 in 6" in found.reason


def test_ranking() -> None:
    assert ranking({"a": 2.0, "b": 1.0, "c": 2.0}) == "b < a = c"


def test_36_conditions_and_a_third_of_them_quickly() -> None:
    assert len(set(setups(quick=False))) == 36
    assert len(setups(quick=True)) == 12


def test_a_buffer_is_what_the_device_has() -> None:
    setup = Setup("jetson_nano", 480, 640, 1, 8)
    for model, variant in (("full", "full"), ("buffered", "buffered")):
        row = Row(model=model, channels=64)
        assert clipped(row, setup) and point(row, setup).buffer_bytes == room(variant, "jetson_nano")
    assert room("buffered", "jetson_nano") * 2 == room("full", "jetson_nano")
    # 32 channels of the largest plane: 32x32 words of one byte
    assert point(Row(model="buffered", channels=32), replace(setup, rows=32, columns=32)).buffer_bytes == 32 * 32 * 32


def test_a_point_is_computed_once_and_its_command_computes_it(tmp_path: Path) -> None:
    """0.314 MB: the untiled network at 8 bits, whose weights (257,456 B) are most of it."""
    asked = point(Row(model="plain"), Setup("jetson_nano", 32, 32, 1, 8))
    with Store.open(tmp_path / "results.db", create=True) as store:
        absent = Simulations(store, stored_only=True)
        assert absent.of(asked) is None and absent.missing == {asked}
        told: list[str] = []
        simulations = Simulations(store)
        for _ in range(2):
            simulations.compute([asked, asked], lambda done, total, what: told.append(what))
        assert told == ["1 to simulate", f"1 of 1: {asked}"]
        first = simulations.of(asked)
        assert first is not None
        assert Simulations(store).of(asked) == first
        dram = simulations.outermost_energy_pj(asked, "DRAM")
    assert 257_456 < first.dram_floor_bytes < first.dram_bytes < 2 * 257_456
    assert 0 < dram < first.energy_pj
    words = shlex.split(command_of(asked))
    assert words[:3] == ["energysim", "simulate", "lightweight_cnn"]
    cli.make_context("energysim", words[1:], resilient_parsing=False)


def test_points_go_to_as_many_processes_as_asked_and_progress_follows_their_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single one is not worth a process."""
    asked: list[int | None] = []

    def here(jobs: int | None) -> InProcess:
        asked.append(jobs)
        return InProcess()

    monkeypatch.setattr("energysim.reproduce.simulations.executor_for", here)
    small, large = (Point("ffnn", "simple3", batch=batch) for batch in (1, 4))
    told: list[tuple[int, int]] = []
    with Store.open(tmp_path / "results.db", create=True) as store:
        simulations = Simulations(store, jobs=2)
        simulations.compute((large, small), lambda done, total, _: told.append((done, total)))
        assert simulations.of(Point("ffnn", "simple3", bits=4)) is not None
        rows = list(store.rows())
    assert asked == [2, 1] and len(rows) == 3 and {row["status"] for row in rows} == {"ok"}
    whole = round(3 * (3 * 32 * 32) ** 0.5)
    assert told == [(0, whole), (round(whole / 3), whole), (whole, whole)]


@pytest.mark.parametrize(
    "value", [{"tile": (16, 8), "variant": "tiled"}, {"buffer_bytes": 4096, "variant": "buffered"}]
)
def test_every_size_of_a_point_is_in_its_command(value: dict[str, object]) -> None:
    line = command_of(Point("resnet18", "eyeriss", **value))  # type: ignore[arg-type]
    assert ("--tile 16x8" in line) or ("--buffer 4096B" in line)
