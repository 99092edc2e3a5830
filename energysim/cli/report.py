"""``energysim report``."""

from __future__ import annotations

import click


@click.command(context_settings={"show_default": True})
@click.argument("results", nargs=-1, metavar="RESULT...")
@click.option("--runs", multiple=True, type=click.Path(), metavar="DIR", help="Training runs, as a RESULT too.")
@click.option("--out", "-o", "target", default="report.html", metavar="FILE|-", help="Where the page goes.")
def report(results: tuple[str, ...], runs: tuple[str, ...], target: str) -> None:
    """One self-contained page of results: tables, plots, layer graphs, mappings, provenance.

    RESULT is what `energysim simulate --json`, `train --json` or `compare --json` (of runs) wrote, a directory of
    training runs, the store of a sweep, or a ledger of `reproduce --json`. Several stand side by side.

    \b
    energysim simulate lightweight_cnn --arch jetson_nano --variant all --json result.json
    energysim report result.json -o report.html
    energysim report result.json --runs runs/quick-digits -o report.html
    """
    if not (results or runs):
        raise click.UsageError("nothing to show: name a RESULT, or training runs by --runs")
    from energysim.cli.output import write_text
    from energysim.report.page import read_sources, report_page

    write_text(report_page(read_sources((*results, *runs))), target)
