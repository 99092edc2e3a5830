"""Joules of several sensors at once, by a thread that reads them all while something else runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from energysim.measure.sensors import Sensor

INTERVAL_S = 0.05
"""Fast enough for power that changes over a window of seconds, slow enough not to disturb what is measured."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The clock and every sensor's joules so far, in the order of the sensors; ``readings`` so far."""

    at_s: float
    joules: tuple[float, ...]
    readings: int


class Recorder:
    """Reads sensors at every mark and, between marks, every ``interval_s`` (None: only at marks).

    Counters are differenced; sampled power is integrated by the trapezoidal rule. A sensor that fails once is out:
    ``failures`` says why.
    """

    def __init__(
        self,
        sensors: Sequence[Sensor],
        interval_s: float | None = INTERVAL_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.sensors = tuple(sensors)
        self.failures: dict[int, str] = {}
        self._clock, self._interval_s = clock, interval_s
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._joules = [0.0] * len(self.sensors)
        self._last = [0.0] * len(self.sensors)
        self._last_s: list[float | None] = [None] * len(self.sensors)
        self._readings = 0
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Recorder:
        self.mark()
        if self._interval_s is not None and self.sensors:
            self._thread = threading.Thread(target=self._poll, name="energysim-sensors", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def mark(self) -> Mark:
        """Reads every sensor now."""
        with self._lock:
            self._read_all()
            return Mark(self._clock(), tuple(self._joules), self._readings)

    def _poll(self) -> None:
        while not self._stop.wait(self._interval_s):
            with self._lock:
                self._read_all()

    def _read_all(self) -> None:
        for index, sensor in enumerate(self.sensors):
            if index in self.failures:
                continue
            try:
                value, now_s = sensor.read(), self._clock()
            except OSError as error:
                self.failures[index] = str(error) or type(error).__name__
                continue
            before_s = self._last_s[index]
            if before_s is not None:
                if sensor.info.counts:
                    self._joules[index] += value - self._last[index]
                else:
                    self._joules[index] += (value + self._last[index]) / 2 * (now_s - before_s)
            self._last[index], self._last_s[index] = value, now_s
        self._readings += 1
