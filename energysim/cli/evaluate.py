"""``energysim evaluate``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command(context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--data", "-d", help="Another data set of as many classes.  [default: what it was trained on]")
@click.option("--data-root", default="data", type=click.Path(path_type=Path), help="Where CIFAR lies.")
@click.option("--unverified", is_flag=True, help="Take CIFAR files of your own: without their published checksums.")
@click.option("--part", type=click.Choice(["test", "validation", "train"]), default="test", help="Which images.")
@click.option("--batch", type=click.IntRange(min=1), default=256, help="Images at once.")
@click.option("--limit-batches", type=click.IntRange(min=1), help="Only so many batches.")
@click.option("--tta", is_flag=True, help="Test-time augmentation: mean over each image and its mirror image.")
@click.option("--ensemble", is_flag=True, help="The run's snapshots together: the mean of their probabilities.")
@click.option("--temperature", is_flag=True, help="Temperature scaling, fitted on the validation images.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write all metrics, with the confusion matrix, as JSON.")
def evaluate(
    checkpoint: Path,
    data: str | None,
    data_root: Path,
    unverified: bool,
    part: str,
    batch: int,
    limit_batches: int | None,
    tta: bool,
    ensemble: bool,
    temperature: bool,
    json_file: str | None,
) -> None:
    """Top-1, top-5, per-class accuracy, confusion matrix and calibration of a trained model.

    CHECKPOINT is a run's directory or a .pt file in it.

    \b
    energysim evaluate runs/quick-digits/lightweight_cnn/seed0
    energysim evaluate runs/quick-digits/lightweight_cnn/seed0/last.pt --part validation --json metrics.json
    energysim evaluate runs/s1-cifar100/resnet18/seed0 --tta --temperature
    energysim evaluate runs/s2_options-cifar10/enhanced_cnn/seed0 --ensemble
    """
    from energysim.cli.output import write_text
    from energysim.errors import EnergySimError
    from energysim.train.evaluate import Predictions, averaged, fit_temperature, metrics_of, predict
    from energysim.train.models import load_snapshots, load_trained

    networks = load_snapshots(checkpoint) if ensemble else (load_trained(checkpoint),)
    trained = networks[0]
    opened = trained.data(data_root, data, verified=not unverified)
    if opened.num_classes != trained.about["arguments"]["num_classes"]:
        classes = trained.about["arguments"]["num_classes"]
        raise EnergySimError(f"{opened.name} has {opened.num_classes} classes, the model {classes}")
    if tta and not opened.mirrors:
        raise EnergySimError(f"--tta mirrors images, and a mirrored image of {opened.name} shows another class or none")
    if limit_batches is not None:
        opened = opened.limited(limit_batches * batch)

    def answers(of: str, mirrored: bool) -> Predictions:
        views = [opened.batches(of, batch), *([opened.batches(of, batch, mirrored=True)] if mirrored else [])]
        parts = [predict(network.model, view) for network in networks for view in views]
        return parts[0] if len(parts) == 1 else averaged(parts)

    scale = fit_temperature(answers("validation", False)) if temperature else 1.0
    metrics = metrics_of(answers(part, tta), scale)
    if json_file is not None:
        about = {"checkpoint": str(checkpoint if ensemble else trained.file), "networks": len(networks)}
        about |= {"data": opened.name, "part": part, "classes": list(opened.classes)}
        write_text(json.dumps({"schema": 1, **about, "metrics": metrics.to_dict()}, indent=1), json_file)
    if json_file != "-":
        from rich.console import Console

        from energysim.report.training import metrics_sheets

        console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
        several = f", {len(networks)} snapshots together," if ensemble else ""
        title = f"{trained.about['name']} (seed {trained.seed}){several} on the {part} images of {opened.name}"
        for sheet in metrics_sheets(metrics, opened.classes, title):
            console.print(sheet.to_rich())
