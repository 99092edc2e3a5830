"""``energysim workload list``, ``energysim workload show`` and ``energysim workload import``."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.group()
def workload() -> None:
    """List, show and import workloads.

    \b
    energysim workload list
    energysim workload show lightweight_cnn
    energysim workload import layer1.yaml layer2.yaml -o my_layers.yaml
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


@workload.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="FILE|-", required=True, help="The workload to write.")
def import_(files: tuple[Path, ...], output: str) -> None:
    """A workload from Timeloop's problems: one layer per FILE with a `problem`, named after the file.

    Dimensions get energysim's letters by the parts that they play (M becomes K where it counts output channels).

    \b
    energysim workload import conv1.yaml conv2.yaml fc.yaml -o my_layers.yaml
    energysim simulate my_layers.yaml --arch eyeriss
    """
    from energysim.cli.output import write_text
    from energysim.engines.timeloop.importing import import_problems
    from energysim.graph.problem_file import problems_document
    from energysim.yaml_text import dump

    layers = import_problems(files)
    for layer in layers:
        for warning in layer.warnings:
            click.echo(f"warning: {warning}", err=True)
        changed = [f"{dim} is called {letter}" for dim, letter in layer.letters.items() if dim != letter]
        if changed:
            click.echo(f"note: in {layer.name} {', '.join(changed)} here", err=True)
    description = f"Imported from Timeloop's files {', '.join(path.name for path in files)}"
    document = problems_document([(layer.name, layer.problem) for layer in layers], description)
    write_text(dump(document).rstrip("\n"), output)
