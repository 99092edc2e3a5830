"""``energysim compare``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command(context_settings={"show_default": True})
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path))
@click.option(
    "--arch", "-a", default="jetson_nano", help="Device of the cost and energy tables; 'none' leaves them out."
)
@click.option("--json", "json_file", metavar="FILE|-", help="Write the compared values as JSON.")
@click.option("--markdown", "markdown_file", metavar="FILE|-", help="Write the tables as Markdown.")
def compare(runs: tuple[Path, ...], arch: str, json_file: str | None, markdown_file: str | None) -> None:
    """Trained models side by side: size, accuracy over seeds, cost on a device, efficiency, times.

    RUN is a finished run's directory or checkpoint, or a directory of runs; runs of one model with different seeds are
    one line. The first model is what the others are compared with.

    \b
    energysim compare runs/s1-cifar100
    energysim compare runs/quick-digits/lightweight_cnn/seed0/final.pt runs/quick-digits/resnet18/seed0/final.pt
    """
    from dataclasses import asdict

    from energysim.cli.output import progress_bar, write_text
    from energysim.report.training import comparison_sheets
    from energysim.train.runs import find_groups, summarize_group

    groups = find_groups(runs)
    if len(groups) < 2:
        raise click.UsageError(f"two models or more are right; these runs are all of {groups[0].label}")
    summaries = []
    with progress_bar("comparing") as progress:
        for index, group in enumerate(groups):
            if progress is not None:
                progress(index, len(groups), group.label)
            summaries.append(summarize_group(group, None if arch == "none" else arch, timed=True))
    sheets = comparison_sheets(summaries)
    if json_file is not None:
        write_text(json.dumps({"schema": 1, "models": [asdict(summary) for summary in summaries]}, indent=1), json_file)
    if markdown_file is not None:
        write_text("\n".join(sheet.to_markdown() for sheet in sheets).rstrip("\n"), markdown_file)
    if "-" not in (json_file, markdown_file):
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
        for sheet in sheets:
            console.print(sheet.to_rich())
