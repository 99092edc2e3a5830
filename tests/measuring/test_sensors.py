"""Readers on the layouts of real machines: what they find, in which unit, and what they say where nothing is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sysfs_trees

from energysim.measure.ina3221 import ina3221_sensors
from energysim.measure.nvml import nvml_sensors
from energysim.measure.rapl import rapl_sensors
from energysim.measure.sensors import Sensors
from energysim.measure.zeus_sensors import zeus_sensors


def _readings(sensors: Sensors) -> dict[str, float]:
    return {sensor.info.name: sensor.read() for sensor in sensors.found}


def _headline(sensors: Sensors) -> list[str]:
    return [sensor.info.name for sensor in sensors.found if sensor.info.headline]


def test_nano_reads_milliwatts_and_its_input_rail_is_the_headline(tmp_path: Path) -> None:
    sensors = ina3221_sensors(sysfs_trees.nano(tmp_path))
    assert _headline(sensors) == ["INA3221 POM_5V_IN"]
    assert _readings(sensors) == pytest.approx(
        {"INA3221 POM_5V_IN": 2.799, "INA3221 POM_5V_GPU": 0.123, "INA3221 POM_5V_CPU": 0.697}
    )
    assert not sensors.missing and not sensors.found[0].info.counts


def test_orin_nano_multiplies_millivolts_and_milliamperes(tmp_path: Path) -> None:
    sensors = ina3221_sensors(sysfs_trees.orin_nano(tmp_path))
    assert _headline(sensors) == ["INA3221 VDD_IN"]
    assert _readings(sensors) == pytest.approx(
        {
            "INA3221 VDD_IN": 4.976 * 1.104,
            "INA3221 VDD_CPU_GPU_CV": 4.976 * 0.152,
            "INA3221 VDD_SOC": 4.976 * 0.304,
        }
    )


def test_agx_xavier_adds_its_six_rails(tmp_path: Path) -> None:
    sensors = ina3221_sensors(sysfs_trees.agx_xavier(tmp_path))
    assert _headline(sensors) == ["INA3221 GPU + CPU + SOC + CV + VDDRQ + SYS5V"]
    assert sensors.found[0].read() == pytest.approx(6.0)
    assert len(sensors.found) == 7


def test_rails_of_which_none_is_the_input_are_shown_but_never_added_up(tmp_path: Path) -> None:
    sensors = ina3221_sensors(sysfs_trees.agx_orin(tmp_path))
    assert _headline(sensors) == []
    assert set(_readings(sensors)) == {
        "INA3221 VDD_GPU_SOC", "INA3221 VDD_CPU_CV", "INA3221 VIN_SYS_5V0", "INA3221 VDDQ_VDD2_1V8AO",
    }  # fmt: skip
    assert "none of the rails" in sensors.missing[0].reason


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("NVIDIA Jetson Nano 2GB Developer Kit", "has no power monitor"),
        ("NVIDIA Jetson Nano Developer Kit", "driver is not loaded"),
        (None, "not a Jetson"),
    ],
)
def test_no_monitor_says_why(tmp_path: Path, model: str | None, reason: str) -> None:
    if model is not None:
        sysfs_trees.write(tmp_path, {"proc/device-tree/model": model + "\0"})
    sensors = ina3221_sensors(tmp_path)
    assert not sensors.found and reason in sensors.missing[0].reason


def test_a_rail_that_cannot_be_read_is_unavailable_and_the_others_stay(tmp_path: Path) -> None:
    root = sysfs_trees.nano(tmp_path)
    device = root / "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    (device / "in_power1_input").unlink()
    (device / "in_power2_input").write_text("garbage\n")
    sensors = ina3221_sensors(root)
    assert [sensor.info.name for sensor in sensors.found] == ["INA3221 POM_5V_IN"]
    assert {gone.name for gone in sensors.missing} == {"INA3221 POM_5V_GPU", "INA3221 POM_5V_CPU"}
    (device / "in_power0_input").write_text("\n")
    with pytest.raises(OSError, match="no number"):
        sensors.found[0].read()


def test_rapl_takes_packages_and_memory_but_nothing_twice(tmp_path: Path) -> None:
    sensors = rapl_sensors(sysfs_trees.powercap(tmp_path))
    assert [sensor.info.name for sensor in sensors.found] == ["RAPL package-0", "RAPL package-0 dram", "RAPL package-1"]
    assert all(sensor.info.counts and sensor.info.headline for sensor in sensors.found)


def test_rapl_counts_microjoules_and_undoes_a_wrap(tmp_path: Path) -> None:
    root = sysfs_trees.powercap(tmp_path)
    package, memory, _ = rapl_sensors(root).found
    (root / "intel-rapl:0/energy_uj").write_text("3500000\n")
    assert package.read() == pytest.approx(2.5)
    (root / "intel-rapl:0/energy_uj").write_text("500000\n")  # 262,143.328850 J per turn
    assert package.read() == pytest.approx(2.5 + 262_143.328850 - 3.0)
    assert memory.read() == 0.0


def test_rapl_for_root_only_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = sysfs_trees.powercap(tmp_path)
    read_text = Path.read_text

    def refuse(path: Path, *args: Any, **kwargs: Any) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    sensors = rapl_sensors(root)
    assert not sensors.found and len(sensors.missing) == 3
    assert "root" in sensors.missing[0].reason


def test_no_powercap_and_an_empty_one_say_why(tmp_path: Path) -> None:
    assert "does not exist" in rapl_sensors(tmp_path / "powercap").missing[0].reason
    assert "no RAPL package" in rapl_sensors(tmp_path).missing[0].reason


class _NvmlError(Exception):
    pass


class _Nvml:
    """Answers like pynvml for one GPU; ``refused`` functions are not supported, as on older GPUs and on Jetson."""

    NVMLError = _NvmlError

    def __init__(self, *refused: str) -> None:
        self._refused = refused

    def _ask(self, function: str, answer: Any) -> Any:
        if function in self._refused:
            raise _NvmlError("Not Supported")
        return answer

    def nvmlInit(self) -> None:  # noqa: N802
        self._ask("init", None)

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        return str(self._ask("handle", uuid))

    def nvmlDeviceGetName(self, _handle: str) -> bytes:  # noqa: N802
        return b"NVIDIA Test GPU"

    def nvmlDeviceGetTotalEnergyConsumption(self, _handle: str) -> int:  # noqa: N802
        return int(self._ask("energy", 12_345))

    def nvmlDeviceGetPowerUsage(self, _handle: str) -> int:  # noqa: N802
        return int(self._ask("power", 68_000))


def test_nvml_prefers_the_counter_and_falls_back_to_power() -> None:
    (counter,) = nvml_sensors("GPU-1", _Nvml()).found
    assert counter.info.counts and counter.read() == pytest.approx(12.345)
    (sampled,) = nvml_sensors("GPU-1", _Nvml("energy")).found
    assert not sampled.info.counts and sampled.read() == pytest.approx(68.0)
    assert sampled.info.name == "NVML NVIDIA Test GPU"


@pytest.mark.parametrize(
    ("refused", "reason"), [(("energy", "power"), "neither energy nor power"), (("handle",), "does not answer")]
)
def test_nvml_without_power_is_unavailable_with_the_reason(refused: tuple[str, ...], reason: str) -> None:
    sensors = nvml_sensors("GPU-1", _Nvml(*refused))
    assert not sensors.found and reason in sensors.missing[0].reason and "Not Supported" in sensors.missing[0].reason


def test_zeus_counts_millijoules_and_tells_what_it_cannot_reach() -> None:
    gpus = SimpleNamespace(get_total_energy_consumption=lambda index: 2_000 + index)

    def no_cpus() -> None:
        raise RuntimeError("RAPL unavailable")

    sensors = zeus_sensors("cuda", 0, SimpleNamespace(get_gpus=lambda: gpus, get_cpus=no_cpus))
    assert [sensor.read() for sensor in sensors.found] == [2.0]
    assert sensors.missing[0].reason == "RAPL unavailable"
