"""``energysim verify``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from energysim.cli.sizes import parse_buffer, parse_tile

if TYPE_CHECKING:
    from rich.table import Table

    from energysim.arch.spec import ArchSpec
    from energysim.graph.layers import LayerGraph
    from energysim.graph.problem import TensorProblem
    from energysim.nn.executor.mapped_layer import LayerMapping
    from energysim.nn.executor.program import ExecutableProgram
    from energysim.nn.executor.verify import Verification
    from energysim.schedule.values import Schedule
    from energysim.workload import Workload

_VARIANTS = ("plain", "layerwise", "tiled", "buffered", "full")


@click.command(context_settings={"show_default": True})
@click.argument("workload")
@click.option("--variant", type=click.Choice([*_VARIANTS, "all"]), default="all", help="Which schedule to execute.")
@click.option("--tile", metavar="N|ROWSxCOLS", default="8", help="Tile of the ofmap plane (tiled, full).")
@click.option(
    "--buffer", "buffer_size", metavar="SIZE|Nch", default="64ch", help="Feature-map buffer (buffered, full)."
)
@click.option(
    "--overlap",
    type=click.Choice(["recompute", "cache_columns", "cache"]),
    default="recompute",
    help="What becomes of the halo between tiles (full).",
)
@click.option("--arch", "-a", help="Also execute the mappings onto this device of the layers that run alone.")
@click.option("--input", "input_shape", help="Input shape, e.g. 1x3x64x64.")
@click.option("--batch", type=click.IntRange(min=1), help="Replaces the first axis of the input.")
@click.option("--bits", type=click.IntRange(1, 64), default=8, help="Word width that buffer sizes are counted in.")
@click.option(
    "--dtype",
    type=click.Choice(["float64", "int", "float32"]),
    default="float64",
    help="float64, int: whole-number weights, compared bit for bit; float32: the model's own, within 1e-4.",
)
@click.option("--seed", type=int, default=0, help="Of the weights and the input.")
@click.option("--time-limit", type=click.FloatRange(min=0), help="Seconds of search per distinct layer (with --arch).")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the result as JSON.")
def verify(
    workload: str,
    variant: str,
    tile: str,
    buffer_size: str,
    overlap: str,
    arch: str | None,
    input_shape: str | None,
    batch: int | None,
    bits: int,
    dtype: str,
    seed: int,
    time_limit: float | None,
    json_file: str | None,
) -> None:
    """Execute a schedule on real tensors: are outputs and DRAM words what is claimed?

    The network runs in PyTorch tile by tile, every word between DRAM and chip is counted where it is copied, and each
    feature map is compared with the plain network's. Exit code 1 where something differs.

    \b
    energysim verify lightweight_cnn
    energysim verify mobilenet_v2 --variant full --tile 7x5 --buffer 256KiB --overlap cache --input 1x3x64x64
    energysim verify resnet18 --variant layerwise --arch eyeriss
    """
    import json

    from rich.console import Console

    from energysim.cli.output import write_text
    from energysim.nn.executor.verify import verify as run
    from energysim.schedule.values import Overlap
    from energysim.schedule.variants import make_schedule
    from energysim.workload import resolve_workload

    rows_columns, (buffer_bytes, buffer_channels) = parse_tile(tile), parse_buffer(buffer_size)
    program = _program(resolve_workload(workload, input_shape, batch), dtype, seed)
    results = []
    for name in _VARIANTS if variant == "all" else (variant,):
        schedule = make_schedule(
            program.graph,
            name,
            bits=bits,
            tile=rows_columns,
            overlap=Overlap(overlap),
            buffer_bytes=buffer_bytes,
            buffer_channels=buffer_channels,
        )
        mapped = {} if arch is None else _mappings(program.graph, schedule, arch, bits, time_limit)
        results.append(run(program, schedule, mapped))
    if json_file is not None:
        entries = [result.to_dict() for result in results]
        write_text(json.dumps({"schema": 1, "workload": workload, "variants": entries}, indent=2), json_file)
    if json_file != "-":
        console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
        console.print(_table(workload, results))
        for result in results:
            _explain(result, console)
    if not all(result.passed for result in results):
        sys.exit(1)


def _program(found: Workload, dtype: str, seed: int) -> ExecutableProgram:
    import torch

    from energysim.nn.executor.exact import inputs_like
    from energysim.nn.executor.program import prepare
    from energysim.nn.executor.verify import prepare_exactly

    if dtype != "float32":
        return prepare_exactly(found.model(), found.inputs, seed=seed)
    return prepare(found.model(), inputs_like(found.inputs, torch.float32, seed), name=found.name)


def _mappings(
    graph: LayerGraph, schedule: Schedule, arch: str, bits: int, time_limit: float | None
) -> dict[str, LayerMapping]:
    """The mapping of every MAC layer that the schedule leaves to the mapper."""
    from energysim.arch.loader import load_arch
    from energysim.cost.model import cost_model
    from energysim.energy import estimate
    from energysim.engines.registry import get_engine
    from energysim.errors import InfeasibleError
    from energysim.graph.problem import Role
    from energysim.mapping.counts import Convention
    from energysim.mapping.search import Objective
    from energysim.nn.executor.mapped_layer import LayerMapping
    from energysim.schedule.homes import streaming, whole_planes

    device = load_arch(arch)
    energies, engine = estimate(device, "table"), get_engine("native")

    def best(problem: TensorProblem, target: ArchSpec) -> LayerMapping:
        costs = cost_model(problem, target, energies)
        mapped = engine.search(problem, target, costs, Objective.parse("energy"), Convention.EXACT, time_limit)
        return LayerMapping(problem, target, mapped.mapping)

    found: dict[object, LayerMapping] = {}
    result = {}
    for stack in schedule.stacks:
        layer = graph.layer(stack.layers[0])
        if len(stack.layers) > 1 or layer.problem is None or (stack.tile is not None and not stack.free):
            continue
        problem = layer.problem.with_bits(dict.fromkeys(Role, bits))
        if (problem, stack.free) not in found:
            try:
                found[problem, stack.free] = best(problem, device if stack.free else whole_planes(device))
            except InfeasibleError:
                if stack.free:
                    raise
                found[problem, stack.free] = best(problem, streaming(device))
        result[layer.name] = found[problem, stack.free]
    return result


def _table(workload: str, results: list[Verification]) -> Table:
    from rich.table import Table

    table = Table(title=f"{workload}, executed tile by tile ({results[0].dtype})")
    table.add_column("variant")
    for heading in ("stacks", "of them mapped", "words loaded", "words stored", "MACs", "maps compared", "bit for bit"):
        table.add_column(heading, justify="right")
    for heading in ("outputs", "words and MACs"):
        table.add_column(heading)
    for result in results:
        differing = sum(bool(check.differences) for check in result.checks)
        table.add_row(
            result.variant,
            str(len(result.checks)),
            str(sum(check.mapped for check in result.checks)),
            f"{sum(check.loaded_words + check.weight_words for check in result.checks):,}",
            f"{sum(check.stored_words for check in result.checks):,}",
            f"{sum(check.macs for check in result.checks):,}",
            str(result.compared_maps),
            str(result.exact_maps),
            "equal" if result.outputs_equal and not result.wrong else f"{len(result.wrong)} maps differ",
            "as scheduled" if not differing else f"{differing} stacks differ",
        )
    return table


def _explain(result: Verification, console: object) -> None:
    from rich.console import Console

    assert isinstance(console, Console)
    inexact = result.compared_maps - result.exact_maps
    if inexact:
        console.print(
            f"{result.variant}: {inexact} feature maps hold rounded values; largest difference "
            f"{result.largest_error:.1e} of the largest value, allowed {result.tolerance:.0e}"
        )
    for edge in result.wrong[:10]:
        console.print(f"{result.variant}: {edge} differs from the plain network's")
    for check in result.checks:
        for difference in check.differences[:10]:
            console.print(f"{result.variant}: stack {check.layers[0]} ... {check.layers[-1]}: {difference}")
