"""``energysim reproduce``."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command(context_settings={"show_default": True})
@click.argument("systems", nargs=-1, metavar="[S1|S2|S3|S4|all]...")
@click.option("--claim", "claims", multiple=True, metavar="ID", help="Only this claim; several times for several.")
@click.option("--quick", is_flag=True, help="Only what takes a minute or two: small images, batch 1, one device.")
@click.option(
    "--store",
    default="runs/reproduce.db",
    type=click.Path(path_type=Path),
    help="Simulations are kept here; stopped and started again, it goes on where it was.",
)
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Worker processes.  [default: one per core]")
@click.option("--stored", is_flag=True, help="Compute no simulation: conditions that the store lacks are left out.")
@click.option(
    "--runs", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help="Training runs to judge by."
)
@click.option("--measure/--no-measure", default=True, help="Also time inferences on this machine's CPU.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the ledger as JSON.")
@click.option("--markdown", "markdown_file", metavar="FILE|-", help="Write the ledger as a Markdown page.")
def reproduce(
    systems: tuple[str, ...],
    claims: tuple[str, ...],
    quick: bool,
    store: Path,
    jobs: int | None,
    stored: bool,
    runs: tuple[Path, ...],
    measure: bool,
    json_file: str | None,
    markdown_file: str | None,
) -> None:
    """Every claim of the four systems S1-S4: claimed, computed, verdict, reason.

    Conditions that a claim leaves open (device, image, batch, word width, ...) are swept, and the verdict says under
    which of them it holds. The 454 simulations of all systems took 17 minutes of CPU time, those of S4 --quick one.

    \b
    energysim reproduce S1 --quick
    energysim reproduce all --markdown docs/reproduction.md
    energysim reproduce S1 --runs runs/s1-cifar100
    energysim reproduce S4 --claim full-reduction --json -
    """
    from energysim.cli.output import progress_bar, write_text
    from energysim.reproduce.check import Context
    from energysim.reproduce.ledger import SYSTEMS
    from energysim.reproduce.run import claims_of
    from energysim.reproduce.run import reproduce as run
    from energysim.reproduce.simulations import Simulations
    from energysim.sweep import Store
    from energysim.train.runs import all_groups

    chosen = SYSTEMS if not systems or "all" in systems else tuple(dict.fromkeys(system.upper() for system in systems))
    claims_of(chosen, claims)  # a name that is unknown is told before a store is made
    groups = all_groups(runs) if runs else ()
    with Store.open(store, create=True) as opened, progress_bar("checking", remaining=True, counted=False) as progress:
        context = Context(Simulations(opened, stored, jobs), groups, quick, measure)
        ledger = run(chosen, context, claims, progress)
    if json_file is not None:
        write_text(ledger.to_json(), json_file)
    if markdown_file is not None:
        from energysim.report.reproduction import ledger_page

        flags = [flag for flag, given in (("--quick", quick), ("--stored", stored)) if given]
        command = " ".join(["energysim reproduce", *(systems or ("all",)), *flags, "--markdown", markdown_file])
        write_text(ledger_page(ledger, command), markdown_file)
    if "-" not in (json_file, markdown_file):
        from rich.console import Console

        from energysim.report.reproduction import ledger_table

        Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(ledger_table(ledger))
