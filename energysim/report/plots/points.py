"""The points of a sweep as plots read them: one DataFrame row per point, in the columns of the sweep's store.

Parameters: workload, arch, variant, tile_rows, tile_columns, buffer_bytes, buffer_channels, overlap, batch, bits,
objective, and "arch.<path>" of overridden values. Results: energy_pj, energy_low_pj, energy_high_pj, latency_s,
latency_low_s, latency_high_s, edp_js, dram_read_bytes, dram_write_bytes, dram_floor_bytes, macs_executed, accuracy
(a fraction), area_mm2; status is "ok" where a point has a result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from energysim.errors import EnergySimError, UnitError, did_you_mean
from energysim.units import (
    bytes_unit,
    energy_unit,
    format_bytes,
    format_energy,
    format_time,
    parse_size_bits,
    time_unit,
)

if TYPE_CHECKING:
    import pandas as pd

_PARAMETERS = (
    "workload", "arch", "variant", "tile", "buffer", "overlap", "input", "batch", "bits", "objective", "convention",
    "engine", "estimator", "imperfect", "time_limit_s",
)  # fmt: skip
_SIZES = ("tile_rows", "tile_columns", "buffer_bytes", "buffer_channels")


@dataclass(frozen=True)
class Metric:
    """A result of a point. ``unit``: of an axis up to a value, with its size; ``low``, ``high``: the columns of its
    interval; ``more_is_better``: what a front prefers."""

    name: str
    column: str
    label: str
    unit: Callable[[float], tuple[str, float]]
    show: Callable[[float], str]
    low: str | None = None
    high: str | None = None
    more_is_better: bool = False


def _edp_unit(joule_seconds: float) -> tuple[str, float]:
    unit, pj = energy_unit(1e12 * joule_seconds)
    return f"{unit} s", pj * 1e-12


METRICS = {
    metric.name: metric
    for metric in (
        Metric("energy", "energy_pj", "energy", energy_unit, format_energy, "energy_low_pj", "energy_high_pj"),
        Metric("dram", "dram_bytes", "DRAM traffic", bytes_unit, format_bytes),
        Metric("latency", "latency_s", "latency", time_unit, format_time, "latency_low_s", "latency_high_s"),
        Metric("edp", "edp_js", "EDP", _edp_unit, lambda value: f"{format_energy(1e12 * value)} s"),
        Metric("macs", "macs_executed", "MACs executed", lambda _: ("million", 1e6), lambda value: f"{value:,.0f}"),
        Metric("area", "area_mm2", "area", lambda _: ("mm²", 1.0), lambda value: f"{value:.4g} mm²"),
        Metric(
            "accuracy", "accuracy", "top-1 accuracy", lambda _: ("%", 0.01), lambda v: f"{v:.2%}", more_is_better=True
        ),
    )
}


def metric_of(name: str) -> Metric:
    """Raises EnergySimError for an unknown name."""
    if name not in METRICS:
        hint = did_you_mean(name, METRICS) or f"metrics: {', '.join(METRICS)}"
        raise EnergySimError(f"no metric {name!r}", hint=hint)
    return METRICS[name]


def points_of(frame: pd.DataFrame, *metrics: Metric) -> pd.DataFrame:
    """The points that have a result and all of ``metrics``, with the columns "tile", "buffer" (as text) and
    "dram_bytes". Raises EnergySimError where none is left."""
    found = frame[frame["status"] == "ok"].copy() if "status" in frame else frame.copy()
    if "dram_bytes" not in found and "dram_read_bytes" in found:
        found["dram_bytes"] = found["dram_read_bytes"] + found["dram_write_bytes"]
    for name in [str(column) for column in found]:
        if name in _PARAMETERS or name in _SIZES or name.startswith("arch."):
            found[name] = found[name].astype(object).where(found[name].notna(), None)
    found["tile"] = [_tile(row) for row in found.to_dict("records")]
    found["buffer"] = [_buffer(row) for row in found.to_dict("records")]
    for metric in metrics:
        if metric.column not in found or found[metric.column].isna().all():
            raise EnergySimError(f"no point of the sweep has a value of {metric.column}")
        found = found[found[metric.column].notna()]
    if found.empty:
        raise EnergySimError("no point of the sweep has a result")
    return found.reset_index(drop=True)


def swept(points: pd.DataFrame, without: tuple[str, ...] = ()) -> list[str]:
    """Parameters that differ among the points."""
    names = [name for name in _PARAMETERS if name in points]
    names += [str(name) for name in points.columns if str(name).startswith("arch.")]
    return [name for name in names if name not in without and points[name].astype(str).nunique() > 1]


def parameter(points: pd.DataFrame, name: str) -> str:
    """The column of a swept parameter. Raises EnergySimError for another name."""
    if name not in swept(points):
        known = swept(points)
        hint = did_you_mean(name, known) or f"swept: {', '.join(known) or 'nothing'}"
        raise EnergySimError(f"the sweep has no different values of {name!r}", hint=hint)
    return name


def said(points: pd.DataFrame) -> str:
    """The title: what all the points share."""
    parts = [_common(points, "workload", "workloads"), "on", _common(points, "arch", "devices")]
    alike = [set(points[name]) for name in ("input", "variant") if name in points]
    shared = [str(values.pop()) for values in alike if len(values) == 1 and values != {None}]
    return ", ".join([" ".join(parts), *shared])


def label(row: Mapping[Any, Any], names: list[str]) -> str:
    """What tells a point from the others: "full 16x16, 64 KiB"."""
    parts = [_cell(name, row[name]) for name in names if not _absent(row[name])]
    return ", ".join(part for part in parts if part) or str(row.get("variant", ""))


def ordered(values: Any) -> list[Any]:
    """Distinct values, numbers and sizes ("16x16", "64 KiB", "64 ch") by size, absent ones last."""
    return sorted(set(values), key=lambda value: (_absent(value), magnitude(value), str(value)))


def magnitude(value: Any) -> float:
    """A number that orders a parameter's values; 0 for what is no quantity."""
    if _absent(value):
        return 0.0
    if isinstance(value, int | float):
        return float(value)
    text = str(value)
    rows, _, columns = text.partition("x")
    if rows.isdigit() and columns.isdigit():
        return float(rows) * float(columns)
    number = text.removesuffix(" ch")
    try:
        return float(number) if number != text else float(parse_size_bits(text))
    except (UnitError, ValueError):
        return 0.0


def _common(points: pd.DataFrame, column: str, many: str) -> str:
    values = set(points[column]) if column in points else set()
    return str(values.pop()) if len(values) == 1 else f"{len(values)} {many}"


def _cell(name: str, value: Any) -> str:
    if name in ("workload", "arch", "variant", "tile", "buffer", "overlap"):
        return str(value)
    return f"{name.removeprefix('arch.')} {value}"


def _tile(row: Mapping[Any, Any]) -> str:
    rows, columns = row.get("tile_rows"), row.get("tile_columns")
    if rows is None:
        return ""
    return f"{int(rows)}x{int(rows if columns is None else columns)}"


def _buffer(row: Mapping[Any, Any]) -> str:
    if row.get("buffer_bytes") is not None:
        return format_bytes(float(row["buffer_bytes"]))
    channels = row.get("buffer_channels")
    return "" if channels is None else f"{int(channels)} ch"


def _absent(value: Any) -> bool:
    return value is None or value == ""
