"""``energysim training-sweep``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


@click.command(name="training-sweep", context_settings={"show_default": True})
@click.option("--depths", default="8,20", help="Other depths than the base's, with commas; 10, 18, 34 or 6n + 2.")
@click.option("--widths", default="8,32", help="Other widths than the base's.")
@click.option("--rates", default="0.0001,0.01", help="Other learning rates than the base's.")
@click.option("--base-depth", type=int, default=14, help="Depth of the base.")
@click.option("--base-width", type=int, default=16, help="Channels of the base's first stage.")
@click.option("--base-rate", type=float, default=0.001, help="Learning rate of the base.")
@click.option("--extras/--no-extras", default=True, help="Also: no shortcuts, pruning, the feed-forward network.")
@click.option("--ratio", type=float, default=0.3, help="Share of channels that the pruned network loses.")
@click.option("--every", type=click.IntRange(min=1), default=5, help="Epochs between prunings.")
@click.option("--arch", "-a", default="jetson_nano", help="The device whose training energy is counted.")
@click.option("--recipe", "-r", default="s3", help="The recipe of an experiment, by name or path.")
@click.option("--data", "-d", default="digits", help="digits, cifar10, cifar100, synthetic or imagefolder:PATH.")
@click.option("--data-root", default="data", type=click.Path(path_type=Path), help="Where CIFAR lies.")
@click.option("--epochs", type=click.IntRange(min=1), help="Instead of the recipe's.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, help="Runs of every point, of seeds 0, 1, ...")
@click.option("--out", "-o", default="runs/training-sweep", type=click.Path(path_type=Path), help="Directory of runs.")
@click.option("--limit-batches", type=click.IntRange(min=1), help="A dry run: so many batches per epoch.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the table as JSON.")
@click.option("--markdown", "markdown_file", metavar="FILE|-", help="Write the table as Markdown.")
def training_sweep(json_file: str | None, markdown_file: str | None, **options: Any) -> None:
    """Accuracy against the energy of training: ResNets by depth, width, learning rate, shortcuts and pruning.

    One factor at a time moves away from the base. Runs resume, and finished ones are not repeated.

    \b
    energysim training-sweep --epochs 8 --every 2
    energysim training-sweep --depths 34 --widths 64 --data cifar10 --seeds 3
    """
    from dataclasses import asdict

    from energysim.cli.output import write_text
    from energysim.report.training_energy import sweep_sheet

    rows = _run(options)
    sheet = sweep_sheet(rows, options["data"], options["arch"])
    if json_file is not None:
        write_text(json.dumps({"schema": 1, "points": [asdict(row) for row in rows]}, indent=1), json_file)
    if markdown_file is not None:
        write_text(sheet.to_markdown().rstrip("\n"), markdown_file)
    if "-" not in (json_file, markdown_file):
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else 170, highlight=False).print(sheet.to_rich())


def _run(options: dict[str, Any]) -> list[Any]:
    from energysim.arch.loader import load_arch
    from energysim.cli.output import progress_bar
    from energysim.train.energy_sweep import Point, energy_sweep, points_around
    from energysim.train.experiment import load_recipe
    from energysim.train.loop import Interrupted
    from energysim.train.runtime import make_fabric
    from energysim.train.session import Session

    load_arch(options["arch"])  # a wrong name costs no training
    recipe = load_recipe(options["recipe"])
    if options["epochs"] is not None:
        recipe = recipe.with_epochs(options["epochs"])
    if recipe.optimizer is None:
        raise click.UsageError(f"the recipe {options['recipe']!r} has stages; a recipe with one optimizer is right")
    base = Point(depth=options["base_depth"], width=options["base_width"], lr=options["base_rate"])
    points = points_around(
        base,
        _numbers(options["depths"], int, "--depths"),
        _numbers(options["widths"], int, "--widths"),
        _numbers(options["rates"], float, "--rates"),
        options["extras"],
    )
    session = Session(
        workloads=(),
        recipe=recipe,
        recipe_name=Path(options["recipe"]).stem,
        data=options["data"],
        out=options["out"],
        seeds=tuple(range(options["seeds"])),
        root=options["data_root"],
        limit_batches=options["limit_batches"],
        arch=options["arch"],
    )

    def warn(message: str) -> None:
        click.echo(f"warning: {message}", err=True)

    with progress_bar("training") as bar:

        def named(run: str) -> Callable[[int, int, str], None] | None:
            return None if bar is None else lambda done, total, text: bar(done, total, f"{run}: {text}")

        how = {"ratio": options["ratio"], "every": options["every"]}
        try:
            return list(energy_sweep(points, session, make_fabric(recipe, "cpu"), named, warn, **how))
        except Interrupted as stopped:
            click.echo(str(stopped), err=True)
            raise


def _numbers[T](text: str, kind: Callable[[str], T], option: str) -> tuple[T, ...]:
    try:
        return tuple(kind(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of numbers", param_hint=option) from None
