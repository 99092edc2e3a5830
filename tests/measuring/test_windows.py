"""Windows on a clock and sensors of the test's own: joules, idle, statistics, failures and interrupts are exact."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from energysim.errors import EnergySimError, UnavailableError
from energysim.measure import Options, Recorder, SensorInfo, Sensors, Task, Unavailable, measure_model, measure_task
from energysim.measure.inference import Measured


class _Machine:
    """A device whose inference takes 10 ms at 7 W; at rest it takes 2 W. Its clock moves only when something runs."""

    def __init__(self, idle_w: float = 2.0, busy_w: float = 7.0) -> None:
        self.now_s, self.joules, self.watts = 0.0, 0.0, idle_w
        self.idle_w, self.busy_w = idle_w, busy_w
        self.pending = 0

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self._pass(seconds, self.idle_w)

    def run(self) -> None:
        self.pending += 1

    def finish(self) -> None:
        self._pass(0.01 * self.pending, self.busy_w)
        self.pending = 0

    def _pass(self, seconds: float, watts: float) -> None:
        if seconds:
            self.now_s, self.joules, self.watts = self.now_s + seconds, self.joules + seconds * watts, watts


class _Counter:
    """Energy counter of the machine; fails from ``broken_at_s`` on."""

    def __init__(self, machine: _Machine, broken_at_s: float = float("inf"), headline: bool = True) -> None:
        self.machine, self.broken_at_s = machine, broken_at_s
        self.info = SensorInfo("counter", "all", counts=True, where="test", headline=headline)

    def read(self) -> float:
        if self.machine.now_s >= self.broken_at_s:
            raise OSError("unplugged")
        return 100.0 + self.machine.joules


class _Power:
    def __init__(self, watts: list[float]) -> None:
        self.watts = iter(watts)
        self.info = SensorInfo("power", "all", counts=False, where="test")

    def read(self) -> float:
        return next(self.watts)


_OPTIONS = Options(seconds=2.0, repeat=3, idle_s=4.0, warmup_s=0.5)


def _measure(machine: _Machine, *sensors: _Counter) -> Measured:
    recorder = Recorder(sensors, interval_s=None, clock=machine.clock)
    task = Task(machine.run, machine.finish)
    return measure_task(task, recorder, _OPTIONS, clock=machine.clock, sleep=machine.sleep)


def test_latency_energy_and_idle_are_exact() -> None:
    machine = _Machine()
    measured = _measure(machine, _Counter(machine))
    (sensor,) = measured.sensors
    assert measured.latency_s.mean == pytest.approx(0.01) and measured.latency_s.n == 3
    assert measured.latency_s.sd == pytest.approx(0.0, abs=1e-12)
    assert sensor.idle_w == pytest.approx(2.0) and measured.idle_seconds == pytest.approx(4.0)
    assert sensor.power_w is not None and sensor.power_w.mean == pytest.approx(7.0)
    assert sensor.total_j is not None and sensor.total_j.mean == pytest.approx(0.07)
    assert sensor.energy_j is not None and sensor.energy_j.mean == pytest.approx(0.05)
    assert all(window.seconds >= 2.0 - 1e-9 for window in measured.windows)


def test_a_sensor_that_fails_is_unavailable_not_zero_and_the_latency_stays() -> None:
    machine = _Machine()
    measured = _measure(machine, _Counter(machine, broken_at_s=6.0), _Counter(machine))
    broken, whole = measured.sensors
    assert broken.energy_j is None and broken.unavailable == "failed while measuring: unplugged"
    assert whole.energy_j is not None and measured.latency_s.mean == pytest.approx(0.01)


def test_energy_not_above_idle_is_unavailable() -> None:
    machine = _Machine(idle_w=3.0, busy_w=3.0)
    (sensor,) = _measure(machine, _Counter(machine)).sensors
    assert sensor.energy_j is None and "not above idle" in (sensor.unavailable or "")


def test_sampled_power_is_integrated_by_trapezoids() -> None:
    times = iter([0.0, 0.0, 1.0, 1.0, 3.0, 3.0])
    recorder = Recorder([_Power([2.0, 4.0, 10.0])], interval_s=None, clock=lambda: next(times))
    marks = [recorder.mark() for _ in range(3)]
    assert [mark.joules[0] for mark in marks] == pytest.approx([0.0, 3.0, 3.0 + 14.0])


def test_the_recorder_reads_on_its_own_between_marks() -> None:
    machine = _Machine()
    with Recorder([_Counter(machine)], interval_s=0.001) as recorder:
        while recorder.mark().readings < 50:
            pass
        before = recorder.mark().readings
        import time

        time.sleep(0.2)
        assert recorder.mark().readings > before + 1


def test_an_interrupt_keeps_complete_windows_and_without_any_goes_on() -> None:
    machine = _Machine()

    def interrupted_at(second: float) -> Measured:
        def run() -> None:
            if machine.now_s >= second:
                raise KeyboardInterrupt
            machine.run()

        recorder = Recorder([_Counter(machine)], interval_s=None, clock=machine.clock)
        return measure_task(Task(run, machine.finish), recorder, _OPTIONS, clock=machine.clock, sleep=machine.sleep)

    measured = interrupted_at(4.0 + 0.5 + 2.0 + 1.0)
    assert measured.interrupted and len(measured.windows) == 1 and measured.latency_s.sd is None
    with pytest.raises(KeyboardInterrupt):
        interrupted_at(machine.now_s + 5.0)


def test_an_inference_without_duration_is_refused() -> None:
    machine = _Machine()
    recorder = Recorder([], interval_s=None, clock=machine.clock)
    with pytest.raises(EnergySimError, match="less time than the clock"):
        measure_task(
            Task(lambda: None, lambda: None), recorder, Options(warmup_s=0), clock=lambda: 0.0, sleep=machine.sleep
        )


_QUICK = Options(seconds=0.02, repeat=2, idle_s=0.0, warmup_s=0.0)


def test_a_model_is_measured_and_the_json_says_what_is_missing() -> None:
    missing = Sensors(missing=(Unavailable("RAPL", "no processor counts here"),))
    result = measure_model(nn.Linear(8, 8), (torch.zeros(4, 8),), "cpu", options=_QUICK, sensors=missing)
    data = json.loads(json.dumps(result.to_dict()))
    assert data["latency_s"]["mean"] > 0 and data["latency_s"]["n"] == 2
    assert data["energy_j"] is None and data["total_energy_j"] is None
    assert data["unavailable"] == "RAPL: no processor counts here"
    assert data["workload"] == {"name": "Linear", "input": "4x8", "batch": 4, "bits": 32}
    assert {"date", "torch", "processor", "threads"} <= set(data["provenance"])


def test_the_headline_adds_its_sensors_and_leaves_the_others_out() -> None:
    machine = _Machine()

    class Second(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            machine._pass(1.0, machine.busy_w)
            return x

    found = (_Counter(machine), _Counter(machine), _Counter(machine, headline=False))
    result = measure_model(Second(), (torch.zeros(1),), "cpu", options=_QUICK, sensors=Sensors(found))
    total = result.total_j()
    assert total is not None and total.mean == pytest.approx(2 * 7.0)
    assert [sensor.info.headline for sensor in result.sensors] == [True, True, False]


def test_bad_devices_models_and_widths_end_in_one_error() -> None:
    inputs = (torch.zeros(1, 3),)
    with pytest.raises(EnergySimError, match="no device named 'gpu'"):
        measure_model(nn.Linear(3, 1), inputs, "gpu")
    with pytest.raises(EnergySimError, match="does not run on cpu"):
        measure_model(nn.Linear(4, 1), inputs, "cpu")
    with pytest.raises(EnergySimError, match="half precision"):
        measure_model(nn.Linear(3, 1), inputs, "cpu", bits=16)
    if not torch.cuda.is_available():
        with pytest.raises(UnavailableError, match="no CUDA device"):
            measure_model(nn.Linear(3, 1), inputs, "cuda")
