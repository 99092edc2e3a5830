"""Measuring a PyTorch model: the recipe from model and inputs to a Measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from energysim.errors import EnergySimError, did_you_mean
from energysim.measure.inference import Options, Progress, measure_task
from energysim.measure.machine import DEVICES, prepare, provenance, sensors_for
from energysim.measure.recorder import Recorder
from energysim.measure.result import Measurement
from energysim.measure.sensors import Sensors

if TYPE_CHECKING:
    from torch import nn


def measure_model(
    model: nn.Module,
    inputs: tuple[Any, ...],
    device: str = "cpu",
    *,
    bits: int = 32,
    name: str = "",
    options: Options | None = None,
    sensors: Sensors | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Latency and joules of one inference of ``model`` on ``inputs`` (tensors, the first axis is the batch).

    ``device``: cpu, cuda or jetson. ``bits``: 32, or 16 on GPUs. ``sensors``: others than the device's own. Raises
    UnavailableError without such a device, EnergySimError where the model does not run; a missing sensor is no error:
    the result says *unavailable* and why.
    """
    if device not in DEVICES:
        hint = did_you_mean(device, DEVICES) or f"one of {', '.join(DEVICES)}"
        raise EnergySimError(f"no device named {device!r}", hint=hint)
    task = prepare(model, inputs, device, bits)
    present = sensors_for(device) if sensors is None else sensors
    measured = measure_task(task, Recorder(present.found), options or Options(), progress=progress)
    shapes = ",".join("x".join(map(str, item.shape)) for item in inputs)
    return Measurement(
        workload=name or type(model).__name__,
        inputs=shapes,
        batch=int(inputs[0].shape[0]) if inputs and inputs[0].dim() else 1,
        bits=bits,
        device=device,
        latency_s=measured.latency_s,
        sensors=measured.sensors,
        missing=present.missing,
        windows=measured.windows,
        idle_seconds=measured.idle_seconds,
        warmup_inferences=measured.warmup_inferences,
        interrupted=measured.interrupted,
        provenance=provenance(device),
    )
