"""``energysim map``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from energysim.mapping.dataflow import DATAFLOWS, with_dataflow

if TYPE_CHECKING:
    from energysim.arch.spec import ArchSpec
    from energysim.graph.problem import TensorProblem

_YAML = (".yaml", ".yml")


@click.command("map", context_settings={"show_default": True})
@click.argument("what", nargs=-1, required=True, metavar="WORKLOAD | FILE...")
@click.option("--layer", "-l", help="A layer with MACs, by its name in `energysim trace`.")
@click.option("--arch", "-a", help="A device by name (`energysim arch list`) or a YAML path.")
@click.option("--objective", default="energy", help="energy, latency, edp or dram; or two in order, e.g. dram,energy.")
@click.option(
    "--convention",
    type=click.Choice(["exact", "timeloop"]),
    help="exact: only words that exist and are needed; timeloop: bounding boxes, padding moved as words.  "
    "[default: exact for a workload, timeloop for Timeloop's files and its engine]",
)
@click.option("--engine", default="native", help="What searches and counts: native, or timeloop (docs/engines.md).")
@click.option("--bits", type=click.IntRange(1, 64), help="Word width of all tensors.  [default: the device's]")
@click.option("--input", "input_shape", help="Input shape, e.g. 1x3x224x224.")
@click.option("--batch", type=click.IntRange(min=1), help="Replaces the first axis of the input.")
@click.option(
    "--imperfect", is_flag=True, help="Loops need not divide their dimension: remainders are counted exactly."
)
@click.option("--dataflow", type=click.Choice(DATAFLOWS), help="Maps no other way than this (docs/mapper.md).")
@click.option("--time-limit", type=click.FloatRange(min=0), help="Seconds of search; says the gap where it strikes.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the result as JSON.")
@click.option("--svg", "svg_file", metavar="FILE|-", help="Draw the loop nest and its tiles as a picture.")
def map_command(
    what: tuple[str, ...],
    layer: str | None,
    arch: str | None,
    objective: str,
    convention: str | None,
    engine: str,
    bits: int | None,
    input_shape: str | None,
    batch: int | None,
    imperfect: bool,
    dataflow: str | None,
    time_limit: float | None,
    json_file: str | None,
    svg_file: str | None,
) -> None:
    """The best mapping of one layer onto a device, and the proof that it is the best.

    Of a layer of a WORKLOAD (as for `energysim simulate`) onto --arch; or of the problem in Timeloop v0.4 FILEs, which
    hold between them an architecture, a problem, and where there are any constraints and an ERT.

    \b
    energysim map torchvision/resnet18 --layer layer1.0.conv1 --arch eyeriss
    energysim map lightweight_cnn --layer classifier --arch a2 --objective edp --svg nest.svg
    energysim map arch.yaml problem.yaml constraints.yaml --objective edp --json -
    """
    if imperfect and engine != "native":
        raise click.UsageError("--imperfect belongs to the native engine")
    if json_file == svg_file == "-":
        raise click.UsageError("--json and --svg cannot both write to stdout")

    from energysim.cli.output import progress_bar, write_text
    from energysim.mapping.counts import Convention
    from energysim.mapping.search import Objective
    from energysim.mapping.search.result import Progress
    from energysim.simulation.mapped_layer import map_problem

    goal = Objective.parse(objective)
    timeloop = _are_timeloop(what)
    of_workload = {"--layer": layer, "--arch": arch, "--bits": bits, "--input": input_shape, "--batch": batch}
    of_workload["--dataflow"] = dataflow
    if timeloop:
        for option, value in of_workload.items():
            if value is not None:
                raise click.UsageError(f"{option} belongs to a workload; Timeloop's files say it themselves")
        problem, device, title = _from_files([Path(path) for path in what])
        op_class = "conv"
    else:
        if arch is None:
            raise click.UsageError("a workload needs --arch, a device by name (`energysim arch list`) or a YAML path")
        problem, device, op_class, title = _from_workload(what[0], layer, arch, bits, input_shape, batch)
        device = device if dataflow is None else with_dataflow(device, dataflow)
    chosen = convention or ("timeloop" if timeloop or engine == "timeloop" else "exact")
    with progress_bar("searching") as bar:

        def report(state: Progress) -> None:
            if bar is not None:
                found = "" if state.value is None else f"(best {state.value:.4g}, at least {state.bound:.4g})"
                bar(state.hierarchies_done, state.hierarchies, found)

        mapped = map_problem(
            problem,
            device,
            objective=goal,
            convention=Convention(chosen),
            imperfect=imperfect,
            op_class=op_class,
            engine=engine,
            time_limit_s=time_limit,
            progress=report,
        )
    if json_file is not None:
        import json

        from energysim.report.mapping import mapped_data

        write_text(json.dumps({"title": title, **mapped_data(mapped)}, indent=2), json_file)
    if svg_file is not None:
        from energysim.report.nest_svg import nest_svg

        write_text(nest_svg(mapped, title), svg_file)
    if "-" not in (json_file, svg_file):
        from rich.console import Console

        from energysim.report.mapping import print_mapped

        print_mapped(mapped, title, Console(width=None if sys.stdout.isatty() else 140, highlight=False))


def _are_timeloop(what: tuple[str, ...]) -> bool:
    """Several files, or one that holds what Timeloop's files hold. Raises UsageError for several workloads."""
    from energysim.engines.timeloop import is_timeloop

    other = [text for text in what if Path(text).suffix.lower() not in _YAML]
    if len(what) > 1 and other:
        raise click.UsageError(f"one workload, or YAML files of Timeloop: {other[0]!r} is no YAML file")
    return len(what) > 1 or (not other and Path(what[0]).is_file() and is_timeloop(Path(what[0])))


def _from_files(files: list[Path]) -> tuple[TensorProblem, ArchSpec, str]:
    from energysim.engines.timeloop import read_timeloop

    given = read_timeloop(files, with_mapping=False)
    for warning in given.warnings:
        click.echo(f"warning: {warning}", err=True)
    return given.need_problem(), given.arch, f"{given.arch.source} on {given.arch.name}"


def _from_workload(
    workload: str, layer: str | None, arch: str, bits: int | None, input_shape: str | None, batch: int | None
) -> tuple[TensorProblem, ArchSpec, str, str]:
    """The problem with the words of this device, the device, the operator class, a title."""
    from energysim.arch.loader import load_arch
    from energysim.cost.layers import op_class
    from energysim.graph.problem import Role
    from energysim.simulation.mapped_layer import mac_layer
    from energysim.workload import resolve_workload

    device = load_arch(arch)
    resolved = resolve_workload(workload, input_shape, batch)
    found = mac_layer(resolved.trace(), layer)
    assert found.problem is not None
    width = device.default_bits if bits is None else bits
    title = f"{found.name} ({found.op}) of {resolved.name} on {device.name}, {width}-bit words"
    return found.problem.with_bits(dict.fromkeys(Role, width)), device, op_class(found), title
