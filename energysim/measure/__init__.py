"""Real seconds and joules of one inference: sensors of the machine, windows of repeated inferences, idle subtracted."""

from energysim.measure.inference import Options, Task, measure_task
from energysim.measure.model import measure_model
from energysim.measure.recorder import Recorder
from energysim.measure.result import Measurement, SensorResult, Spread
from energysim.measure.sensors import Sensor, SensorInfo, Sensors, Unavailable

__all__ = [
    "Measurement",
    "Options",
    "Recorder",
    "Sensor",
    "SensorInfo",
    "SensorResult",
    "Sensors",
    "Spread",
    "Task",
    "Unavailable",
    "measure_model",
    "measure_task",
]
