"""The points of a sweep as a table of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from energysim.report.page.sources import SweepPoints
from energysim.report.page.table import Cell, Column, Row, Table, energy, seconds, size, times, words
from energysim.report.sweep import parameters
from energysim.sweep.pareto import pareto_front

MOST = 1500  # rows: a browser sorts so many at once

Point = Mapping[str, Any]

_OTHERS = {
    "infeasible": "that the device cannot run",
    "ruled_out": "that a limit of the sweep ruled out without simulating them",
    "failed": "that failed",
}


def points_table(sweep: SweepPoints, name: str) -> Table:
    """A line per point with a result, the least energy first: the parameters in which points differ, and totals."""
    good = sorted((row for row in sweep.rows if row["status"] == "ok"), key=lambda row: float(row["energy_pj"]))
    trained = any(row["accuracy"] is not None for row in good)
    goals = ("energy_pj", "latency_s", *(["accuracy"] if trained else []))
    front = {row["key"] for row in pareto_front(good, goals)}
    named = [parameters(row) for row in good]
    keys = dict.fromkeys(key for cells in named for key in cells)
    varying = [key for key in keys if len({cells.get(key) for cells in named}) > 1]
    columns = (
        *(Column(key, numeric=False) for key in varying or ["workload"]),
        Column("energy"),
        Column("latency"),
        Column("DRAM traffic"),
        Column("x floor"),
        *([Column("accuracy")] * trained),
        Column(
            "front", numeric=False, about=f"on the Pareto front of {', '.join(goal.split('_')[0] for goal in goals)}"
        ),
    )
    most = max((row["energy_pj"] for row in good), default=0.0) or 1.0
    rows = tuple(
        Row(
            (
                *(words(cells.get(key, "-")) for key in varying or ["workload"]),
                energy(row["energy_pj"], row["energy_pj"] / most),
                seconds(row["latency_s"]),
                size(row["dram_bytes"]),
                times(row["dram_bytes"], row["dram_floor_bytes"]),
                *([_accuracy(row)] * trained),
                words("yes" if row["key"] in front else ""),
            )
        )
        for row, cells in list(zip(good, named, strict=True))[:MOST]
    )
    notes = tuple(_notes(sweep.rows, good, named, keys, varying))
    return Table(name, f"Sweep: {sweep.where}", columns, rows, filtered=True, notes=notes)


def _accuracy(row: Point) -> Cell:
    return Cell("-") if row["accuracy"] is None else Cell(f"{row['accuracy']:.2%}", row["accuracy"])


def _notes(
    rows: Sequence[Point],
    good: Sequence[Point],
    named: Sequence[Mapping[str, str]],
    keys: Mapping[str, None],
    varying: Sequence[str],
) -> list[str]:
    notes = []
    same = [f"{key} {named[0][key]}" for key in keys if key not in varying] if named else []
    if same:
        notes.append(f"Alike in all points: {', '.join(same)}.")
    if len(good) > MOST:
        notes.append(f"{len(good) - MOST:,} points of more energy are left out.")
    counts = Counter(row["status"] for row in rows)
    others = [f"{counts[status]:,} {what}" for status, what in _OTHERS.items() if counts[status]]
    if others:
        notes.append(f"Besides these points: {', '.join(others)}.")
    return notes
