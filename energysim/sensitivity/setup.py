"""What was set differently in two simulations."""

from __future__ import annotations

from energysim.sensitivity.shared import Side
from energysim.units import format_bytes

_DIGITS = 12  # of a digest


def setup_differences(first: Side, second: Side) -> tuple[tuple[str, str, str], ...]:
    """(what, first, second) of everything that is not the same in both."""
    a, b = _setup(first), _setup(second)
    return tuple((what, a[what], b[what]) for what in a if a[what] != b[what])


def _setup(side: Side) -> dict[str, str]:
    result, variant = side.result, side.variant
    return {
        "workload": result.workload,
        "input": ", ".join("x".join(map(str, shape)) for shape in result.input_shapes),
        "word width": f"{result.bits} b",
        "device": result.arch,
        "device's sha256": result.arch_sha256[:_DIGITS],
        "variant": variant.variant,
        "tile": "-" if variant.tile is None else "x".join(map(str, variant.tile)),
        "buffer": "-" if variant.buffer_bytes is None else format_bytes(variant.buffer_bytes),
        "overlap": variant.overlap or "-",
        "objective": result.objective,
        "engine": result.engine,
        "estimator": result.estimator,
        "convention": result.convention,
        "energysim": result.version,
    }
