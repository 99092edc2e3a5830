"""Counters through zeus (ml-energy), an extra: AMD GPUs, and RAPL without root by its daemon."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from energysim.measure.sensors import SensorInfo, Sensors, Unavailable

EXTRA = "install zeus (pip install 'energysim-edge[zeus]')"


class ZeusCounter:
    """One of zeus' counters; ``millijoules`` reads it."""

    def __init__(self, name: str, covers: str, headline: bool, millijoules: Callable[[], float]) -> None:
        self._millijoules = millijoules
        self.info = SensorInfo(f"zeus {name}", covers, counts=True, where="zeus", headline=headline)

    def read(self) -> float:
        try:
            return float(self._millijoules()) * 1e-3
        except Exception as error:  # zeus has errors of its own for every vendor
            raise OSError(f"zeus: {error}") from error


def zeus_sensors(device: str, index: int = 0, devices: Any = None) -> Sensors:
    """GPU ``index`` (device "cuda") and the processor packages. ``devices``: the module ``zeus.device``."""
    if devices is None:
        try:
            devices = importlib.import_module("zeus.device")
        except ImportError as error:
            return Sensors.none("zeus", f"{EXTRA}: {error}")
    found: list[ZeusCounter] = []
    missing: list[Unavailable] = []
    if device == "cuda":
        try:
            gpus = devices.get_gpus()
            counter = ZeusCounter(
                f"GPU {index}", "the GPU board", True, lambda: gpus.get_total_energy_consumption(index)
            )
            counter.read()
            found.append(counter)
        except Exception as error:
            missing.append(Unavailable(f"zeus GPU {index}", str(error)))
    try:
        cpus = devices.get_cpus()
        for number in range(len(cpus)):
            counter = ZeusCounter(
                f"CPU {number}",
                "processor package",
                device == "cpu",
                lambda number=number: cpus.get_total_energy_consumption(number).cpu_mj,  # type: ignore[misc]
            )
            counter.read()
            found.append(counter)
    except Exception as error:
        missing.append(Unavailable("zeus CPU", str(error)))
    return Sensors(tuple(found), tuple(missing))
