"""NVML: NVIDIA's management library for desktop and server GPUs (package nvidia-ml-py).

On Jetson NVML starts but supports no power query; there the INA3221 is read. The energy counter exists from Volta on;
older GPUs tell their power, which is sampled.
"""

from __future__ import annotations

import importlib
from typing import Any

from energysim.measure.sensors import SensorInfo, Sensors

_COVERS = "the GPU board: chip, memory, regulators"
EXTRA = "install nvidia-ml-py (pip install 'energysim-edge[measure]')"


class NvmlGpu:
    """One GPU. ``counter``: whether it has an energy counter (mJ since the driver was loaded), else power in mW."""

    def __init__(self, nvml: Any, handle: Any, name: str, uuid: str, counter: bool) -> None:
        self._nvml, self._handle, self._counter = nvml, handle, counter
        self.info = SensorInfo(f"NVML {name}", _COVERS, counts=counter, where=uuid)

    def read(self) -> float:
        try:
            if self._counter:
                return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) * 1e-3
            return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) * 1e-3
        except self._nvml.NVMLError as error:
            raise OSError(f"NVML: {error}") from error


def nvml_sensors(uuid: str, nvml: Any = None) -> Sensors:
    """The sensor of the GPU with this UUID (``GPU-...``; CUDA's and NVML's numbers of GPUs can differ).

    ``nvml``: the module ``pynvml``, or one that answers like it.
    """
    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError as error:
            return Sensors.none("NVML", f"{EXTRA}: {error}")
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        name = nvml.nvmlDeviceGetName(handle)
    except nvml.NVMLError as error:
        return Sensors.none("NVML", f"NVML does not answer for {uuid}: {error}")
    name = name.decode() if isinstance(name, bytes) else str(name)
    refusals = []
    for counter in (True, False):
        sensor = NvmlGpu(nvml, handle, name, uuid, counter)
        try:
            sensor.read()
        except OSError as error:
            refusals.append(str(error))
        else:
            return Sensors((sensor,))
    why = f"{name} tells neither energy nor power ({'; '.join(dict.fromkeys(refusals))}); a Jetson is --device jetson"
    return Sensors.none("NVML", why)
