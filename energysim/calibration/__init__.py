"""Fitting a device's constants to measurements, with intervals, residuals and errors on what was left out."""
