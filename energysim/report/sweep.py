"""What a sweep found, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from energysim.report.sheet import Sheet
from energysim.sweep.limits import Limit, keeps
from energysim.sweep.pareto import MAXIMIZED, pareto_front
from energysim.sweep.run import SweepResult
from energysim.units import format_bytes, format_energy, format_time

Row = Mapping[str, Any]

_HEADINGS = {
    "energy_pj": "energy", "energy_high_pj": "energy, high", "latency_s": "latency", "edp_js": "EDP",
    "dram_bytes": "DRAM", "dram_read_bytes": "DRAM read", "dram_write_bytes": "DRAM written",
    "macs_executed": "MACs", "used_buffer_bytes": "buffer used", "area_mm2": "area", "accuracy": "accuracy",
}  # fmt: skip
_ALWAYS = ("energy_pj", "latency_s", "dram_bytes")
# Columns that are shown where the points of the table differ in them.
_PARAMETERS = ("workload", "arch", "variant", "tile", "buffer", "overlap", "input", "bits", "objective")


def sweep_sheet(result: SweepResult, rows: Sequence[Row], most: int | None = 20) -> Sheet:
    """The Pareto front of a sweep's points, best in the first goal first; at most so many rows."""
    goals, limits = result.experiment.goals, result.experiment.limits
    good = [row for row in rows if row["status"] == "ok"]
    kept = [row for row in good if keeps(row, limits)]
    front = pareto_front(kept, goals)
    shown = front[:most]
    named = [parameters(row) for row in shown]
    varying = [name for name in dict.fromkeys(key for cells in named for key in cells) if _varies(name, named)]
    metrics = tuple(dict.fromkeys((*goals, *_ALWAYS)))
    return Sheet(
        title=f"{result.experiment.name}: Pareto front of {len(kept):,} points in {_joined(goals)}",
        columns=(*(varying or ["workload"]), *(_HEADINGS[name] for name in metrics), "x floor", "proven"),
        rows=tuple(
            (*(cells.get(name, "") for name in varying or ["workload"]), *_metrics(row, metrics))
            for row, cells in zip(shown, named, strict=True)
        ),
        notes=tuple(_notes(result, rows, good, kept, front, shown, named, varying, limits)),
    )


def _notes(
    result: SweepResult,
    rows: Sequence[Row],
    good: Sequence[Row],
    kept: Sequence[Row],
    front: Sequence[Row],
    shown: Sequence[Row],
    named: Sequence[Mapping[str, str]],
    varying: Sequence[str],
    limits: Sequence[Limit],
) -> list[str]:
    notes = []
    same = [f"{name} {value}" for name, value in (named[0] if named else {}).items() if name not in varying]
    if same:
        notes.append(f"Alike in all rows: {', '.join(same)}.")
    if len(shown) < len(front):
        notes.append(f"{len(front) - len(shown)} more points are on the front.")
    if limits:
        notes.append(f"{len(good) - len(kept):,} points break {', '.join(map(str, limits))}.")
    missing = [goal for goal in result.experiment.goals if kept and all(row[goal] is None for row in kept)]
    if missing:
        notes.append(f"No point has a value of {', '.join(missing)}.")
    notes.append(
        f"{len(result.keys):,} points: {result.ok:,} with a result, {result.infeasible:,} that the device cannot run, "
        f"{result.ruled_out:,} ruled out beforehand, {result.failed:,} failed; {result.computed:,} computed now, "
        f"{result.stored_before:,} stored before."
    )
    notes.append(f"CPU time of these points: {sum(row['cpu_s'] for row in rows):,.1f} s.")
    return notes


def failures_text(rows: Sequence[Row], most: int = 10) -> str:
    """Failed points and their errors, a line each; empty where there are none."""
    failed = [row for row in rows if row["status"] == "failed"]
    lines = [f"  {' '.join(parameters(row).values())}: {str(row['error']).partition(chr(10))[0]}" for row in failed]
    more = [f"  and {len(failed) - most:,} more"] if len(failed) > most else []
    return "\n".join(["Failed (--retry computes them again):", *lines[:most], *more]) if failed else ""


def parameters(row: Row) -> dict[str, str]:
    """A point's parameters as text; what it does not use is left out."""
    tile = None if row["tile_rows"] is None else f"{row['tile_rows']}x{row['tile_columns']}"
    buffer = None if row["buffer_bytes"] is None else format_bytes(row["buffer_bytes"])
    channels = None if row["buffer_channels"] is None else f"{row['buffer_channels']} ch"
    cells = {**row, "tile": tile, "buffer": channels or buffer, "bits": row["used_bits"] or row["bits"]}
    if row["variant"] != "full" or tile is None:
        cells["overlap"] = None
    named = {name: str(cells[name]) for name in _PARAMETERS if cells[name] is not None}
    return named | {f"arch.{path}": str(value) for path, value in row["overrides"].items()}


def _varies(name: str, named: Sequence[Mapping[str, str]]) -> bool:
    return len({cells.get(name) for cells in named}) > 1


def _metrics(row: Row, names: Sequence[str]) -> tuple[str, ...]:
    over = row["dram_bytes"] / row["dram_floor_bytes"] if row["dram_floor_bytes"] else None
    proven = "yes" if row["optimal"] else f"gap {row['gap']:.1%}"
    return (*(_cell(name, row[name]) for name in names), "" if over is None else f"{over:.2f}", proven)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_pj"):
        return format_energy(value)
    if name.endswith("_bytes"):
        return format_bytes(value)
    if name == "latency_s":
        return format_time(value)
    if name in MAXIMIZED:
        return f"{value:.2%}"
    return {"edp_js": f"{value:.4g} Js", "area_mm2": f"{value:.4g} mm2"}.get(name, f"{value:,}")


def _joined(words: Any) -> str:
    return ", ".join(words)
