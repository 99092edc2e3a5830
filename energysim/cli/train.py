"""``energysim train``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from energysim.train.experiment import Experiment
    from energysim.train.session import Session
    from energysim.train.summary import ModelSummary


@click.command(context_settings={"show_default": True})
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@click.option("--experiment", "-e", help="Workloads, data, seeds, device and recipe from experiments/ or a YAML path.")
@click.option("--recipe", "-r", help="The recipe of an experiment, by name or path.  [default: quick]")
@click.option("--data", "-d", help="digits, cifar10, cifar100, synthetic or imagefolder:PATH.  [default: digits]")
@click.option(
    "--data-root", default="data", type=click.Path(path_type=Path), help="Where CIFAR lies or is downloaded to."
)
@click.option("--unverified", is_flag=True, help="Take CIFAR files of your own: without their published checksums.")
@click.option("--image-size", type=click.IntRange(min=8), help="Resize images to this side.  [default: the data set's]")
@click.option("--epochs", type=click.IntRange(min=1), help="Instead of the recipe's; stages keep their shares.")
@click.option("--batch", type=click.IntRange(min=2), help="Images per step, instead of the recipe's.")
@click.option("--lr", type=click.FloatRange(min=0, min_open=True), help="Peak learning rate, instead of the recipe's.")
@click.option("--precision", type=click.Choice(["32", "bf16", "16"]), help="Mixed precision, instead of the recipe's.")
@click.option("--seeds", type=click.IntRange(min=1), help="Runs, of seeds 0, 1, ...  [default: the experiment's, or 1]")
@click.option("--seed", type=click.IntRange(min=0), help="One run, of this seed.")
@click.option("--arch", "-a", help="Show energy, latency and DRAM traffic on this device beside the accuracy.")
@click.option(
    "--out", "-o", type=click.Path(path_type=Path), help="Directory of the runs.  [default: runs/RECIPE-DATA]"
)
@click.option("--fresh", is_flag=True, help="Start over instead of going on from the newest checkpoint.")
@click.option("--limit-batches", type=click.IntRange(min=1), help="A dry run: so many batches per epoch, of all parts.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="auto: the GPU if there is one."
)
@click.option("--devices", type=click.IntRange(min=1), default=1, help="Processes, one per device.")
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Processes that load and augment images.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the table and all results as JSON.")
@click.option("--markdown", "markdown_file", metavar="FILE|-", help="Write the table as Markdown.")
def train(
    workloads: tuple[str, ...],
    experiment: str | None,
    json_file: str | None,
    markdown_file: str | None,
    device: str,
    devices: int,
    **options: Any,
) -> None:
    """Train models and print what they reach beside what they cost.

    Every run writes checkpoints, metrics.csv and TensorBoard's events into its directory. The same command again goes
    on where a run was interrupted or killed, to the same result; a finished run is not repeated.

    \b
    energysim train lightweight_cnn
    energysim train resnet18 lightweight_cnn --recipe s1 --data cifar100 --seeds 3 --arch jetson_nano
    energysim train --experiment digits_all --markdown digits.md
    energysim train lightweight_cnn --recipe s1 --data cifar100 --limit-batches 3 --epochs 1
    """
    from energysim.cli.output import write_text
    from energysim.train.experiment import load_experiment
    from energysim.train.runtime import make_fabric

    if not workloads and experiment is None:
        raise click.UsageError("a WORKLOAD or an --experiment is right: energysim train lightweight_cnn")
    session = _session(workloads, None if experiment is None else load_experiment(experiment), experiment, options)
    fabric = make_fabric(session.recipe, device, devices)
    summaries, results = _run(session, fabric)
    if not fabric.is_global_zero:
        return
    from energysim.report.training import training_sheet
    from energysim.version import __version__

    sheet = training_sheet(summaries)
    if json_file is not None:
        write_text(_as_json(summaries, results), json_file)
    if markdown_file is not None:
        made = f"Made by `{' '.join(['energysim', *sys.argv[1:]])}` (energysim {__version__})."
        write_text(f"{sheet.to_markdown()}\n{made}", markdown_file)
    if "-" not in (json_file, markdown_file):
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else 170, highlight=False).print(sheet.to_rich())
        click.echo(f"runs: {session.out}")


def _session(
    workloads: tuple[str, ...], experiment: Experiment | None, name: str | None, options: dict[str, Any]
) -> Session:
    """The experiment, if any, with what the command line says instead."""
    from energysim.train.experiment import load_recipe
    from energysim.train.recipe import Recipe
    from energysim.train.session import Session

    recipe_name = options["recipe"] or name or "quick"
    if options["recipe"] is not None or experiment is None:
        recipe = load_recipe(recipe_name)
    else:
        assert isinstance(experiment.recipe, Recipe)
        recipe = experiment.recipe
    recipe = _changed(recipe, options)
    data = options["data"] or (experiment.data if experiment else "digits")
    seeds = options["seeds"] or (experiment.seeds if experiment else 1)
    listed = experiment.workloads if experiment else ()
    chosen = dict.fromkeys(workloads or (entry.workload for entry in listed))
    if not chosen:
        raise click.UsageError(f"the experiment {name!r} names no workloads; name one on the command line")
    own = experiment.own_recipes if experiment is not None and options["recipe"] is None else {}
    label = data.replace("imagefolder:", "").strip("/").replace("/", "_")
    return Session(
        workloads=tuple(chosen),
        recipe=recipe,
        own_recipes={workload: _changed(own_recipe, options) for workload, own_recipe in own.items()},
        recipe_name=Path(recipe_name).stem,
        data=data,
        out=options["out"] or Path("runs") / f"{Path(recipe_name).stem}-{label}",
        seeds=(options["seed"],) if options["seed"] is not None else tuple(range(seeds)),
        root=options["data_root"],
        image_size=options["image_size"],
        verified=not options["unverified"],
        workers=options["workers"],
        limit_batches=options["limit_batches"],
        resume=not options["fresh"],
        arch=options["arch"] or (experiment.arch if experiment else None),
    )


def _changed(recipe: Any, options: dict[str, Any]) -> Any:
    if options["epochs"] is not None:
        recipe = recipe.with_epochs(options["epochs"])
    values = {key: options[key] for key in ("batch", "precision") if options[key] is not None}
    if options["lr"] is not None:
        if recipe.optimizer is None:
            raise click.UsageError("--lr: the recipe has stages with a learning rate each; change them in a YAML file")
        values["optimizer"] = {**recipe.optimizer.model_dump(), "lr": options["lr"]}
    return recipe.changed(**values) if values else recipe


def _run(session: Session, fabric: Any) -> tuple[list[ModelSummary], list[Any]]:
    from energysim.cli.output import progress_bar
    from energysim.train.loop import Interrupted
    from energysim.train.session import run_session, summary_of

    def warn(message: str) -> None:
        click.echo(f"warning: {message}", err=True)

    with progress_bar("training") as bar:

        def named(run: str) -> Callable[[int, int, str], None] | None:
            if bar is None:
                return None
            return lambda done, total, text: bar(done, total, f"{run}: {text}")

        try:
            groups = list(run_session(session, fabric, named, warn))
        except Interrupted as stopped:
            click.echo(str(stopped), err=True)
            raise
    # Costs come last: nothing about a device can keep a model from being trained.
    summaries = [summary_of(group, session.arch) for group in groups] if fabric.is_global_zero else []
    return summaries, [result for group in groups for result in group]


def _as_json(summaries: list[ModelSummary], results: list[Any]) -> str:
    from dataclasses import asdict

    runs = [json.loads(result.to_json()) for result in results]
    return json.dumps({"schema": 1, "models": [asdict(summary) for summary in summaries], "runs": runs}, indent=1)
