"""Windows of repeated inferences between two readings of the sensors, with idle measured before them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from energysim.errors import EnergySimError
from energysim.measure.recorder import Mark, Recorder
from energysim.measure.result import SensorResult, Spread, Window

SHORTEST_S = 2.0
"""Windows of at least this long: the counters of GPUs move every 20 to 100 ms, sampled power every 50 ms."""
_ROUNDING = 1e-9
_CHUNK_S = 0.2  # inferences between two synchronizations take about this long

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """``seconds`` per window at least, ``repeat`` windows, after ``idle_s`` at rest and ``warmup_s`` of inferences."""

    seconds: float = SHORTEST_S
    repeat: int = 5
    idle_s: float = SHORTEST_S
    warmup_s: float = 1.0


@dataclass(frozen=True)
class Task:
    """``run`` starts one inference; ``finish`` waits until all that were started are done."""

    run: Callable[[], object]
    finish: Callable[[], None]


@dataclass(frozen=True)
class Measured:
    """What the windows say, before it is put together with where it came from."""

    latency_s: Spread
    sensors: tuple[SensorResult, ...]
    windows: tuple[Window, ...]
    idle_seconds: float
    warmup_inferences: int
    interrupted: bool


def measure_task(
    task: Task,
    recorder: Recorder,
    options: Options,
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
    progress: Progress | None = None,
) -> Measured:
    """Latency and joules of one inference.

    Idle first (the model already in memory, nothing running), then warm-up, then windows of back-to-back inferences.
    An interrupt (Ctrl-C) ends it early and the complete windows are returned; without any, KeyboardInterrupt goes on.
    Raises EnergySimError where a window would take no time at all.
    """
    tell = progress or (lambda done, total, what: None)
    windows: list[Window] = []
    interrupted = False
    with recorder:
        tell(0, options.repeat, "idle")
        before = recorder.mark()
        sleep(options.idle_s)
        idle = before, recorder.mark()
        idle_w = [_watts(idle, index, recorder) for index in range(len(recorder.sensors))]
        tell(0, options.repeat, "warm-up")
        warmup, per_inference_s = _warm_up(task, options.warmup_s, clock)
        try:
            for number in range(options.repeat):
                tell(number, options.repeat, "window")
                windows.append(_window(task, recorder, options.seconds, per_inference_s, clock))
            tell(options.repeat, options.repeat, "done")
        except KeyboardInterrupt:
            if not windows:
                raise
            interrupted = True
        sensors = tuple(_result(index, recorder, idle_w[index], windows) for index in range(len(recorder.sensors)))
    latency_s = Spread.of([window.seconds / window.inferences for window in windows])
    return Measured(latency_s, sensors, tuple(windows), idle[1].at_s - idle[0].at_s, warmup, interrupted)


def _warm_up(task: Task, seconds: float, clock: Callable[[], float]) -> tuple[int, float]:
    """At least three inferences: (how many, seconds of the fastest)."""
    count, fastest_s, start_s = 0, float("inf"), clock()
    while count < 3 or clock() - start_s < seconds:
        before_s = clock()
        task.run()
        task.finish()
        fastest_s = min(fastest_s, clock() - before_s)
        count += 1
    if fastest_s <= 0:
        raise EnergySimError("an inference takes less time than the clock can tell", hint="raise --batch")
    return count, fastest_s


def _window(
    task: Task, recorder: Recorder, seconds: float, per_inference_s: float, clock: Callable[[], float]
) -> Window:
    chunk = max(1, round(_CHUNK_S / per_inference_s))
    task.finish()
    begin, done = recorder.mark(), 0
    while clock() - begin.at_s < seconds:
        for _ in range(chunk):
            task.run()
        task.finish()
        done += chunk
    end = recorder.mark()
    joules = tuple(
        None if index in recorder.failures else after - before
        for index, (before, after) in enumerate(zip(begin.joules, end.joules, strict=True))
    )
    return Window(end.at_s - begin.at_s, done, joules)


def _watts(between: tuple[Mark, Mark], index: int, recorder: Recorder) -> float | None:
    first, last = between
    seconds = last.at_s - first.at_s
    if index in recorder.failures or seconds <= 0:
        return None
    return (last.joules[index] - first.joules[index]) / seconds


def _result(index: int, recorder: Recorder, idle_w: float | None, windows: list[Window]) -> SensorResult:
    info = recorder.sensors[index].info
    joules = [window.joules[index] for window in windows]
    if index in recorder.failures or idle_w is None or any(j is None for j in joules):
        why = recorder.failures.get(index, "it was not read")
        return SensorResult(info, None, None, None, None, f"failed while measuring: {why}")
    measured = [(window, joule) for window, joule in zip(windows, joules, strict=True) if joule is not None]
    power = Spread.of([joule / window.seconds for window, joule in measured])
    total = Spread.of([joule / window.inferences for window, joule in measured])
    above = Spread.of([(joule - idle_w * window.seconds) / window.inferences for window, joule in measured])
    if above.mean <= _ROUNDING * total.mean:
        why = f"not above idle: {power.mean:.3g} W while busy, {idle_w:.3g} W at rest"
        return SensorResult(info, idle_w, power, total, None, why)
    return SensorResult(info, idle_w, power, total, above)
