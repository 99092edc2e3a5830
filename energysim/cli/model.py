"""``energysim model``."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command(context_settings={"show_default": True})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--convention",
    type=click.Choice(["timeloop", "exact"]),
    default="timeloop",
    help="timeloop: bounding boxes, cycles of full bounds; exact: only words that exist and are needed.",
)
@click.option("--json", "json_file", metavar="FILE|-", help="Write the result as JSON.")
def model(files: tuple[Path, ...], convention: str, json_file: str | None) -> None:
    """Evaluate one given mapping: accesses, energy and cycles.

    FILES are Timeloop v0.4 YAML and hold between them an architecture, a problem and a mapping, and where there is
    one an ERT (energy per action; without it energies are estimated).

    \b
    energysim model arch.yaml problem.yaml mapping.yaml
    energysim model everything.yaml --json -
    """
    from energysim.cost.mapped import cost_of_mapping
    from energysim.energy import estimate
    from energysim.engines import native
    from energysim.engines.timeloop import read_timeloop
    from energysim.mapping.counts import Convention
    from energysim.report.mapping import mapping_data, print_mapping, print_not_modelled

    given = read_timeloop(files)
    for warning in given.warnings:
        click.echo(f"warning: {warning}", err=True)
    problem, mapping, arch = given.need_problem(), given.need_mapping(), given.arch
    counts = native.evaluate(problem, arch, mapping, Convention(convention))
    cost = cost_of_mapping(problem, arch, mapping, counts, estimate(arch))
    if json_file is not None:
        import json

        from energysim.cli.output import write_text

        write_text(json.dumps(mapping_data(problem, arch, mapping, counts, cost), indent=2), json_file)
    if json_file != "-":
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
        print_mapping(problem, arch, mapping, counts, cost, console)
        print_not_modelled(arch, console)
