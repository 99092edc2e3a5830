"""``energysim arch``: the device descriptions that ship, what is in them, checks and imports of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from energysim.arch.spec import ArchSpec
    from energysim.energy.actions import ActionEnergies


@click.group()
def arch() -> None:
    """List, show, check and import device descriptions.

    \b
    energysim arch list
    energysim arch show jetson_nano
    energysim arch check my_device.yaml
    energysim arch import timeloop_arch.yaml -o my_device.yaml
    """


@arch.command("list")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the list as JSON.")
def list_(json_file: str | None) -> None:
    """The devices that ship with energysim.

    \b
    energysim arch list
    """
    from energysim.arch.loader import list_archs, load_arch
    from energysim.energy.describe import dram_bytes_per_s, peak_macs_per_s

    specs = [load_arch(name) for name in list_archs()]
    if json_file is not None:
        rows: list[dict[str, Any]] = [
            {
                "name": spec.name,
                "peak_macs_per_s": {str(bits): rate for bits, rate in peak_macs_per_s(spec).items()},
                "dram_bytes_per_s": dram_bytes_per_s(spec),
                "word_bits": spec.default_bits,
                "description": spec.description,
            }
            for spec in specs
        ]
        _write(rows, json_file)
    if json_file == "-":
        return
    table = _table("name", "peak", "DRAM", "word", "description")
    for spec in specs:
        table.add_row(
            spec.name, _peak(spec, spec.default_bits), _dram(spec), f"{spec.default_bits} b", spec.description
        )
    _print(table)


@arch.command()
@click.argument("name")
@click.option(
    "--estimator", default="table", show_default=True, help="Source of energies that the file does not state."
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replace a value, e.g. GLB.capacity='128 KiB'."
)
@click.option("--json", "json_file", metavar="FILE|-", help="Write everything as JSON.")
def show(name: str, estimator: str, settings: tuple[str, ...], json_file: str | None) -> None:
    """Memory levels, energy per action with its source, assumptions, and what is not modelled.

    NAME is a shipped device or the path of a YAML file.

    \b
    energysim arch show eyeriss
    energysim arch show eyeriss --set "GLB.capacity=200 KiB" --json -
    """
    from energysim.arch.loader import load_arch
    from energysim.energy import estimate
    from energysim.energy.describe import arch_json

    spec = load_arch(name, _overrides(settings))
    energies = estimate(spec, estimator)
    if json_file is not None:
        _write(arch_json(spec, energies), json_file)
    if json_file != "-":
        _show(spec, energies)


@arch.command()
@click.argument("files", nargs=-1, required=True)
def check(files: tuple[str, ...]) -> None:
    """Check descriptions: keys, units, structure, and that every energy can be estimated.

    \b
    energysim arch check my_device.yaml
    """
    from energysim.arch.loader import load_arch
    from energysim.energy import estimate

    for file in files:
        spec = load_arch(file)
        estimate(spec)
        levels = " - ".join(memory.name for memory in spec.memories)
        click.echo(f"{file}: ok: {spec.name}, {levels}, {_peak(spec, spec.default_bits)} at {spec.default_bits} b")


@arch.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="FILE|-", required=True, help="The description to write.")
@click.option("--name", help="Name of the device.  [default: that of the files]")
def import_(files: tuple[Path, ...], output: str, name: str | None) -> None:
    """A device from Timeloop's files: architecture, constraints, ERT (v0.4 nodes or the native tree).

    A problem among FILES says which data space is the weights, ifmap and ofmap, and what the dimensions of
    constraints stand for; without one they are taken at their word. What cannot be represented is an error.

    \b
    energysim arch import arch.yaml constraints.yaml ERT.yaml -o my_device.yaml
    energysim simulate lightweight_cnn --arch my_device.yaml
    """
    from energysim.arch.loader import parse_arch
    from energysim.arch.write import arch_document
    from energysim.cli.output import write_text
    from energysim.engines.timeloop.importing import import_arch
    from energysim.yaml_text import dump

    found = import_arch(files, name)
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    for dim, letter in found.letters.items():
        click.echo(f"note: the dimension {dim} is called {letter} here", err=True)
    text = dump(arch_document(found.arch)).rstrip("\n")
    parse_arch(text, output)  # what is written can be read
    write_text(text, output)


@arch.command()
def schema() -> None:
    """A JSON Schema of device descriptions, for editors.

    \b
    energysim arch schema > energysim-arch.schema.json
    """
    from energysim.arch.schema import json_schema

    _write(json_schema(), "-")


def _overrides(settings: tuple[str, ...]) -> dict[str, Any]:
    """KEY=VALUE pairs; values are read as YAML so that numbers and lists work."""
    from energysim.errors import SpecError
    from energysim.spec_files import parse_yaml

    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise SpecError(f"--set {setting!r} is no KEY=VALUE", hint="for example --set 'GLB.capacity=128 KiB'")
        found[key.strip()] = parse_yaml(text, f"--set {key.strip()}").plain
    return found


def _write(data: Any, target: str) -> None:
    import json

    from energysim.cli.output import write_text

    write_text(json.dumps(data, indent=2), target)


def _table(*columns: str) -> Any:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print(*parts: Any) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=160)
    for part in parts:
        console.print(part)


def _peak(spec: ArchSpec, bits: int) -> str:
    """Peak rate for operands of this width."""
    from energysim.units import format_rate

    units = spec.instances(len(spec.nodes) - 1)
    return format_rate(units * spec.compute.throughput(bits) * spec.clock_hz, "MAC/s")


def _dram(spec: ArchSpec) -> str:
    from energysim.energy.describe import dram_bytes_per_s
    from energysim.units import format_rate

    rate = dram_bytes_per_s(spec)
    return "unbounded" if rate is None else format_rate(rate, "B/s")


def _show(spec: ArchSpec, energies: ActionEnergies) -> None:
    from rich.markup import escape

    from energysim.energy.describe import action_rows, node_rows, peak_macs_per_s
    from energysim.units import format_frequency, format_power, format_rate

    node = "" if spec.technology_nm is None else f"{spec.technology_nm:g} nm, "
    peaks = ", ".join(f"{format_rate(rate, 'MAC/s')} at {bits} b" for bits, rate in peak_macs_per_s(spec).items())
    idle = "" if spec.idle_power_w is None else f", idle {format_power(spec.idle_power_w.value)}"
    clock = f"{format_frequency(spec.clock_hz)}, words of {spec.default_bits} b"
    _print(
        f"[bold]{spec.name}[/bold]  {escape(spec.description)}",
        f"{node}{clock}; peak {peaks}; DRAM {_dram(spec)}{idle}",
    )
    levels = _table("node", "instances", "size", "keeps (may bypass)", "bandwidth per instance, constraints")
    for row in node_rows(spec):
        levels.add_row(*map(escape, row))
    actions = _table("component", "action", "bits", "energy", "low .. high", "per bit", "source")
    for action in action_rows(energies):
        value, spread, per_bit = action.texts()
        found = action.sourced
        source = "" if found is None else ("estimate: " if found.estimate else "") + found.source
        bits = str(action.bits) if action.bits else ""
        actions.add_row(action.component, action.action, bits, value, spread, per_bit, escape(source))
    _print(levels, f"energy per action (estimator {energies.estimator}; stated values win)", actions)
    guessed = [(key, value) for key, value in spec.provenance if value.estimate and ".energy." not in key]
    if guessed:
        estimates = _table("estimate in the file (SI, bits, bits per cycle)", "value", "low", "high", "why")
        for key, stated in guessed:
            texts = (f"{number:g}" for number in (stated.value, stated.low, stated.high))
            estimates.add_row(key, *texts, escape(stated.source))
        _print(estimates)
    sections = (
        ("the estimator", energies.notes),
        ("assumptions", spec.assumptions),
        ("not modelled", spec.not_modelled),
    )
    for title, lines in sections:
        if lines:
            _print(f"[bold]{title}[/bold]", *(f"  - {escape(line)}" for line in lines))
