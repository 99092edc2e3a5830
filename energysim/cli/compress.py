"""``energysim compress``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


@click.command(context_settings={"show_default": True})
@click.argument("workload")
@click.option("--arch", "-a", default="jetson_nano", help="The device whose cost stands beside the accuracy.")
@click.option("--methods", default="all", help="With commas: baseline, prune, magnitude, ptq, qat, distill; or all.")
@click.option("--recipe", "-r", default="quick", help="The recipe of an experiment, by name or path.")
@click.option("--data", "-d", default="digits", help="digits, cifar10, cifar100, synthetic or imagefolder:PATH.")
@click.option("--data-root", default="data", type=click.Path(path_type=Path), help="Where CIFAR lies.")
@click.option("--epochs", type=click.IntRange(min=1), help="Instead of the recipe's.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, help="Runs of every method, of seeds 0, 1, ...")
@click.option("--ratio", type=float, default=0.5, help="Share of channels that structured pruning takes.")
@click.option("--sparsity", type=float, default=0.8, help="Share of weights that magnitude pruning zeroes.")
@click.option("--every", type=click.IntRange(min=1), default=5, help="Epochs between prunings.")
@click.option("--bits", type=click.IntRange(2, 16), default=8, help="Words of the quantized networks.")
@click.option(
    "--teacher", default="resnet18", help="A workload to train and learn from, or a finished run's directory."
)
@click.option(
    "--out", "-o", type=click.Path(path_type=Path), help="Directory of the runs.  [default: runs/compress-...]"
)
@click.option("--teacher-epochs", type=click.IntRange(min=1), help="Instead of the recipe's, for the teacher.")
@click.option("--limit-batches", type=click.IntRange(min=1), help="A dry run: so many batches per epoch.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the table as JSON.")
@click.option("--markdown", "markdown_file", metavar="FILE|-", help="Write the table as Markdown.")
def compress(workload: str, methods: str, json_file: str | None, markdown_file: str | None, **options: Any) -> None:
    """Train one model compressed in several ways; accuracy beside energy, latency and DRAM traffic.

    Pruned and quantized networks are simulated as they are: smaller layers, words of fewer bits. Every run resumes
    where it was interrupted, and a finished one is not repeated.

    \b
    energysim compress lightweight_cnn
    energysim compress lightweight_cnn --methods baseline,ptq,qat --bits 4 --arch gemmini
    energysim compress resnet20 --recipe s3 --data cifar10 --methods baseline,prune --ratio 0.3
    """
    from dataclasses import asdict

    from energysim.cli.output import write_text
    from energysim.report.compression import compression_sheet
    from energysim.train.compress import METHODS, Settings

    settings = Settings(
        methods=METHODS if methods == "all" else tuple(part.strip() for part in methods.split(",")),
        **{key: options[key] for key in ("ratio", "sparsity", "every", "bits", "teacher", "teacher_epochs")},
    )
    rows = _run(workload, settings, options)
    sheet = compression_sheet(rows, workload, options["data"])
    if json_file is not None:
        write_text(json.dumps({"schema": 1, "methods": [asdict(row) for row in rows]}, indent=1), json_file)
    if markdown_file is not None:
        write_text(sheet.to_markdown().rstrip("\n"), markdown_file)
    if "-" not in (json_file, markdown_file):
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else 170, highlight=False).print(sheet.to_rich())


def _run(workload: str, settings: Any, options: dict[str, Any]) -> list[Any]:
    from energysim.arch.loader import load_arch
    from energysim.cli.output import progress_bar
    from energysim.train.compress import compress as run
    from energysim.train.experiment import load_recipe
    from energysim.train.loop import Interrupted
    from energysim.train.runtime import make_fabric
    from energysim.train.session import Session

    load_arch(options["arch"])  # a wrong name costs no training
    recipe = load_recipe(options["recipe"])
    if options["epochs"] is not None:
        recipe = recipe.with_epochs(options["epochs"])
    label = f"compress-{Path(options['recipe']).stem}-{options['data'].replace('/', '_').replace(':', '_')}"
    session = Session(
        workloads=(workload,),
        recipe=recipe,
        recipe_name=Path(options["recipe"]).stem,
        data=options["data"],
        out=options["out"] or Path("runs") / label,
        seeds=tuple(range(options["seeds"])),
        root=options["data_root"],
        limit_batches=options["limit_batches"],
        arch=options["arch"],
    )
    with progress_bar("compressing") as bar:

        def named(run_name: str) -> Callable[[int, int, str], None] | None:
            return None if bar is None else lambda done, total, text: bar(done, total, f"{run_name}: {text}")

        try:
            warn = lambda message: click.echo(f"warning: {message}", err=True)  # noqa: E731
            return list(run(session, settings, make_fabric(recipe, "cpu"), named, warn))
        except Interrupted as stopped:
            click.echo(str(stopped), err=True)
            raise
