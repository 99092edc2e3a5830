"""``energysim export``: a network for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from energysim.cli.options import input_options, schedule_options


@click.group()
def export() -> None:
    """Write a network and a device for other tools.

    \b
    energysim export timeloop lightweight_cnn --arch eyeriss -o exported
    """


@export.command(context_settings={"show_default": True})
@click.argument("workload")
@click.option("--arch", "-a", required=True, help="A device by name (`energysim arch list`) or a YAML path.")
@click.option("--variant", default="layerwise", help="plain, layerwise, tiled, buffered, full or optimal.")
@schedule_options()
@input_options()
@click.option("--objective", default="energy", help="energy, latency, edp or dram; or two in order, e.g. dram,energy.")
@click.option("--estimator", default="table", help="Where energies per action come from: table or hwcomponents.")
@click.option("--time-limit", type=click.FloatRange(min=0), help="Seconds of search per distinct layer.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The directory to write.")
@click.option("--force", is_flag=True, help="Replace an earlier export.")
def timeloop(
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
    estimator: str,
    time_limit: float | None,
    output: Path,
    force: bool,
) -> None:
    """Everything to run timeloop-model and timeloop-mapper by hand on every layer of a network.

    Writes per distinct problem its architecture, problem, mapping (the best that energysim found), constraints, ERT and
    ART; an index of which layers they stand for and how often; the mapper's settings; a script and a README.

    \b
    energysim export timeloop lightweight_cnn --arch eyeriss -o exported
    energysim export timeloop resnet18 --arch meta_proto_df --variant full --tile 8 -o exported --force
    exported/run.sh model
    """
    if variant == "all":
        raise click.BadParameter("one variant at a time", param_hint="--variant")

    from energysim.cli.output import check_directory, progress_bar, write_directory
    from energysim.report.timeloop_export import INDEX, export_simulation
    from energysim.simulation import simulate

    check_directory(output, INDEX, force)
    with progress_bar("mapping") as progress:
        result = simulate(
            workload,
            arch,
            input=input_shape,
            batch=batch,
            bits=bits,
            variant=variant,
            tile=tile,
            buffer_bytes=buffer[0],
            buffer_channels=buffer[1],
            overlap=overlap,
            objective=objective,
            convention="timeloop",
            estimator=estimator,
            time_limit_s=time_limit,
            progress=progress,
        )
        files = export_simulation(result, time_limit, progress)
    write_directory(files, output, INDEX, force, executable=("run.sh",))
    cases = sum(path.endswith("/problem.yaml") for path in files)
    click.echo(f"{cases} distinct problems of {result.workload} on {result.arch.name} ({variant}) in {output}")
    click.echo(f"to run them: {output / 'run.sh'} model, or mapper; see {output / 'README.md'}")
