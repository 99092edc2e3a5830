"""Experiments: which points a file means, and that every mistake in one is told with its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sweep_cases import write_case

from energysim.errors import EnergySimError
from energysim.spec_files import list_specs, load_yaml, spec_directory
from energysim.sweep import Point, evaluate, load_experiment
from energysim.sweep.identity import key_of
from energysim.sweep.ranges import values_of
from energysim.sweep.resolve import forget_specs
from energysim.train.experiment import load_experiment as load_training

Load = Callable[[str], list[Point]]


@pytest.fixture
def points(tmp_path: Path) -> Load:
    def load(text: str) -> list[Point]:
        return list(load_experiment(write_case(tmp_path, text)).space.grid())

    return load


def test_sizes_that_a_variant_ignores_multiply_nothing(points: Load) -> None:
    found = points(
        "sweep: {workload: WORKLOAD, arch: ARCH, variant: [plain, layerwise, tiled, buffered, full, optimal],"
        " tile: [2, 3x4], buffer: [64 B, 2ch, 128 B], overlap: [recompute, cache]}"
    )
    count = {variant: sum(point.variant == variant for point in found) for variant in {p.variant for p in found}}
    assert count == {"plain": 1, "layerwise": 1, "tiled": 2, "buffered": 3, "full": 2 * 3 * 2, "optimal": 1}
    assert len({key_of(point) for point in found}) == len(found)
    assert all(point == point.canonical() for point in found)
    tiled = [point for point in found if point.variant == "tiled"]
    assert {point.tile for point in tiled} == {(2, 2), (3, 4)}
    assert {(p.buffer_bytes, p.buffer_channels) for p in found if p.variant == "buffered"} == {
        (64, None), (None, 2), (128, None)
    }  # fmt: skip


def test_full_without_tiles_has_no_overlap(points: Load) -> None:
    found = points(
        "sweep: {workload: WORKLOAD, arch: ARCH, variant: full, tile: [null, 2], overlap: [recompute, cache]}"
    )
    assert [(point.tile, point.overlap) for point in found] == [
        ((2, 2), "recompute"), ((2, 2), "cache"), (None, "recompute")
    ]  # fmt: skip


def test_what_is_left_out_of_a_key_changes_nothing(tmp_path: Path) -> None:
    """Equal keys, equal results: sizes that the variant does not use are free."""
    write_case(tmp_path)
    base = Point(str(tmp_path / "net.yaml"), str(tmp_path / "tiny.yaml"))
    for variant, tile in (("layerwise", None), ("tiled", (2, 2))):
        point = replace(base, variant=variant, tile=tile)
        other = replace(point, buffer_bytes=64, overlap="cache")
        assert key_of(point) == key_of(other)
        assert evaluate(point)["variants"] == evaluate(other)["variants"]


def test_batch_and_input_meet_in_one_axis() -> None:
    """A batch is the first axis of the input: what both say alike is one point."""
    same = Point("ffnn", "eyeriss"), Point("ffnn", "eyeriss", batch=1), Point("ffnn", "eyeriss", input="1x3x32x32")
    assert len({key_of(point) for point in same}) == 1
    assert key_of(Point("ffnn", "eyeriss", batch=2)) != key_of(same[0])


def test_a_key_follows_the_files_behind_it(tmp_path: Path) -> None:
    from energysim.sweep.identity import forget_files

    write_case(tmp_path)
    point = Point(str(tmp_path / "net.yaml"), str(tmp_path / "tiny.yaml"), overrides=(("GLB.capacity", "64 B"),))
    keys = {key_of(point), key_of(replace(point, overrides=(("GLB.capacity", "96 B"),)))}
    for name, old, new in (("net.yaml", "K: 8", "K: 6"), ("tiny.yaml", "0.1 pJ", "0.2 pJ")):
        file = tmp_path / name
        file.write_text(file.read_text().replace(old, new))
        forget_specs()
        forget_files()
        keys.add(key_of(point))
    assert len(keys) == 4


def test_random_points_are_of_the_grid_and_repeat_with_their_seed(tmp_path: Path) -> None:
    space = load_experiment(write_case(tmp_path)).space
    grid = list(space.grid())
    assert len(space) == len(grid) == 13 * 3 * 2
    assert [space.at(number) for number in range(len(space))] == grid
    drawn = list(space.sample(20, 1))
    assert len(set(drawn)) == 20 and set(drawn) <= set(grid)
    assert drawn == list(space.sample(20, 1)) != list(space.sample(20, 2))
    assert set(space.sample(1000, 0)) == set(grid)


@pytest.mark.parametrize(
    ("written", "values"),
    [
        (8, (8,)),
        ([8, 16, 8], (8, 16)),
        ({"from": 2, "to": 8, "step": 3}, (2, 5, 8)),
        ({"from": 1, "to": 3}, (1, 2, 3)),
        ({"from": "32 KiB", "to": "1 MiB", "times": 4}, ("32 KiB", "128 KiB", "512 KiB")),
        ({"from": "8ch", "to": "24ch", "step": 8}, ("8ch", "16ch", "24ch")),
        ({"from": "0.5 GHz", "to": "1 GHz", "step": "0.25 GHz"}, ("0.5 GHz", "0.75 GHz", "1 GHz")),
        ({"from": "500 MHz", "to": "1 GHz", "times": 2}, ("500 MHz", "1000 MHz")),
    ],
)
def test_ranges(written: object, values: tuple[object, ...]) -> None:
    assert values_of(written) == values


@pytest.mark.parametrize(
    ("text", "line", "parts"),
    [
        ("sweep:\n  workload: [WORKLOAD, resnett18]\n  arch: ARCH\n", 2, ("workload.1", "resnet18")),
        ("sweep:\n  workload: WORKLOAD\n  arch: eyris\n", 3, ("arch", "eyeriss")),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  tiel: 3\n", 4, ("tiel", "did you mean 'tile'")),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  arch.GLB.capcity: 64 B\n", 4, ("capacity",)),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  arch.GBL.capacity: 64 B\n", 4, ("did you mean 'GLB'",)),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  arch.L9.capacity: 64 B\n", 4, ("DRAM, GLB, PE, MAC",)),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  arch.GLB.capacity: [64 B, 64]\n", 4, ("capacity.1", "unit")),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  arch.GLB.energy.reed: 1 pJ\n", 4, ("did you mean 'read'",)),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  variant: tiled\n", 1, ("no tile",)),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  variant: buffered\n", 1, ("no buffer",)),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  variant: tyled\n", 4, ("did you mean 'tiled'",)),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  tile: [4, 4y3]\n", 4, ("tile.1", "rows x columns")),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  bits: [8, 0]\n", 4, ("bits.1", "from 1 to 64")),
        ("sweep:\n  workload: WORKLOAD\n  arch: ARCH\n  bits: {from: 8}\n", 4, ("bits", "{from: 4, to: 32")),
        ("sweep:\n  workload: WORKLOAD\n  workloads: WORKLOAD\n  arch: ARCH\n", 3, ("twice",)),
        ("sweep:\n  workload: WORKLOAD\n", 1, ("missing axis 'arch'",)),
        ("sweep:\n  - {workload: WORKLOAD, arch: ARCH}\n  - {workload: WORKLOAD}\n", 3, ("sweep.1", "'arch'")),
        ("description: nothing\n", 1, ("missing key 'sweep'",)),
        ("recipe: {}\n", 1, ("energysim train --experiment case",)),
        ("sweep: {workload: WORKLOAD, arch: ARCH}\ngoals: energy\n", 2, ("did you mean 'energy_pj'",)),
        ("sweep: {workload: WORKLOAD, arch: ARCH}\nsearch: {method: random}\n", 2, ("'points'",)),
        ("sweep: {workload: WORKLOAD, arch: ARCH}\nengine: nativ\n", 2, ("did you mean 'native'",)),
        ("sweep: {workload: WORKLOAD, arch: ARCH}\nestimator: tabel\n", 2, ("did you mean 'table'",)),
        ("sweep: {workload: WORKLOAD, arch: ARCH}\nconstraints: {max_energy: 3 mm}\n", 2, ("max_energy", "energy")),
        ("sweep: {workload: WORKLOAD, arch: ARCH}\nconstraints: {max_power: 3 W}\n", 2, ("unknown key",)),
        ("sweep: {workload: WORKLOAD, arch: ARCH, input: 1x3x8x8}\n", 1, ("writes its layers out",)),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, line: int, parts: tuple[str, ...]) -> None:
    with pytest.raises(EnergySimError) as raised:
        load_experiment(write_case(tmp_path, text))
    message = str(raised.value)
    assert message.startswith(f"{tmp_path / 'case.yaml'}:{line}: ") and "\n" not in message
    assert all(part in message for part in parts), message


def test_every_shipped_experiment_is_a_sweep_or_a_training() -> None:
    sweeps = [name for name in list_specs("experiments") if name.startswith("sweep")]
    assert "sweep_quick" in sweeps
    for name in list_specs("experiments"):
        content = load_yaml(spec_directory("experiments") / f"{name}.yaml").plain
        assert ("sweep" in content) == (name in sweeps) != ("recipe" in content)
        if name in sweeps:
            assert len(load_experiment(name).space) > 1
            with pytest.raises(EnergySimError, match=f"energysim sweep {name}"):
                load_training(name)
