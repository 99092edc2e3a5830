"""``energysim training-energy``."""

from __future__ import annotations

import json
import sys
from typing import Any

import click


@click.command(name="training-energy", context_settings={"show_default": True})
@click.argument("workload")
@click.option("--arch", "-a", required=True, help="A device by name (`energysim arch list`) or a YAML path.")
@click.option("--batch", type=click.IntRange(min=1), default=64, help="Images per step.")
@click.option("--optimizer", default="adam", help="sgd, momentum, adam or adamw: what an update reads and writes.")
@click.option("--bits", type=click.IntRange(1, 64), default=32, help="Word width of all tensors.")
@click.option("--images", type=click.IntRange(min=1), default=45_000, help="Training images of one epoch.")
@click.option("--epochs", type=click.IntRange(min=1), default=50, help="Epochs of the whole run.")
@click.option("--input", "input_shape", help="Input shape, e.g. 1x3x32x32; its first axis becomes the batch.")
@click.option("--objective", default="energy", help="energy, latency, edp or dram.")
@click.option("--time-limit", type=click.FloatRange(min=0), help="Seconds of search per distinct layer.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the result as JSON.")
def training_energy(
    workload: str,
    arch: str,
    batch: int,
    images: int,
    epochs: int,
    input_shape: str | None,
    time_limit: float | None,
    json_file: str | None,
    **options: Any,
) -> None:
    """What training a network costs on a device: forward pass, both gradients, update; layer by layer.

    Every gradient is mapped onto the device like a layer of its own.

    \b
    energysim training-energy resnet20 --arch jetson_nano
    energysim training-energy lightweight_cnn --arch jetson_nano --optimizer momentum --batch 128 --epochs 100
    """
    from energysim.cli.output import progress_bar, write_text
    from energysim.report.training_energy import training_energy_data, training_energy_sheet
    from energysim.train.training_energy import training_cost

    with progress_bar("mapping") as progress:
        step = training_cost(
            workload,
            arch,
            batch=batch,
            input=input_shape,
            time_limit_s=time_limit,
            progress=progress,
            **options,
        )
    if json_file is not None:
        write_text(json.dumps(training_energy_data(step, images, epochs), indent=1), json_file)
    if json_file != "-":
        from rich.console import Console

        sheet = training_energy_sheet(step, images, epochs)
        Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(sheet.to_rich())
