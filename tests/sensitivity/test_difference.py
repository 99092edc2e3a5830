"""Differences and their ranges: against all corners, samples inside, and simulations with other constants."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

import energysim
from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.cli import cli
from energysim.errors import NotFoundError
from energysim.sensitivity import DeviceResult, difference
from energysim.sensitivity.busy import Busy, Speed
from energysim.sensitivity.latency_range import latency_range
from energysim.sensitivity.spread import Spread, Terms, difference_range, ratio_range
from energysim.simulation import SimulationResult, StoredResult
from energysim.spec_files import find_spec

_NET = f"{Path(__file__).parent.parent / 'calibration' / 'small_nets.py'}:convolutions"


@pytest.fixture(scope="module")
def result() -> SimulationResult:
    """All variants; mappings of least latency do not depend on the constants of energy."""
    return _simulate("jetson_nano", "all")


def _simulate(arch: ArchSpec | str, variant: str) -> SimulationResult:
    return energysim.simulate(_NET, arch, input="1x16x16x16", objective="latency", variant=variant, tile=(8, 8))


def _device(result: SimulationResult) -> DeviceResult:
    return DeviceResult(result.stored(), result.arch)


# --- ranges of sums ---------------------------------------------------------------------------------------------------

_spreads = st.lists(st.floats(0, 100), min_size=3, max_size=3).map(lambda values: Spread(*sorted(values)))


@st.composite
def _sums(draw: st.DrawFn) -> tuple[Terms, Terms]:
    """Sums over some of five constants, some shared. What a shared constant adds to both is proportional."""
    first: dict[str, Spread] = {}
    second: dict[str, Spread] = {}
    for name in draw(st.lists(st.sampled_from("abcde"), min_size=1, unique=True)):
        spread = draw(_spreads)
        for side in draw(st.sampled_from(((first,), (second,), (first, second)))):
            weight = draw(st.floats(0.0, 10.0))
            side[name] = Spread(spread.low * weight, spread.value * weight, spread.high * weight)
    return first, second


def _at(terms: Terms, chosen: dict[Any, float]) -> float:
    return sum(spread.low + chosen[name] * (spread.high - spread.low) for name, spread in terms.items())


@given(_sums(), st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_ranges_are_those_of_all_corners_and_hold_inside(sums: tuple[Terms, Terms], inside: list[float]) -> None:
    first, second = sums
    names = sorted({*first, *second}, key=str)
    corners = [dict(zip(names, ends, strict=True)) for ends in product((0.0, 1.0), repeat=len(names))]
    low, high = difference_range(first, second)
    found = [_at(second, corner) - _at(first, corner) for corner in corners]
    assert (low, high) == (pytest.approx(min(found), abs=1e-9), pytest.approx(max(found), abs=1e-9))
    point = dict(zip(names, inside, strict=False))
    assert low - 1e-9 <= _at(second, point) - _at(first, point) <= high + 1e-9
    ratios = ratio_range(first, second)
    least = min(_at(first, corner) for corner in corners)
    if ratios is None:
        assert least == 0
    elif least > 1e-6:
        found = [_at(second, corner) / _at(first, corner) for corner in corners]
        assert ratios == (pytest.approx(min(found)), pytest.approx(max(found)))
        assert ratios[0] * (1 - 1e-9) <= _at(second, point) / _at(first, point) <= ratios[1] * (1 + 1e-9)


# --- ranges of latencies ----------------------------------------------------------------------------------------------


@st.composite
def _speeds(draw: st.DrawFn) -> tuple[Speed, Speed]:
    """Two latencies of up to four layers and three resources over three constants that both may use."""
    ranges = {name: (draw(st.floats(0.2, 1.0)), draw(st.floats(1.0, 5.0))) for name in "xyz"}
    found = []
    for _ in range(2):
        layers = draw(st.integers(1, 4))
        cells = layers * 3
        seconds = draw(st.lists(st.floats(0.1, 10.0), min_size=cells, max_size=cells))
        uses = draw(st.lists(st.booleans(), min_size=3 * cells, max_size=3 * cells))
        busy = Busy(tuple("xyz"), np.array(seconds).reshape(layers, 3), np.array(uses).reshape(layers, 3, 3))
        launch = draw(st.floats(0.0, 2.0))
        found.append(Speed(busy, ranges, {"launch": Spread(launch / 2, launch, launch * 3)}))
    return found[0], found[1]


@settings(max_examples=25, deadline=None)
@given(_speeds())
def test_latency_bounds_hold_on_a_grid_and_are_attained(speeds: tuple[Speed, Speed]) -> None:
    first, second = speeds
    bounds = latency_range(first, second)
    axes = [np.geomspace(*first.ranges[name], 7) for name in "xyz"]
    grid = np.array(list(product(*axes)))
    differences, ratios = [], []
    for end in ("low", "value", "high"):
        a, b = (speed.busy.latencies(grid) + getattr(speed.launches["launch"], end) for speed in speeds)
        differences.append(b - a)
        ratios.append(b / a)
    low, high = bounds.difference_s
    noise = 1e-9 * (abs(low) + abs(high) + first.busy.latencies(grid).max())
    assert low - noise <= np.min(differences) and np.max(differences) <= high + noise
    assert bounds.ratio[0] * (1 - 1e-6) <= np.min(ratios) and np.max(ratios) <= bounds.ratio[1] * (1 + 1e-6)
    same = latency_range(first, first)
    assert same.difference_s == pytest.approx((0, 0), abs=1e-8) and same.ratio == pytest.approx((1, 1))


@settings(max_examples=25, deadline=None)
@given(_speeds())
def test_against_layers_of_one_resource_the_corners_are_exact(speeds: tuple[Speed, Speed]) -> None:
    """What is taken off has no kinks then, and only that can move the greatest difference off the corners."""
    kinked, other = speeds
    first = replace(kinked, busy=replace(kinked.busy, seconds=kinked.busy.seconds * [1, 0, 0]))
    corners = np.array(list(product(*(first.ranges[name] for name in "xyz"))))
    ends = [(speed.launches["launch"].low, speed.launches["launch"].high) for speed in (first, other)]
    launch = max(ends[1][0] - ends[0][0], ends[1][1] - ends[0][1])
    greatest = float(np.max(other.busy.latencies(corners) - first.busy.latencies(corners))) + launch
    assert latency_range(first, other).difference_s[1] == pytest.approx(greatest)


def test_a_difference_that_is_greatest_between_the_corners_is_bounded() -> None:
    """max(1, s) against 0.5 + 0.5 s: equal at s = 1, where it is greatest, smaller at both ends."""
    uses = np.array([[[False], [True]]])
    kinked = Speed(Busy(("s",), np.array([[1.0, 1.0]]), uses), {"s": (0.5, 2.0)}, {})
    line = Speed(Busy(("s",), np.array([[0.5], [0.5]]), np.array([[[False]], [[True]]])), {"s": (0.5, 2.0)}, {})
    bounds = latency_range(kinked, line)
    assert bounds.difference_s[0] == pytest.approx(-0.5)
    assert 0 <= bounds.difference_s[1] < 0.02


# --- whole results ----------------------------------------------------------------------------------------------------


def test_a_result_does_not_differ_from_itself(result: SimulationResult) -> None:
    found = difference(result.stored(), result.stored(), "tiled")
    changes = (*found.totals, *found.levels, *found.tensors, *(layer.energy for layer in found.layers))
    assert {change.verdict for change in changes} == {"the same"}
    assert found.setup == () and found.notes == ()
    assert len(found.layers) == len(result.variants[0].layers) and not found.only_first and not found.only_second


def test_parts_add_up_to_the_total(result: SimulationResult) -> None:
    found = difference(_device(result), _device(result), "plain", "tiled")
    energy = found.total("energy").difference
    for parts in (found.levels, found.tensors, [layer.energy for layer in found.layers]):
        assert sum(change.difference for change in parts) == pytest.approx(energy)
    assert found.total("EDP").second == result.stored().variant("tiled").edp_js
    assert ("tile", "-", "8x8") in found.setup


@pytest.mark.parametrize("seed", range(4))
def test_simulations_with_other_constants_stay_in_the_ranges(result: SimulationResult, seed: int) -> None:
    """Constants anywhere in their ranges, the same for both variants."""
    random = np.random.default_rng(seed)
    found = difference(_device(result), _device(result), "plain", "tiled")
    mac, dram = random.uniform(3, 15), random.uniform(4, 20)
    overrides = {
        "FMA.energy.mac": f"{mac} pJ",
        "DRAM.energy.read": f"{dram} pJ/bit",
        "DRAM.energy.write": f"{dram} pJ/bit",
    }
    overrides |= {
        "efficiency.conv.compute": str(random.uniform(0.14, 0.78)),
        "efficiency.conv.bandwidth": str(random.uniform(0.55, 0.92)),
        "efficiency.conv.launch_overhead": f"{random.uniform(2, 50)} us",
    }
    changed = load_arch("jetson_nano", overrides)
    plain, tiled = (_simulate(changed, variant).variants[0] for variant in ("plain", "tiled"))
    for name, first, second in (
        ("energy", plain.energy.value, tiled.energy.value),
        ("latency", plain.latency_s, tiled.latency_s),
        ("EDP", plain.edp_js, tiled.edp_js),
    ):
        change = found.total(name)
        if change.difference_range is not None:
            assert change.difference_range[0] <= second - first <= change.difference_range[1]
        assert change.ratio_range is not None
        assert change.ratio_range[0] <= second / first <= change.ratio_range[1]


def test_a_shared_constant_cancels_and_that_of_another_device_does_not(result: SimulationResult) -> None:
    """MACs are the same in both variants, so the wide range of a MAC's energy leaves no trace; beside another device it
    counts in full."""
    here = difference(_device(result), _device(result), "plain", "tiled")
    compute = next(change for change in here.tensors if change.name == "compute")
    assert compute.first > 0 and compute.difference_range == (0, 0) and compute.verdict == "the same"
    assert here.total("energy").verdict == "robust"
    other = _simulate("eyeriss", "plain")
    apart = difference(_device(result), _device(other), "plain")
    a, b = result.stored().variant("plain"), other.variants[0]
    assert apart.total("energy").difference_range == pytest.approx(
        (b.energy.low - a.energy.high, b.energy.high - a.energy.low)
    )
    (low_a, high_a), (low_b, high_b) = a.latency_interval_s, b.latency_interval_s
    assert apart.total("latency").difference_range == pytest.approx((low_b - high_a, high_b - low_a))


def test_a_changed_device_of_one_name_shares_what_it_did_not_change(result: SimulationResult) -> None:
    """Another MAC energy: only it moves apart."""
    changed = _simulate(load_arch("jetson_nano", {"FMA.energy.mac": "6.5 pJ"}), "plain")
    found = difference(_device(result), _device(changed), "plain")
    verdicts = {change.name: change.difference_range for change in found.levels}
    assert verdicts["DRAM"] == (0, 0) and verdicts["REG"] == (0, 0)
    assert verdicts["FMA"] is not None and verdicts["FMA"][0] < 0 < verdicts["FMA"][1]
    assert found.total("latency").verdict == "the same"


def test_widths_of_a_multiplier_are_constants_of_their_own(result: SimulationResult) -> None:
    """Without the device a MAC of 8 bits is told from one of 16 even where their ranges have the same proportions."""
    stored = replace(result.stored(), arch="unknown", variants=result.variants[:1])
    assert stored.bits == 16
    wide = replace(stored, bits=8)
    found = difference(stored, wide)
    assert {change.name: change.difference_range for change in found.levels}["DRAM"] == (0, 0)
    mac = next(change for change in found.levels if change.name == "FMA")
    assert mac.difference_range is not None and mac.difference_range[0] < 0 < mac.difference_range[1]
    assert len(found.notes) == 1 and "'unknown'" in found.notes[0]


def _renamed(result: StoredResult, names: dict[int, str], keep: slice = slice(None)) -> StoredResult:
    variant = result.variants[0]
    layers = [replace(layer, name=names.get(at, layer.name)) for at, layer in enumerate(variant.layers)]
    return replace(result, variants=(replace(variant, layers=tuple(layers[keep])),))


def test_layers_are_matched_by_name_else_by_order(result: SimulationResult) -> None:
    stored = result.stored()
    names = [layer.name for layer in stored.variants[0].layers]
    one = difference(stored, _renamed(stored, {0: "other"}))
    assert one.only_first == (names[0],) and one.only_second == ("other",)
    assert [layer.name for layer in one.layers] == names[1:]
    every = difference(stored, _renamed(stored, {at: f"n{at}" for at in range(len(names))}))
    assert [layer.name for layer in every.layers] == [f"{name} -> n{at}" for at, name in enumerate(names)]
    twice = difference(stored, _renamed(stored, dict.fromkeys(range(len(names)), names[0])))
    assert twice.only_second == (names[0],) * (len(names) - 1)
    fewer = difference(stored, _renamed(stored, {at: f"n{at}" for at in range(len(names))}, slice(1, None)))
    assert not fewer.layers and len(fewer.only_first) == len(names) and len(fewer.only_second) == len(names) - 1


def test_python_gets_tables(result: SimulationResult) -> None:
    found = difference(result.stored(), result.stored(), "plain", "full")
    frame = found.to_pandas()
    assert list(frame.query("part == 'total'").name)[:3] == ["energy", "latency", "EDP"]
    assert len(frame) == len(found.totals) + len(found.levels) + len(found.tensors) + 3 * len(found.layers)
    assert "<table" in found._repr_html_() and "energy" in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["totals"][0]["verdict"] == found.total("energy").verdict


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(result: SimulationResult, tmp_path: Path) -> tuple[str, str]:
    every, tiled = tmp_path / "all.json", tmp_path / "tiled.json"
    every.write_text(result.to_json())
    data = result.to_dict()
    data["variants"] = [variant for variant in data["variants"] if variant["variant"] == "tiled"]
    tiled.write_text(json.dumps(data))
    return str(every), str(tiled)


def _compare(*words: str) -> Result:
    return CliRunner().invoke(cli, ["compare", *words])


def test_two_files_are_compared_variant_by_variant(files: tuple[str, str], tmp_path: Path) -> None:
    report, page = tmp_path / "out.json", tmp_path / "out.md"
    done = _compare(files[0], files[0], "--json", str(report), "--markdown", str(page))
    assert done.exit_code == 0, done.output
    found = json.loads(report.read_text())["differences"]
    names = [variant["variant"] for variant in json.loads(Path(files[0]).read_text())["variants"]]
    assert [one["first"].rpartition(", ")[2] for one in found] == names
    assert "second over first" in done.output and "second over first" in page.read_text()
    only = _compare(*files, "--json", "-")
    assert only.exit_code == 0
    (one,) = json.loads(only.output)["differences"]
    assert one["second"].endswith("tiled") and one["totals"][0]["verdict"] == "the same"


def test_two_variants_of_one_file(files: tuple[str, str]) -> None:
    done = _compare(files[0], "--variants", "plain,tiled", "--top", "1")
    assert done.exit_code == 0 and "robust" in done.output and "counted" in done.output
    assert "layers: second - first" in done.output


def test_the_file_of_a_device_of_ones_own_may_be_named(result: SimulationResult, tmp_path: Path) -> None:
    own, file = tmp_path / "mine.yaml", tmp_path / "result.json"
    own.write_text(find_spec("arch_specs", "jetson_nano").read_text().replace("name: jetson_nano", "name: mine"))
    arch = load_arch(own)
    file.write_text(replace(result, arch=arch).to_json())
    without = _compare(str(file), "--variants", "plain,tiled", "--json", "-")
    named = _compare(str(file), "--variants", "plain,tiled", "--json", "-", "--arch", str(own))
    (alone,), (found,) = (json.loads(done.output)["differences"] for done in (without, named))
    assert "'mine'" in alone["notes"][0] and found["notes"] == []
    assert found["totals"][1]["high"] < alone["totals"][1]["high"]  # latencies that share their constants


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{all}", "runs/some"), "one kind is right"),
        (("{all}",), "a second result is missing"),
        (("{all}", "{tiled}", "--variants", "plain,full"), "of one result"),
        (("{all}", "--variants", "plain"), "two names or more"),
        (("runs/some", "--variant", "plain"), "runs have no variants"),
    ],
)
def test_a_wrong_call_says_what_is_right(files: tuple[str, str], words: tuple[str, ...], message: str) -> None:
    done = _compare(*(word.format(all=files[0], tiled=files[1]) for word in words))
    assert done.exit_code == 2 and message in done.output


def test_variants_that_are_not_there_are_named(files: tuple[str, str], tmp_path: Path) -> None:
    done = _compare(*files, "--variant", "tield")
    assert isinstance(done.exception, NotFoundError) and "did you mean 'tiled'" in str(done.exception)
    other = tmp_path / "renamed.json"
    data = json.loads(Path(files[1]).read_text())
    data["variants"][0]["variant"] = "mine"
    other.write_text(json.dumps(data))
    done = _compare(files[0], str(other))
    assert isinstance(done.exception, NotFoundError) and "no variant is in both" in str(done.exception)
