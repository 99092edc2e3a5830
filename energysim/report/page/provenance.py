"""What stands behind the numbers: the device and its constants, how the result was made."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from energysim.energy import estimate
from energysim.energy.describe import action_rows, node_rows
from energysim.errors import EnergySimError
from energysim.report.page.headline import objective_text
from energysim.report.page.table import Cell, Column, Row, Table, units, words
from energysim.sensitivity import Swing, explain, with_device
from energysim.sensitivity.device import DeviceResult
from energysim.simulation.stored import StoredResult
from energysim.units import format_energy, format_frequency, format_time

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Behind:
    """``missing``: why the device's tables are not there ("" where they are)."""

    parameters: Facts
    made: Facts
    description: str
    device: tuple[Table, ...]
    constants: tuple[Table, ...]
    missing: str = ""


def behind(result: StoredResult, variant: str) -> Behind:
    """``variant``: the one whose shares and swings the constants are listed with."""
    try:
        found = with_device(result)
        device, constants = _device_tables(found), _constant_tables(found, variant)
    except EnergySimError as error:
        return Behind(_parameters(result), _made(result), "", (), (), str(error))
    arch = found.arch
    node = "" if arch.technology_nm is None else f", {arch.technology_nm:g} nm"
    clock = ("clock", f"{format_frequency(arch.clock_hz)}{node}")
    return Behind((*_parameters(result), clock), _made(result), arch.description, device, constants)


def _parameters(result: StoredResult) -> Facts:
    shape = ", ".join("x".join(map(str, shape)) for shape in result.input_shapes)
    facts = [("workload", result.workload), ("input", shape)]
    batches = {shape[0] for shape in result.input_shapes if shape}
    if len(batches) == 1:
        facts.append(("batch", str(batches.pop())))
    facts += [
        ("word width", f"{result.bits} bits"),
        ("device", result.arch),
        ("objective of the mappings", objective_text(result.objective)),
        ("convention of footprints", result.convention),
        ("engine", result.engine),
        ("energies per action", result.estimator),
    ]
    return tuple(facts)


def _made(result: StoredResult) -> Facts:
    return (
        ("energysim", result.version),
        ("command", command_text(result.command)),
        ("result", result.where),
        ("device's file", result.arch_source),
        ("its sha256", result.arch_sha256),
    )


def command_text(command: tuple[str, ...]) -> str:
    """As typed in a shell; the program's own path is of no use to a reader."""
    return shlex.join(("energysim", *command[1:])) if command else "by the Python API"


def _device_tables(found: DeviceResult) -> tuple[Table, ...]:
    levels = tuple(Row(tuple(map(words, row))) for row in node_rows(found.arch))
    level_columns = ("level", "instances", "what it is", "keeps", "bandwidth, limits")
    energies = estimate(found.arch, found.result.estimator)
    actions = []
    for row in action_rows(energies):
        value, interval, per_bit = map(units, row.texts())
        sourced = row.sourced
        source = "" if sourced is None else _source(sourced.source, sourced.estimate)
        number = None if sourced is None else sourced.value
        actions.append(
            Row(
                (words(row.component), words(row.action), Cell(value, number), *map(words, (interval, per_bit, source)))
            )
        )
    action_columns = (
        Column("component", numeric=False),
        Column("action", numeric=False),
        Column("energy per action"),
        Column("low .. high"),
        Column("per bit"),
        Column("source", numeric=False),
    )
    return (
        Table("device", "Levels of the device", tuple(Column(n, numeric=False) for n in level_columns), levels),
        Table("actions", "Energy per action", action_columns, tuple(actions), filtered=True),
    )


def _constant_tables(found: DeviceResult, variant: str) -> tuple[Table, ...]:
    told = explain(found, variant)
    return (
        _swings("energy-constants", f"Constants behind the energy of {variant}", told.energy_swings, format_energy),
        _swings("latency-constants", f"Constants behind the latency of {variant}", told.latency_swings, format_time),
    )


def _swings(name: str, caption: str, swings: tuple[Swing, ...], show: Callable[[float], str]) -> Table:
    widest = max((swing.width for swing in swings), default=0.0) or 1.0
    columns = (
        Column("constant", numeric=False),
        Column("share", about="of the total that this constant stands behind"),
        Column("value"),
        Column("low .. high"),
        Column("unit", numeric=False),
        Column(
            "total at low .. high", about="this constant alone at its low and at its high value; the bar is the swing"
        ),
        Column("source", numeric=False),
    )
    rows = []
    for swing in swings:
        constant = swing.constant
        ends = units(f"{show(swing.at_low)} .. {show(swing.at_high)}") if swing.width else "-"
        spread = "-" if constant.low == constant.high else f"{constant.low:.4g} .. {constant.high:.4g}"
        rows.append(
            Row(
                (
                    words(swing.name),
                    Cell(f"{swing.share:.1%}", swing.share),
                    Cell(f"{constant.value:.4g}", constant.value),
                    Cell(spread, constant.high - constant.low),
                    words(swing.unit),
                    Cell(ends, swing.width, swing.width / widest),
                    words(_source(constant.source, constant.estimate)),
                )
            )
        )
    return Table(name, caption, columns, tuple(rows))


def _source(source: str, is_estimate: bool) -> str:
    return f"estimate: {source}" if is_estimate else source
