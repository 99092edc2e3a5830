"""``energysim plot``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from energysim.report.plots import Plot, Source

ALL = "all"


def _list(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from energysim.report.plots import PLOTS

        for plot in PLOTS.values():
            options = "".join(f" --{name}" for name in plot.options)
            click.echo(
                f"{plot.name:<17} {plot.source.value:<8} {plot.about}{f'  [{options.strip()}]' if options else ''}"
            )
        ctx.exit()


@click.command(context_settings={"show_default": True})
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="Name every plot.")
@click.argument("kind")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path(path_type=Path))
@click.option(
    "--out", "-o", "targets", multiple=True, required=True, type=click.Path(path_type=Path), metavar="FILE",
    help="FILE.png, .svg or .pdf, also several; of 'all' a directory.",
)  # fmt: skip
@click.option("--variant", help="Of a result with several.  [default: the first]")
@click.option("--metric", help="energy, latency, dram, edp, macs, area or accuracy.  [default: energy]")
@click.option("--against", help="The other metric of a Pareto front.  [default: latency]")
@click.option("--x", help="Parameter along x: tile, buffer, batch, bits, arch.GLB.capacity...")
@click.option("--y", help="Parameter along y of a heat map.  [default: tile]")
@click.option("--arch", "-a", help="Device that runs are costed on.  [default: jetson_nano]")
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(["png", "svg", "pdf"]), default=["png"], help="Of 'all'."
)
def plot(
    kind: str, inputs: tuple[Path, ...], targets: tuple[Path, ...], formats: tuple[str, ...], **options: str | None
) -> None:
    """Draw a figure of stored results, of a sweep or of training runs.

    KIND is a name of `energysim plot --list`, or all: every plot that the inputs have, into a directory. INPUT is what
    `simulate --json` wrote, the store (.db) of a sweep, or a directory of training runs.

    \b
    energysim plot traffic result.json -o traffic.svg --variant full
    energysim plot energy resnet18.json mobilenet.json -o energy.png -o energy.svg
    energysim plot heatmap sweep.db --metric dram -o heatmap.png
    energysim plot all result.json -o figures
    """
    from energysim.cli.output import command_line
    from energysim.report.plots.save import check_format, save_figure

    given = {name: value for name, value in options.items() if value is not None}
    if kind == ALL:
        for name, figure in _every(inputs, given):
            for suffix in formats:
                file = targets[0] / f"{name}.{suffix}"
                save_figure(figure, file, command_line())
                click.echo(str(file))
        return
    chosen = _plot(kind)
    unknown = [name for name in given if name not in chosen.options]
    if unknown:
        takes = ", ".join(f"--{name}" for name in chosen.options) or "none of them"
        raise click.UsageError(f"{kind} takes no --{unknown[0]} ({takes})")
    for target in targets:
        check_format(target)
    source, content = _read(inputs)
    figure = chosen.draw(_content_for(chosen, source, content), **given)
    for target in targets:
        save_figure(figure, target, command_line())
        click.echo(str(target))


def _plot(kind: str) -> Plot:
    from energysim.errors import NotFoundError, did_you_mean
    from energysim.report.plots import PLOTS

    if kind not in PLOTS:
        hint = did_you_mean(kind, [*PLOTS, ALL]) or "`energysim plot --list` names them"
        raise NotFoundError(f"no plot {kind!r}", hint=hint)
    return PLOTS[kind]


def _read(inputs: Sequence[Path]) -> tuple[Source, Any]:
    """What the inputs are, and their content. Raises EnergySimError where they are of several kinds."""
    from energysim.errors import EnergySimError, NotFoundError
    from energysim.report.plots import Source

    for path in inputs:
        if not path.exists():
            raise NotFoundError(
                f"no {str(path)!r}", hint="a result (.json), a sweep's store (.db) or a run's directory"
            )
    kinds = {_kind(path) for path in inputs}
    if len(kinds) > 1:
        raise EnergySimError(f"inputs of several kinds: {', '.join(sorted(kinds))}", hint="one figure is of one kind")
    (kind,) = kinds
    if kind is Source.RUNS:
        from energysim.train.runs import find_groups

        return kind, find_groups(inputs)
    if kind is Source.SWEEP:
        import pandas as pd

        from energysim.sweep import Store

        frames = []
        for path in inputs:
            with Store.open(path) as store:
                frames.append(store.to_pandas())
        return kind, pd.concat(frames, ignore_index=True)
    from energysim.simulation import read_stored

    return kind, [read_stored(path) for path in inputs]


def _kind(path: Path) -> Source:
    from energysim.report.plots import Source

    if path.is_dir() or path.suffix == ".pt":
        return Source.RUNS
    return Source.SWEEP if path.read_bytes()[:15] == b"SQLite format 3" else Source.RESULTS


def _content_for(chosen: Plot, source: Source, content: Any) -> Any:
    """``content`` as the plot takes it."""
    from energysim.errors import EnergySimError
    from energysim.report.plots import Source

    right = {Source.RESULT: "a result of `simulate --json`", Source.RESULTS: "results of `simulate --json`",
             Source.SWEEP: "the store of a sweep", Source.RUNS: "directories of training runs"}  # fmt: skip
    wanted = Source.RESULTS if chosen.source is Source.RESULT else chosen.source
    if source is not wanted:
        raise EnergySimError(f"{chosen.name} is drawn from {right[chosen.source]}, not from {right[source]}")
    if chosen.source is not Source.RESULT:
        return content
    if len(content) > 1:
        raise EnergySimError(f"{chosen.name} shows one result, not {len(content)}", hint="a figure for each")
    return content[0]


def _every(inputs: Sequence[Path], given: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """(name, figure) of every plot that the inputs have; why the others are not drawn goes to stderr."""
    from energysim.errors import EnergySimError
    from energysim.report.plots import PLOTS, Source

    source, content = _read(inputs)
    for chosen in PLOTS.values():
        if (Source.RESULTS if chosen.source is Source.RESULT else chosen.source) is not source:
            continue
        options = {name: value for name, value in given.items() if name in chosen.options}
        for index, one in enumerate(content if chosen.source is Source.RESULT else [content]):
            single = chosen.source is not Source.RESULT or len(content) == 1
            try:
                figure = chosen.draw(one, **options)
            except EnergySimError as error:
                click.echo(f"{chosen.name}: not drawn, {error}", err=True)
                continue
            yield chosen.name if single else f"{chosen.name}-{inputs[index].stem}", figure
