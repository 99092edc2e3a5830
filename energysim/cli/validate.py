"""``energysim validate``."""

from __future__ import annotations

import sys

import click

from energysim.cli.options import input_options, schedule_options


@click.command(context_settings={"show_default": True})
@click.argument("workload", metavar="WORKLOAD|chips")
@click.option("--arch", "-a", help="A device by name (`energysim arch list`) or a YAML path.")
@click.option("--engines", default="native,timeloop", help="The native engine and those that it is compared with.")
@click.option("--variant", default="layerwise", help="Whose mappings: plain, layerwise, tiled, buffered, full, all...")
@schedule_options()
@input_options()
@click.option("--objective", default="energy", help="What the mappings minimize.")
@click.option(
    "--convention",
    type=click.Choice(["exact", "timeloop"]),
    default="timeloop",
    help="What the native engine counts by; with exact, padding and holes differ for that reason.",
)
@click.option("--estimator", default="table", help="Where energies per action come from.")
@click.option("--time-limit", type=click.FloatRange(min=0), help="Seconds of native search per distinct layer.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the comparison as JSON.")
@click.option("--out", metavar="DIR", help="With chips: write validation.md and its figures there.")
def validate(
    workload: str,
    arch: str | None,
    engines: str,
    variant: str,
    tile: tuple[int, int] | None,
    buffer: tuple[int | None, int | None],
    overlap: str,
    input_shape: str | None,
    batch: int | None,
    bits: int | None,
    objective: str,
    convention: str,
    estimator: str,
    time_limit: float | None,
    json_file: str | None,
    out: str | None,
) -> None:
    """The same mappings through several engines: every count that differs, with the documented reason.

    The mappings are those that `energysim simulate` finds natively. Exit code 1 when a difference has no documented
    reason (docs/engines.md).

    With `chips` for the workload: predictions beside published chips and boards (docs/validation.md).

    \b
    energysim validate lightweight_cnn --arch eyeriss --engines native,timeloop
    energysim validate resnet18 --arch simple3 --variant tiled --tile 16 --json differences.json
    energysim validate chips --out docs
    """
    if workload == "chips":
        from energysim.cli.chips import validate_chips

        validate_chips(out)
        return
    if arch is None:
        raise click.UsageError("a workload is compared on a device: --arch NAME (`energysim arch list`)")
    others = _others(engines)

    from energysim.arch.loader import load_arch
    from energysim.cli.output import progress_bar, write_text
    from energysim.energy import estimate
    from energysim.engines.registry import get_engine
    from energysim.mapping.counts import Convention
    from energysim.mapping.search import Objective
    from energysim.schedule.values import Overlap
    from energysim.simulation.cross_check import cross_check
    from energysim.simulation.setting import Setting
    from energysim.simulation.variants import Request
    from energysim.simulation.widths import word_width
    from energysim.workload import resolve_workload

    device = load_arch(arch)
    setting = Setting(
        device,
        estimate(device, estimator),
        get_engine("native"),
        Objective.parse(objective),
        Convention(convention),
        word_width(device, bits, variant),
        time_limit,
    )
    request = Request.checked(variant, tile, *buffer, Overlap(overlap))
    resolved = resolve_workload(workload, input_shape, batch)
    graph = resolved.trace()
    with progress_bar("comparing") as progress:
        result = cross_check(graph, setting, request, others, progress)
    if json_file is not None:
        import json

        from energysim.report.cross_check import cross_check_data

        write_text(json.dumps({"workload": resolved.name, **cross_check_data(result)}, indent=2), json_file)
    if json_file != "-":
        from rich.console import Console

        from energysim.report.cross_check import print_cross_check

        width = None if sys.stdout.isatty() else 160
        title = f"{resolved.name} on {device.name}, {variant}, {setting.bits}-bit words"
        print_cross_check(result, title, Console(width=width, highlight=False))
    if result.unexplained:
        raise click.exceptions.Exit(1)


def _others(engines: str) -> tuple[str, ...]:
    """The engines beside `native`. Raises UsageError where there is none, or one is unknown."""
    from energysim.engines.registry import ENGINES
    from energysim.errors import did_you_mean

    names = list(dict.fromkeys(name.strip() for name in engines.split(",") if name.strip()))
    for name in names:
        if name not in ENGINES:
            hint = did_you_mean(name, ENGINES) or f"engines: {', '.join(ENGINES)}"
            raise click.BadParameter(f"unknown engine {name!r} ({hint})", param_hint="--engines")
    others = tuple(name for name in names if name != "native")
    if not others or len(others) == len(names):
        raise click.BadParameter(
            f"{engines!r}: native and at least one other engine are compared", param_hint="--engines"
        )
    return others
