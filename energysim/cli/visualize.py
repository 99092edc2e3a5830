"""``energysim visualize``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(context_settings={"show_default": True})
@click.argument("subjects", nargs=-1, required=True, metavar="WORKLOAD...|RUN...")
@click.option("--input", "input_shape", help="Input shape of workloads, e.g. 1x3x224x224.")
@click.option("--out", "-o", required=True, type=click.Path(path_type=Path), help="SVG file; of runs: a directory.")
@click.option("--format", "kind", type=click.Choice(["png", "svg", "pdf"]), default="png", help="Of runs' figures.")
@click.option("--arch", "-a", default="jetson_nano", help="Device of the energy figures; 'none' leaves them out.")
@click.option("--data-root", default="data", type=click.Path(path_type=Path), help="Where CIFAR lies.")
@click.option("--unverified", is_flag=True, help="Take CIFAR files of your own: without their published checksums.")
def visualize(
    subjects: tuple[str, ...],
    input_shape: str | None,
    out: Path,
    kind: str,
    arch: str,
    data_root: Path,
    unverified: bool,
) -> None:
    """Draw architectures (of workloads) or the figures of finished training runs, at 300 DPI.

    Of runs: training curves, loss, per-class accuracy, accuracy against parameters and energy, times; and of each
    model the confusion matrix, ROC, calibration, t-SNE of its features, Grad-CAM and the distribution of parameters.

    \b
    energysim visualize lightweight_cnn resnet18 -o architectures.svg
    energysim visualize runs/quick-digits -o figures/
    """
    existing = [Path(subject) for subject in subjects if Path(subject).is_dir() or subject.endswith(".pt")]
    if not existing:
        _architectures(subjects, input_shape, out)
    elif len(existing) < len(subjects):
        workload = next(subject for subject in subjects if Path(subject) not in existing)
        raise click.UsageError(f"{workload!r} is a workload beside runs; one picture is of either")
    else:
        _runs(existing, out, kind, None if arch == "none" else arch, data_root, not unverified)


def _architectures(subjects: tuple[str, ...], input_shape: str | None, out: Path) -> None:
    from energysim.cli.output import write_text
    from energysim.report.diagram import architecture_svg
    from energysim.workload import resolve_workload

    graphs = [resolve_workload(subject, input_shape).trace() for subject in subjects]
    write_text(architecture_svg(graphs), str(out))
    click.echo(str(out))


def _runs(paths: list[Path], out: Path, kind: str, arch: str | None, data_root: Path, verified: bool) -> None:
    from energysim.cli.output import command_line, progress_bar
    from energysim.report.plots.save import save_figure
    from energysim.report.training_study import figures_of
    from energysim.train.runs import find_groups

    groups = find_groups(paths)
    data = groups[0].trained().data(data_root, verified=verified)
    with progress_bar("drawing") as progress:
        for count, (name, figure) in enumerate(figures_of(groups, data, arch)):
            if progress is not None:
                progress(count, 7 + 6 * len(groups), name)
            file = out / f"{name}.{kind}"
            save_figure(figure, file, command_line())
            click.echo(str(file))
