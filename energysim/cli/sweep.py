"""``energysim sweep``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from energysim.sweep import SweepResult


@click.command(context_settings={"show_default": True})
@click.argument("experiment")
@click.option("--out", "-o", metavar="FILE.db", help="The store of results.  [default: EXPERIMENT.db]")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Worker processes.  [default: one per core]")
@click.option("--dask", metavar="tcp://HOST:PORT", help="Compute on the workers of this Dask scheduler.")
@click.option(
    "--points", type=click.IntRange(min=1), metavar="N", help="Only so many, drawn at random (of a search: trials)."
)
@click.option("--retry", is_flag=True, help="Compute the points again that failed before.")
@click.option("--runs", multiple=True, metavar="DIR", help="Training runs: their accuracy goes with their networks.")
@click.option("--export", "export_file", metavar="FILE.parquet|.csv", help="Write the sweep's points as a table.")
@click.option("--rows", type=click.IntRange(min=1), default=20, help="Show so many points of the Pareto front.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write counts, front and all points as JSON.")
def sweep(
    experiment: str,
    out: str | None,
    jobs: int | None,
    dask: str | None,
    points: int | None,
    retry: bool,
    runs: tuple[str, ...],
    export_file: str | None,
    rows: int,
    json_file: str | None,
) -> None:
    """Many simulations: every point of a design space, each once, into a store that can be killed and resumed.

    EXPERIMENT is a shipped sweep by name or the path of a YAML file (docs/sweep.md). Points that are in the store are
    not computed again; one that fails is stored with its error and the sweep goes on. Shown is the Pareto front.

    \b
    energysim sweep sweep_quick
    energysim sweep my_space.yaml --points 50 --out results.db
    energysim sweep my_space.yaml --jobs 8 --out results.db --export results.parquet
    energysim sweep my_space.yaml --out results.db --dask tcp://10.0.0.1:8786
    """
    if jobs is not None and dask is not None:
        raise click.UsageError("--jobs and --dask exclude one another: the cluster says how many workers there are")
    if export_file is not None:
        from energysim.sweep.export import checked_target

        checked_target(export_file)
    from energysim.cli.output import progress_bar
    from energysim.sweep import load_experiment, run_sweep

    loaded = load_experiment(experiment) if points is None else load_experiment(experiment).only(points)
    store = out or f"{loaded.name}.db"
    how: dict[str, Any] = {"jobs": jobs, "dask": dask, "retry": retry, "runs": runs}
    try:
        with progress_bar("sweeping", remaining=True) as progress:
            result = run_sweep(loaded, store, progress=progress, **how)
    except KeyboardInterrupt:
        click.echo(f"interrupted; what is done is in {store}: the same command goes on from there", err=True)
        raise
    _show(result, export_file, rows, json_file)


def _show(result: SweepResult, export_file: str | None, most: int, json_file: str | None) -> None:
    from rich.console import Console

    from energysim.cli.output import write_text
    from energysim.report.sweep import failures_text, sweep_sheet
    from energysim.sweep import Store
    from energysim.sweep.export import export

    with Store.open(result.store) as store:
        rows = list(store.rows(result.keys))
        if export_file is not None:
            export(store, export_file, result.keys)
    if json_file is not None:
        import json

        write_text(json.dumps(result.to_dict(rows), indent=1), json_file)
    if json_file != "-":
        console = Console(width=None if sys.stdout.isatty() else 170, highlight=False)
        console.print(sweep_sheet(result, rows, most).to_rich())
        if failures := failures_text(rows):
            click.echo(failures)
        click.echo(f"Stored in {result.store}.")
