"""``energysim simulate``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from energysim.cli.options import input_options, schedule_options
from energysim.mapping.dataflow import DATAFLOWS, with_dataflow

if TYPE_CHECKING:
    from energysim.simulation import SimulationResult


@click.command(context_settings={"show_default": True})
@click.argument("workload")
@click.option("--arch", "-a", required=True, help="A device by name (`energysim arch list`) or a YAML path.")
@click.option(
    "--variant", default="layerwise", help="plain, layerwise, tiled, buffered, full, optimal, or all (a table)."
)
@schedule_options()
@input_options()
@click.option("--objective", default="energy", help="energy, latency, edp or dram; or two in order, e.g. dram,energy.")
@click.option(
    "--convention",
    type=click.Choice(["exact", "timeloop"]),
    help="exact: only words that exist and are needed; timeloop: bounding boxes, padding moved as words.  "
    "[default: exact with the native engine, timeloop with Timeloop's]",
)
@click.option("--engine", default="native", help="What maps and counts: native, or timeloop (docs/engines.md).")
@click.option("--estimator", default="table", help="Energies per action: table, hwcomponents or accelergy.")
@click.option("--ert", multiple=True, metavar="FILE", help="An energy reference table: its energies win.")
@click.option("--art", multiple=True, metavar="FILE", help="An area reference table.")
@click.option(
    "--imperfect", is_flag=True, help="Loops need not divide their dimension: remainders are counted exactly."
)
@click.option("--dataflow", type=click.Choice(DATAFLOWS), help="Maps no other way than this (docs/mapper.md).")
@click.option("--time-limit", type=click.FloatRange(min=0), help="Seconds of search per distinct layer.")
@click.option("--layers", default="40", help="Show so many of the costliest layers, or 'all'.")
@click.option("--occupancy", metavar="FILE.svg|png|-", help="Draw what is on chip when, or (-) print it as text.")
@click.option("--html", "html_file", metavar="FILE|-", help="Write the report page (`energysim report`).")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the result as JSON.")
def simulate(
    workload: str,
    arch: str,
    variant: str,
    tile: tuple[int, int] | None,
    buffer: tuple[int | None, int | None],
    overlap: str,
    input_shape: str | None,
    batch: int | None,
    bits: int | None,
    objective: str,
    convention: str | None,
    engine: str,
    estimator: str,
    ert: tuple[str, ...],
    art: tuple[str, ...],
    imperfect: bool,
    dataflow: str | None,
    time_limit: float | None,
    layers: str,
    occupancy: str | None,
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Energy, DRAM traffic and latency of a network on a device.

    WORKLOAD is a name (`energysim workload list`), a YAML path, package.module:factory, path/to/file.py:factory, a
    torchvision classifier, a .pt2 exported program or an .onnx file.

    \b
    energysim simulate lightweight_cnn --arch jetson_nano
    energysim simulate mobilenet_v2 --arch eyeriss --objective edp --json mobilenet.json
    energysim simulate mymodel.py:build --input 1x3x96x96 --arch gemmini --bits 8
    energysim simulate resnet18 --arch meta_proto_df --variant full --tile 8 --overlap cache
    energysim simulate resnet18 --arch meta_proto_df --variant buffered --buffer 64ch --occupancy buffer.svg
    energysim simulate resnet18 --arch eyeriss --variant all --html resnet18.html
    """
    if occupancy not in (None, "-") and not str(occupancy).lower().endswith((".svg", ".png", ".pdf")):
        what = f"{occupancy!r} is no picture: name it .svg, .png or .pdf, or - for text"
        raise click.BadParameter(what, param_hint="--occupancy")
    to_stdout = [f"{name} -" for name, file in _targets(json_file, occupancy, html_file) if file == "-"]
    if len(to_stdout) > 1:
        raise click.UsageError(f"{' and '.join(to_stdout)} both write to stdout: name a file for one")
    max_layers = None if layers == "all" else _count(layers)

    from rich.console import Console

    from energysim.arch.loader import load_arch
    from energysim.cli.output import progress_bar, write_text
    from energysim.simulation import simulate as run

    device = arch if dataflow is None else with_dataflow(load_arch(arch), dataflow)
    with progress_bar("mapping") as progress:
        result = run(
            workload,
            device,
            input=input_shape,
            batch=batch,
            bits=bits,
            variant=variant,
            tile=tile,
            buffer_bytes=buffer[0],
            buffer_channels=buffer[1],
            overlap=overlap,
            objective=objective,
            convention=convention,
            engine=engine,
            estimator=estimator,
            ert=ert,
            art=art,
            imperfect=imperfect,
            time_limit_s=time_limit,
            progress=progress,
        )
    if json_file is not None:
        write_text(result.to_json(), json_file)
    if html_file is not None:
        from energysim.report.page import Sources, report_page

        write_text(report_page(Sources((result.stored(),))), html_file)
    if "-" not in (json_file, html_file):
        from energysim.report.tables import print_result

        width = None if sys.stdout.isatty() else 160
        print_result(result, Console(width=width, highlight=False), max_layers)
    if occupancy is not None:
        _draw(result, occupancy)


def _draw(result: SimulationResult, target: str) -> None:
    from energysim.cli.output import command_line, write_text
    from energysim.report.occupancy import occupancy_text
    from energysim.simulation.occupancy import occupancies

    drawn = occupancies(result)
    if target == "-":
        write_text(occupancy_text(drawn), target)
        return
    from pathlib import Path

    from energysim.report.plots.occupancy import occupancy_figure
    from energysim.report.plots.save import save_figure

    title = f"{result.workload} on {result.arch.name}: on-chip memory over time"
    save_figure(occupancy_figure(drawn, title), Path(target), command_line())


def _targets(json: str | None, occupancy: str | None, html: str | None) -> tuple[tuple[str, str | None], ...]:
    return ("--json", json), ("--occupancy", occupancy), ("--html", html)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is neither a positive number nor 'all'", param_hint="--layers")
    return int(text)
