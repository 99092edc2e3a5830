"""``energysim verify``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from energysim.cli.options import input_options, schedule_options

if TYPE_CHECKING:
    from rich.table import Table

    from energysim.nn.executor.program import ExecutableProgram
    from energysim.nn.executor.verify import Verification
    from energysim.workload import Workload

_VARIANTS = ("plain", "layerwise", "tiled", "buffered", "full", "optimal")
# Where no device says what fits: small enough to cut the maps of a small network.
_TILE, _BUFFER, _BITS = (8, 8), (None, 64), 8


@click.command(context_settings={"show_default": True})
@click.argument("workload")
@click.option("--variant", type=click.Choice([*_VARIANTS, "all"]), default="all", help="Which schedule to execute.")
@schedule_options(tile="8", buffer="64ch")
@click.option(
    "--arch", "-a", help="Execute what `simulate` costs on this device, mappings included; sizes default as there."
)
@input_options(bits="8; with --arch the device's")
@click.option("--objective", default="energy", help="What mappings and `optimal` minimize (with --arch).")
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
    tile: tuple[int, int] | None,
    buffer: tuple[int | None, int | None],
    overlap: str,
    arch: str | None,
    input_shape: str | None,
    batch: int | None,
    bits: int | None,
    objective: str,
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
    energysim verify lightweight_cnn --variant optimal --arch jetson_nano
    """
    import json

    from rich.console import Console

    from energysim.cli.output import write_text
    from energysim.workload import resolve_workload

    sizes = _Sizes(
        tile,
        buffer,
        overlap,
        bits,
    )
    if arch is None:
        _refuse_what_needs_a_device(variant)
    program = _program(resolve_workload(workload, input_shape, batch), dtype, seed)
    if arch is None:
        results = _without_device(program, _VARIANTS[:-1] if variant == "all" else (variant,), sizes)
    else:
        results = _on_device(program, variant, sizes, arch, objective, time_limit)
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


def _refuse_what_needs_a_device(variant: str) -> None:
    """Raises UsageError for what would have no meaning without one."""
    if variant == "optimal":
        raise click.UsageError("the variant 'optimal' is the best for a device: name one with --arch")
    context = click.get_current_context()
    for name in ("objective", "time_limit"):
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} says how layers are mapped onto a device: name one with --arch")


@dataclass(frozen=True, slots=True)
class _Sizes:
    tile: tuple[int, int] | None
    buffer: tuple[int | None, int | None]
    overlap: str
    bits: int | None


def _without_device(program: ExecutableProgram, variants: Sequence[str], sizes: _Sizes) -> list[Verification]:
    from energysim.nn.executor.verify import verify as run
    from energysim.schedule.values import Overlap
    from energysim.schedule.variants import make_schedule

    buffer_bytes, buffer_channels = _BUFFER if sizes.buffer == (None, None) else sizes.buffer
    return [
        run(
            program,
            make_schedule(
                program.graph,
                name,
                bits=sizes.bits or _BITS,
                tile=sizes.tile or _TILE,
                overlap=Overlap(sizes.overlap),
                buffer_bytes=buffer_bytes,
                buffer_channels=buffer_channels,
            ),
        )
        for name in variants
    ]


def _on_device(
    program: ExecutableProgram, variant: str, sizes: _Sizes, arch: str, objective: str, time_limit: float | None
) -> list[Verification]:
    from energysim.arch.loader import load_arch
    from energysim.cli.output import progress_bar
    from energysim.energy import estimate
    from energysim.engines.registry import get_engine
    from energysim.mapping.counts import Convention
    from energysim.mapping.search import Objective
    from energysim.schedule.values import Overlap
    from energysim.simulation.proof import prove
    from energysim.simulation.setting import Setting
    from energysim.simulation.variants import Request
    from energysim.simulation.widths import word_width

    device = load_arch(arch)
    setting = Setting(
        device,
        estimate(device, "table"),
        get_engine("native"),
        Objective.parse(objective),
        Convention.EXACT,
        word_width(device, sizes.bits, variant),
        time_limit,
    )
    request = Request.checked(variant, sizes.tile, *sizes.buffer, Overlap(sizes.overlap))
    with progress_bar("mapping") as progress:
        return list(prove(program, setting, request, progress))


def _program(found: Workload, dtype: str, seed: int) -> ExecutableProgram:
    import torch

    from energysim.nn.executor.exact import inputs_like
    from energysim.nn.executor.program import prepare
    from energysim.nn.executor.verify import prepare_exactly

    if dtype != "float32":
        return prepare_exactly(found.model(), found.inputs, seed=seed)
    return prepare(found.model(), inputs_like(found.inputs, torch.float32, seed), name=found.name)


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
            console.print(f"{result.variant}: {difference}")
