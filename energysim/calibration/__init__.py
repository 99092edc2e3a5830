"""Fitting a device's constants to measurements, with intervals, residuals and errors on what was left out."""

from energysim.calibration.fit import Fit, Fitted, Residual, UnderdeterminedError
from energysim.calibration.measurements import Row, append_row, read_measurements, row_of
from energysim.calibration.run import NAMES, Calibration, Prediction, calibrate

__all__ = [
    "NAMES",
    "Calibration",
    "Fit",
    "Fitted",
    "Prediction",
    "Residual",
    "Row",
    "UnderdeterminedError",
    "append_row",
    "calibrate",
    "read_measurements",
    "row_of",
]
