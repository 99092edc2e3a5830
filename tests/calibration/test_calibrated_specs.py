"""From simulated measurements of a device with other constants back to those constants, through files and commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import energysim
from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.calibration import Row, calibrate
from energysim.calibration.features import Features, features_of
from energysim.calibration.measurements import COLUMNS
from energysim.calibration.models import energy_model, latency_model
from energysim.cli import cli
from energysim.errors import EnergySimError, NotFoundError

_NETS = Path(__file__).with_name("small_nets.py")
_ROWS = tuple(
    Row(f"{_NETS}:{factory}", batch, shape, 16, 1.0, 1.0)
    for factory, shape, batches in (
        ("convolutions", "1x16x16x16", (1, 4)),
        ("layers_many", "1x8x8x8", (1, 8)),
        ("linear_wide", "1x512", (1, 2)),
    )
    for batch in batches
)
_IDLE_W = 2.75
_TRUTH = {
    "efficiency.conv.compute": "0.3",
    **{f"efficiency.{c}.bandwidth": "0.6" for c in ("conv", "linear", "vector")},
    **{f"efficiency.{c}.launch_overhead": "12 us" for c in ("conv", "linear", "vector")},
    "FMA.energy.mac": "9 pJ",
    "DRAM.energy.read": "12 pJ/bit",
    "DRAM.energy.write": "12 pJ/bit",
    "idle_power": f"{_IDLE_W} W",
}
_CHOSEN = ["conv.compute", "bandwidth", "launch", "mac", "dram", "idle"]


@pytest.fixture(scope="module")
def nominal() -> tuple[Features, ...]:
    return features_of(_ROWS, load_arch("jetson_nano"), "latency")


@pytest.fixture(scope="module")
def measured() -> tuple[Row, ...]:
    """What a device with the constants of _TRUTH would measure."""
    device = load_arch("jetson_nano", _TRUTH)
    return tuple(
        Row(
            one.row.workload, one.row.batch, one.row.input, 16,
            one.cost.latency_s, one.cost.energy.value * 1e-12 + _IDLE_W * one.cost.latency_s,
        )
        for one in features_of(_ROWS, device, "latency")
    )  # fmt: skip


@pytest.fixture(scope="module")
def csv_file(measured: tuple[Row, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = [",".join(str(getattr(row, column)) for column in COLUMNS) for row in measured]
    file = tmp_path_factory.mktemp("calibration") / "device.csv"
    file.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    return file


@pytest.fixture(scope="module")
def device() -> ArchSpec:
    return load_arch("jetson_nano")


def test_the_models_predict_what_a_simulation_says(nominal: tuple[Features, ...], device: ArchSpec) -> None:
    times = latency_model(nominal, device)
    assert times.predict(np.array([p.start for p in times.parameters])) == pytest.approx(
        [one.cost.latency_s for one in nominal], rel=1e-9
    )
    untimed = [replace(one, row=replace(one.row, latency_s=None)) for one in nominal]
    energies = energy_model(untimed, device, lambda one: one.cost.latency_s)
    assert energies.predict(np.array([p.start for p in energies.parameters])) == pytest.approx(
        [one.cost.energy.value * 1e-12 + 1.5 * one.cost.latency_s for one in nominal], rel=1e-9
    )


def test_known_constants_come_back_and_the_errors_vanish(measured: tuple[Row, ...]) -> None:
    found = calibrate("jetson_nano", measured, chosen=_CHOSEN, objective="latency", name="mine")
    values = {one.name: one.value for one in found.fitted}
    assert values["conv.compute"] == pytest.approx(0.3, rel=1e-2)
    assert values["bandwidth"] == pytest.approx(0.6, rel=1e-2)
    assert values["launch"] == pytest.approx(12e-6, rel=1e-2)
    assert values["idle"] == pytest.approx(_IDLE_W, rel=1e-2)
    absolute = {one.name: one.value for one in found.absolute}
    assert absolute == pytest.approx({"mac": 9.0, "dram": 12.0 * 8}, rel=1e-2)
    assert max(abs(one.latency_error or 0) for one in found.before) > 0.2
    assert max(abs(one.latency_error or 0) for one in found.after) < 0.01
    assert max(abs(one.energy_error or 0) for one in found.after) < 0.01
    _check_spec(found.calibrated)


def _check_spec(spec: ArchSpec) -> None:
    assert spec.name == "mine" and spec.idle_power_w is not None
    assert all("uncalibrated" not in note for note in spec.assumptions)
    stated = dict(spec.provenance)
    for key in ("efficiency.conv.compute", "efficiency.vector.launch_overhead", "FMA.energy.mac", "DRAM.energy.read"):
        assert "fitted to n=6 measurements" in stated[key].source and energysim.__version__ in stated[key].source
        assert stated[key].low <= stated[key].value <= stated[key].high and not stated[key].estimate
    untouched = dict(load_arch("jetson_nano").provenance)
    assert stated["efficiency.linear.compute"] == untouched["efficiency.linear.compute"]
    assert stated["L2.capacity"] == untouched["L2.capacity"]


Invoke = Callable[..., tuple[int, str]]


@pytest.fixture
def invoke() -> Invoke:
    def run(*arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=True)
        if isinstance(done.exception, EnergySimError):
            return 2, str(done.exception)
        return done.exit_code, done.output

    return run


def test_the_command_writes_a_spec_that_simulates(invoke: Invoke, csv_file: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "mine.yaml", tmp_path / "report.json"
    fitted = ("--fit", "conv.compute,bandwidth,launch", "--objective", "latency")
    code, text = invoke("calibrate", "jetson_nano", "-m", csv_file, "-o", out, "--json", report, *fitted)
    assert code == 0 and "95 % interval" in text and "left out" in text
    data = json.loads(report.read_text())
    assert data["energy"] is None and data["latency"]["left_out_error"] is not None
    assert data["calibrated"]["name"] == "mine" == load_arch(out).name
    again = energysim.simulate(f"{_NETS}:layers_many", out, input="1x8x8x8", bits=16, objective="latency")
    assert again.variants[0].latency_s == pytest.approx(data["after"][2]["latency_s"], rel=1e-9)


def test_nothing_is_written_where_the_fit_is_refused(invoke: Invoke, csv_file: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    few.write_text("\n".join(csv_file.read_text().splitlines()[:3]) + "\n")
    code, text = invoke("calibrate", "jetson_nano", "-m", few, "-o", tmp_path / "mine.yaml", "--objective", "latency")
    assert code == 2 and "2 measurements do not determine" in text and "measure" in text
    assert not (tmp_path / "mine.yaml").exists()


def test_bad_arguments_end_in_one_error(invoke: Invoke, csv_file: Path, measured: tuple[Row, ...]) -> None:
    assert invoke("calibrate", "jetson_nano", "-m", csv_file, "-o", "out.txt")[1].startswith("the output 'out.txt'")
    with pytest.raises(NotFoundError, match=r"did you mean 'conv\.compute'"):
        calibrate("jetson_nano", measured, chosen=["conv.compte"])
    latencies = [Row(row.workload, row.batch, row.input, 16, row.latency_s) for row in measured]
    with pytest.raises(EnergySimError, match="nothing to fit"):
        calibrate("jetson_nano", latencies, chosen=["mac"], objective="latency")
