"""``energysim workload list`` and ``energysim workload show``."""

from __future__ import annotations

import sys

import click


@click.group()
def workload() -> None:
    """List and show workloads.

    \b
    energysim workload list
    energysim workload show lightweight_cnn
    """


@workload.command("list")
@click.option("--torchvision", is_flag=True, help="Also every classifier of torchvision.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the list as JSON.")
def list_(torchvision: bool, json_file: str | None) -> None:
    """Names that every command takes as WORKLOAD.

    \b
    energysim workload list --torchvision
    """
    import json

    from rich.console import Console
    from rich.table import Table

    from energysim.cli.output import write_text
    from energysim.spec_files import find_spec, list_specs
    from energysim.workload import classifiers, load_workload_file

    rows = []
    for name in list_specs("workloads"):
        _, content = load_workload_file(find_spec("workloads", name))
        shapes = ",".join(map(str, content.input))
        rows.append({"name": name, "input": shapes, "model": content.model, "description": content.description})
    if torchvision:
        for name in classifiers():
            model = f"torchvision.models:{name}"
            rows.append({"name": f"torchvision/{name}", "input": "", "model": model, "description": ""})
    if json_file is not None:
        write_text(json.dumps(rows, indent=2), json_file)
    if json_file != "-":
        table = Table("name", "input", "model", "description")
        for row in rows:
            table.add_row(*row.values())
        Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)
        click.echo(
            "also: any torchvision classifier, package.module:factory, file.py:factory, a .yaml, .pt2 or .onnx file"
        )


@workload.command()
@click.argument("name")
@click.option("--json", "json_file", metavar="FILE|-", help="Write it as JSON.")
def show(name: str, json_file: str | None) -> None:
    """One workload: its model, input, data set, MACs and parameters.

    \b
    energysim workload show resnet18
    """
    import json

    from energysim.cli.output import write_text
    from energysim.workload import resolve_workload

    found = resolve_workload(name)
    graph = found.trace()
    facts = {
        "name": found.name,
        "description": found.description,
        "model": found.origin,
        "input": ",".join(map(str, found.inputs)),
        "dataset": found.dataset,
        "layers": len(graph.layers),
        "macs": graph.macs,
        "parameters": graph.parameters,
    }
    if json_file is not None:
        write_text(json.dumps(facts, indent=2), json_file)
    if json_file != "-":
        for key, value in facts.items():
            if value:
                click.echo(f"{key:12} {value:,}" if isinstance(value, int) else f"{key:12} {value}")
