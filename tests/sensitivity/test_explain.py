"""Every swing is what a simulation with that one constant changed says; files that cannot be explained are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import energysim
from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.cli import cli
from energysim.cost.results import VariantCost
from energysim.errors import EnergySimError, NotFoundError, SpecError
from energysim.sensitivity import Explanation, Swing, explain, read_result
from energysim.simulation import SimulationResult
from energysim.spec_files import find_spec

_NET = f"{Path(__file__).parent.parent / 'calibration' / 'small_nets.py'}:convolutions"


def _simulate(arch: ArchSpec | str, variant: str = "layerwise") -> SimulationResult:
    """Mappings of least latency do not depend on the constants that are changed here."""
    return energysim.simulate(_NET, arch, input="1x16x16x16", objective="latency", variant=variant, tile=(8, 8))


@pytest.fixture(scope="module")
def result() -> SimulationResult:
    return _simulate("jetson_nano")


@pytest.fixture
def file(result: SimulationResult, tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    path.write_text(result.to_json())
    return path


@pytest.fixture
def explanation(file: Path) -> Explanation:
    return explain(read_result(file))


def _changed(path: str, value: str) -> VariantCost:
    return _simulate(load_arch("jetson_nano", {path: value})).variants[0]


def _swing(swings: tuple[Swing, ...], start: str) -> Swing:
    return next(swing for swing in swings if swing.name.startswith(start))


def test_shares_add_up_and_the_widest_comes_first(explanation: Explanation) -> None:
    for swings in (explanation.energy_swings, explanation.latency_swings):
        widths = [swing.width for swing in swings]
        assert widths == sorted(widths, reverse=True) and widths[0] > 0
        assert all(swing.constant.source for swing in swings)
    assert sum(swing.share for swing in explanation.energy_swings) == pytest.approx(1.0)


def test_all_lows_and_all_highs_together_give_the_interval(explanation: Explanation) -> None:
    whole = explanation.energy
    assert whole.low == pytest.approx(whole.value + sum(s.at_low - whole.value for s in explanation.energy_swings))
    assert whole.high == pytest.approx(whole.value + sum(s.at_high - whole.value for s in explanation.energy_swings))
    low_s, high_s = explanation.latency_interval_s
    assert low_s < explanation.latency_s < high_s
    assert min(min(s.at_low, s.at_high) for s in explanation.latency_swings) >= low_s


@pytest.mark.parametrize(
    ("name", "path", "low", "high"),
    [("FMA mac", "FMA.energy.mac", "3 pJ", "15 pJ"), ("DRAM read", "DRAM.energy", "4 pJ/bit", "20 pJ/bit")],
)
def test_an_energy_swing_is_what_a_changed_constant_gives(
    explanation: Explanation, name: str, path: str, low: str, high: str
) -> None:
    swing = _swing(explanation.energy_swings, name)
    for value, expected in ((low, swing.at_low), (high, swing.at_high)):
        paths = [path] if path.endswith("mac") else [f"{path}.read", f"{path}.write"]
        spec = load_arch("jetson_nano", dict.fromkeys(paths, value))
        assert _simulate(spec).variants[0].energy.value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "path", "low", "high"),
    [
        ("efficiency.conv.compute", "efficiency.conv.compute", "0.14", "0.78"),
        ("efficiency.conv.bandwidth", "efficiency.conv.bandwidth", "0.55", "0.92"),
        ("efficiency.conv.launch_overhead", "efficiency.conv.launch_overhead", "2 us", "50 us"),
        ("L2.bandwidth.shared", "L2.bandwidth.shared", "32 B/cycle", "64 B/cycle"),
    ],
)
def test_a_latency_swing_is_what_a_changed_constant_gives(
    explanation: Explanation, result: SimulationResult, name: str, path: str, low: str, high: str
) -> None:
    assert {layer.op_class for layer in result.variants[0].layers} == {"conv"}
    swings = [swing for swing in explanation.latency_swings if swing.name == name]
    for value, end in ((low, "at_low"), (high, "at_high")):
        changed = _changed(path, value).latency_s
        # A constant that never binds is not listed: changing it changes nothing.
        expected = getattr(swings[0], end) if swings else explanation.latency_s
        assert changed == pytest.approx(expected)


def test_the_interval_of_the_latency_is_every_constant_at_its_end(result: SimulationResult) -> None:
    low_s, high_s = result.variants[0].latency_interval_s
    slowest = {
        "efficiency.conv.compute": "0.14",
        "efficiency.conv.bandwidth": "0.55",
        "efficiency.conv.launch_overhead": "50 us",
        "L2.bandwidth.shared": "32 B/cycle",
        "SHARED.bandwidth.shared": "64 B/cycle",
    }
    assert _simulate(load_arch("jetson_nano", slowest)).variants[0].latency_s == pytest.approx(high_s)
    fastest = {"conv.compute": "0.78", "conv.bandwidth": "0.92", "conv.launch_overhead": "2 us"}
    spec = load_arch("jetson_nano", {f"efficiency.{key}": value for key, value in fastest.items()})
    assert _simulate(spec).variants[0].latency_s == pytest.approx(low_s)


def test_a_clock_with_a_range_moves_compute_and_chip_but_not_dram() -> None:
    ranged = load_arch("eyeriss")
    cost = _simulate(ranged).variants[0]
    low_s, high_s = cost.latency_interval_s
    clock = dict(ranged.provenance)["clock"]
    assert clock.low < clock.value < clock.high
    for layer in cost.layers:
        dram_s = dict(layer.peak_s)["DRAM"]
        assert layer.latency_low_s >= dram_s and layer.latency_high_s <= max(
            dram_s, layer.latency_s * clock.value / clock.low
        )
    assert low_s <= cost.latency_s <= high_s


def test_layers_of_different_widths_have_a_range_but_no_single_constant(file: Path) -> None:
    def widen(data: Any) -> None:
        for layer in data["variants"][0]["layers"]:
            for share in layer["shares"]:
                if (share["level"], share["action"]) == ("FMA", "mac"):
                    share["energy_low_pj"] = 0.9 * share["energy_pj"]

    explained = explain(read_result(_edited(file, widen)))
    swing = _swing(explained.energy_swings, "FMA mac")
    assert swing.unit == "x nominal" and swing.constant.low == pytest.approx(0.9)
    assert "different word widths" in swing.constant.source


def test_one_of_several_variants_is_explained_by_name(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    path.write_text(_simulate("jetson_nano", "all").to_json())
    stored = read_result(path)
    assert explain(stored).variant == "plain"
    tiled = explain(stored, "tiled")
    assert tiled.variant == "tiled" and tiled.energy.value == stored.result.variant("tiled").energy.value
    with pytest.raises(NotFoundError, match="did you mean 'tiled'"):
        explain(stored, "tield")


def _edited(file: Path, change: Any) -> Path:
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))
    return file


def _set(*keys: Any, value: Any) -> Any:
    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_set("arch", "sha256", value="0" * 64), SpecError, "is not the one that the result was made with"),
        (_set("arch", "name", value="my_chip"), NotFoundError, "not a shipped one (say where it is: --arch FILE)"),
        (_set("command", value=["simulate", "--ert", "ERT.yaml"]), SpecError, "come from an ERT"),
        (_set("schema", value=0), SpecError, "a result of schema 0, not 1"),
        (lambda data: data["variants"][0]["layers"][0].pop("shares"), SpecError, "no 'shares'"),
        (_set("variants", 0, "layers", 0, "peak_s", value=3), SpecError, "malformed"),
        (_set("variants", 0, "totals", "energy_pj", value=1.0), EnergySimError, "its parts sum to"),
        (_set("variants", 0, "totals", "latency_s", value=1.0), EnergySimError, "its parts sum to"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    file: Path, change: Any, error: type[EnergySimError], message: str
) -> None:
    with pytest.raises(error) as refused:
        explain(read_result(_edited(file, change)))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "this is no JSON"), ("[]", "no result of a simulation"), ("{}", "no result")]
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(SpecError, match=message):
        read_result(file)


def test_the_users_own_device_is_found_where_the_command_named_it(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(find_spec("arch_specs", "jetson_nano").read_text().replace("name: jetson_nano", "name: mine"))
    out, report = tmp_path / "result.json", tmp_path / "explained.json"
    runner = CliRunner()
    file = tmp_path / "result.json"
    file.write_text(_simulate(str(own)).to_json())
    with pytest.raises(NotFoundError, match="--arch FILE"):
        read_result(file)
    assert read_result(file, own).arch.name == "mine"
    _edited(file, _set("command", value=["energysim", "simulate", "net", "--arch", str(own)]))
    done = runner.invoke(cli, ["explain", str(out), "--json", str(report)])
    assert done.exit_code == 0 and "FMA mac" in done.output and "estimate: " in done.output
    assert json.loads(report.read_text())["arch"] == "mine"
