"""``energysim overlap``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command(context_settings={"show_default": True})
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--tiles", default="2,4,8,16,32", help="Rows and columns of the ofmap tiles, with commas.")
@click.option("--overlaps", help="Shared ifmap rows, with commas.  [default: 0 to what the windows need]")
@click.option("--bits", type=click.IntRange(1, 64), default=8, help="Word width of the memory access shown.")
@click.option("--images", type=click.IntRange(min=1), help="Evaluate on so many test images.  [default: all]")
@click.option("--data-root", default="data", type=click.Path(path_type=Path), help="Where CIFAR lies.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the table as JSON.")
@click.option("--markdown", "markdown_file", metavar="FILE|-", help="Write the table as Markdown.")
def overlap(
    run: Path,
    tiles: str,
    overlaps: str | None,
    bits: int,
    images: int | None,
    data_root: Path,
    json_file: str | None,
    markdown_file: str | None,
) -> None:
    """Accuracy and memory access of a trained network whose tiles share too little.

    RUN is the directory of a finished training run, or its checkpoint. With all the overlap that the windows need,
    tiles change nothing; with less, tiles see zeros where their neighbours' pixels would be.

    \b
    energysim train lightweight_cnn --out runs/mine
    energysim overlap runs/mine/lightweight_cnn/seed0 --tiles 2,4,8
    """
    from dataclasses import asdict

    from energysim.cli.output import write_text
    from energysim.report.compression import overlap_sheet
    from energysim.train.models import load_trained
    from energysim.train.overlap import overlap_study

    sizes = _numbers(tiles, "--tiles", 1)
    shares = None if overlaps is None else _numbers(overlaps, "--overlaps", 0)
    trained = load_trained(run)
    data = trained.data(data_root)
    data = data if images is None else data.limited(images)
    points = list(overlap_study(trained.model, data.batches("test", 128), data.image_shape, sizes, shares))
    sheet = overlap_sheet(points, f"{trained.workload.name} on {data.name}, cut into tiles", bits, len(data.test))
    if json_file is not None:
        write_text(json.dumps({"schema": 1, "points": [asdict(point) for point in points]}, indent=1), json_file)
    if markdown_file is not None:
        write_text(sheet.to_markdown().rstrip("\n"), markdown_file)
    if "-" not in (json_file, markdown_file):
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(sheet.to_rich())


def _numbers(text: str, option: str, least: int) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) >= least for part in parts):
        raise click.BadParameter(f"{text!r} is no list of numbers from {least} on", param_hint=option)
    return tuple(dict.fromkeys(int(part) for part in parts))
