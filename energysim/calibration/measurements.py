"""Measurements as a CSV file: one row per workload, batch, input and word width, with latency, energy or both."""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import dataclass
from pathlib import Path

from energysim.errors import EnergySimError, Location, NotFoundError, SpecError, did_you_mean
from energysim.inputs import InputError, parse_inputs
from energysim.measure import Measurement

COLUMNS = ("workload", "batch", "input", "bits", "latency_s", "energy_j")
OPTIONAL = ("source",)


@dataclass(frozen=True, slots=True)
class Row:
    """One measured inference (of a whole batch). ``latency_s`` in seconds; ``energy_j`` in joules, idle power
    included; None where not measured. ``batch``, ``input``, ``bits``: None for the workload's or device's own."""

    workload: str
    batch: int | None = None
    input: str | None = None
    bits: int | None = None
    latency_s: float | None = None
    energy_j: float | None = None
    source: str = ""

    @property
    def name(self) -> str:
        """What was measured, in one word for tables and messages."""
        workload = self.workload.rpartition("/")[2] if ".py:" in self.workload else self.workload
        details = [f"x{self.batch}" if self.batch not in (None, 1) else "", self.input or ""]
        return " ".join(filter(None, (workload, *details, "" if self.bits is None else f"{self.bits}b")))


def read_measurements(path: str | Path) -> tuple[Row, ...]:
    """The rows of a file; lines that start with # are skipped.

    Raises NotFoundError without such a file, SpecError naming file, line and column where a value makes no sense.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"no file {str(path)!r}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"{str(path)!r} cannot be read as text: {error}") from None
    return parse_measurements(text, str(path))


def parse_measurements(text: str, file: str) -> tuple[Row, ...]:
    """The rows of CSV text; ``file`` is the name in errors. Raises SpecError like ``read_measurements``."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line[0] != "#"]
    parsed = [(number, next(csv.reader([line], skipinitialspace=True))) for number, line in lines]
    if not parsed:
        raise SpecError("the file has no rows", where=Location(file), hint=f"its first line is {','.join(COLUMNS)}")
    (number, header), *rows = parsed
    header = [column.strip() for column in header]
    _check_header(header, Location(file, number))
    if not rows:
        raise SpecError("the file has a header but no measurement", where=Location(file, number))
    return tuple(_row(dict(zip(header, cells, strict=False)), len(header), cells, file, at) for at, cells in rows)


def row_of(measured: Measurement) -> Row:
    """The row of a measurement of one's own; its energy includes idle power, as calibration wants it."""
    total = measured.total_j()
    gpu = measured.provenance.get("gpu") or measured.provenance.get("processor", "")
    return Row(
        measured.workload,
        measured.batch,
        measured.inputs,
        measured.bits,
        measured.latency_s.mean,
        None if total is None else total.mean,
        f"energysim measure --device {measured.device}, {gpu}, {measured.provenance.get('date', '')}",
    )


def append_row(path: str | Path, row: Row) -> None:
    """Adds a row to a file, which is made where there is none; the file is replaced whole or not at all.

    Raises SpecError where the file's header is another one, EnergySimError where it cannot be written.
    """
    path = Path(path)
    header = [*COLUMNS, *OPTIONAL]
    before = ""
    if path.exists():
        read_measurements(path)
        before = path.read_text(encoding="utf-8").rstrip("\n") + "\n"
        first = next(line for line in before.splitlines() if line.strip() and line[0] != "#")
        header = [column.strip() for column in first.split(",")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not before:
        writer.writerow(header)
    cells = [getattr(row, column) for column in header]
    writer.writerow(["" if cell is None else cell for cell in cells])
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_text(before + text.getvalue(), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise EnergySimError(f"cannot write {str(path)!r}: {error.strerror}") from error


def _check_header(header: list[str], where: Location) -> None:
    known = (*COLUMNS, *OPTIONAL)
    for column in header:
        if column not in known:
            hint = did_you_mean(column, known) or f"columns: {', '.join(known)}"
            raise SpecError(f"unknown column {column!r}", where=where, hint=hint)
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise SpecError(f"no column {missing[0]!r}", where=where, hint=f"columns: {', '.join(COLUMNS)}")


def _row(cells: dict[str, str], width: int, given: list[str], file: str, line: int) -> Row:
    if len(given) != width:
        what = f"{len(given)} values where the header has {width} columns"
        raise SpecError(what, where=Location(file, line), hint="quote a value that has commas")
    cells = {column: cell.strip() for column, cell in cells.items()}
    if not cells["workload"]:
        raise SpecError("no workload", where=Location(file, line, "workload"), hint="a name or path, as for simulate")
    row = Row(
        workload=cells["workload"],
        batch=_whole(cells["batch"], Location(file, line, "batch")),
        input=_shape(cells["input"], Location(file, line, "input")),
        bits=_whole(cells["bits"], Location(file, line, "bits"), at_most=64),
        latency_s=_positive(cells["latency_s"], Location(file, line, "latency_s")),
        energy_j=_positive(cells["energy_j"], Location(file, line, "energy_j")),
        source=cells.get("source", ""),
    )
    if row.latency_s is None and row.energy_j is None:
        raise SpecError("neither latency_s nor energy_j", where=Location(file, line), hint="one of them at least")
    return row


def _shape(text: str, where: Location) -> str | None:
    if not text:
        return None
    try:
        parse_inputs(text)
    except InputError as error:
        raise SpecError(error.what, where=where, hint=error.hint) from None
    return text


def _whole(text: str, where: Location, at_most: int | None = None) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1 or (at_most is not None and int(text) > at_most):
        limit = "" if at_most is None else f", at most {at_most}"
        raise SpecError(f"{text!r} is no whole number above 0{limit}", where=where, hint="or leave it empty")
    return int(text)


def _positive(text: str, where: Location) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        unit = "seconds" if where.key == "latency_s" else "joules"
        raise SpecError(f"{text!r} is no number of {unit} above 0", where=where, hint="or leave it empty")
    return value
