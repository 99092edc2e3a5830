"""A PyTorch model put on a device as something to measure, the sensors that belong to the device, and what it is."""

from __future__ import annotations

import contextlib
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energysim.errors import EnergySimError, UnavailableError
from energysim.measure.ina3221 import ina3221_sensors
from energysim.measure.inference import Task
from energysim.measure.nvml import nvml_sensors
from energysim.measure.rapl import rapl_sensors
from energysim.measure.sensors import Sensors
from energysim.measure.zeus_sensors import zeus_sensors

if TYPE_CHECKING:
    import torch
    from torch import nn

DEVICES = ("cpu", "cuda", "jetson")
BACKENDS = ("own", "zeus")


def prepare(model: nn.Module, inputs: tuple[Any, ...], device: str, bits: int = 32) -> Task:
    """One inference of ``model`` on the device, in evaluation mode and without gradients.

    ``bits``: 32, or 16 (half precision, GPUs only). Raises UnavailableError where there is no such device,
    EnergySimError where the model cannot run there.
    """
    import torch

    where = _torch_device(device)
    if bits == 16 and where.type == "cpu":
        raise EnergySimError("half precision is measured on GPUs only", hint="--bits 32 on --device cpu")
    try:
        with contextlib.suppress(NotImplementedError):  # an exported program is what it was exported as
            model.eval()
        model = model.to(where)
        placed = tuple(item.to(where) for item in inputs)
        if bits == 16:
            model = model.half()
            placed = tuple(item.half() if item.is_floating_point() else item for item in placed)
    except (RuntimeError, NotImplementedError) as error:
        raise EnergySimError(f"the model does not fit {device}: {_first_line(error)}") from error

    def run() -> object:
        with torch.inference_mode():
            return model(*placed)

    def finish() -> None:
        if where.type == "cuda":
            torch.cuda.synchronize(where)

    try:
        run()
        finish()
    except Exception as error:  # whatever the user's own forward raises
        raise EnergySimError(f"the model does not run on {device}: {_first_line(error)}") from error
    return Task(run, finish)


def sensors_for(device: str, backend: str = "own", root: Path = Path("/")) -> Sensors:
    """The sensors that see the device: RAPL (cpu), NVML (cuda), INA3221 (jetson), or zeus' counters."""
    if backend == "zeus":
        return zeus_sensors(device)
    if device == "cpu":
        return rapl_sensors(root / "sys/class/powercap")
    if device == "jetson":
        return ina3221_sensors(root)
    return nvml_sensors(_gpu_uuid())


def provenance(device: str) -> dict[str, Any]:
    """Versions, machine and time, for whoever reads the numbers later."""
    import torch

    facts: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }
    if device != "cpu" and torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name(0)
        facts["cuda"] = torch.version.cuda
    return facts


def _torch_device(device: str) -> torch.device:
    import torch

    if device == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        hint = "a GPU, its driver, and a build of PyTorch with CUDA; --device cpu measures the processor"
        raise UnavailableError(f"no CUDA device for --device {device}", hint=hint)
    return torch.device("cuda", 0)


def _gpu_uuid() -> str:
    import torch

    uuid = str(torch.cuda.get_device_properties(0).uuid)
    return uuid if uuid.startswith("GPU-") else f"GPU-{uuid}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Hardware"))]
    return named[0] if named else platform.processor()


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
