"""``energysim trace``."""

from __future__ import annotations

import sys

import click


@click.command()
@click.argument("workload")
@click.option("--input", "input_shape", help="Input shape, e.g. 1x3x224x224; several with commas.")
@click.option("--batch", type=click.IntRange(min=1), help="Replaces the first axis of the input.")
@click.option("--views", is_flag=True, help="Show views as well (they move no word).")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the layer graph as JSON.")
def trace(workload: str, input_shape: str | None, batch: int | None, views: bool, json_file: str | None) -> None:
    """The layer graph of a network: shapes, MACs, parameters, operators that are not modelled.

    WORKLOAD is a name (`energysim workload list`), a YAML path, package.module:factory, path/to/file.py:factory, a
    torchvision classifier, a .pt2 exported program or an .onnx file.

    \b
    energysim trace lightweight_cnn
    energysim trace torchvision/resnet18 --batch 8
    energysim trace mymodel.py:build --input 1x3x96x96 --json -
    """
    from energysim.workload import resolve_workload

    graph = resolve_workload(workload, input_shape, batch).trace()
    from rich.console import Console

    from energysim.graph.data import graph_data
    from energysim.report.layer_graph import print_graph

    if json_file is not None:
        import json

        from energysim.cli.output import write_text

        write_text(json.dumps(graph_data(graph), indent=2), json_file)
    if json_file != "-":
        print_graph(graph, Console(width=None if sys.stdout.isatty() else 160, highlight=False), views)
