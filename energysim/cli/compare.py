"""``energysim compare``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from energysim.report.sheet import Sheet
    from energysim.sensitivity import DeviceResult
    from energysim.simulation import StoredResult


@click.command(context_settings={"show_default": True})
@click.argument("what", nargs=-1, required=True, metavar="RUN RUN... | RESULT.json...", type=click.Path(path_type=Path))
@click.option(
    "--arch",
    "-a",
    metavar="ARCH",
    help="Of runs: device of the cost and energy tables; 'none' leaves them out.  [default: jetson_nano]  Of results: "
    "the device's file, where it is not found by itself.",
)
@click.option("--variant", metavar="NAME", help="Of results with several variants: only this one.")
@click.option("--variants", metavar="NAME,NAME", help="Of one result: these of its variants with one another.")
@click.option("--top", type=click.IntRange(min=1), default=12, help="Of results: show so many layers.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the compared values as JSON.")
@click.option("--markdown", "markdown_file", metavar="FILE|-", help="Write the tables as Markdown.")
def compare(
    what: tuple[Path, ...],
    arch: str | None,
    variant: str | None,
    variants: str | None,
    top: int,
    json_file: str | None,
    markdown_file: str | None,
) -> None:
    """Trained models side by side, or what changed between simulated results.

    RUN is a finished run's directory or checkpoint, or a directory of runs; runs of one model with different seeds are
    one line: size, accuracy, cost on a device, efficiency, times.

    RESULT.json is what `energysim simulate --json FILE` wrote. Totals, levels, tensors and layers are compared; a
    difference is robust where it keeps its sign whatever the constants are between their low and high values.

    The first is what the others are compared with.

    \b
    energysim compare runs/s1-cifar100
    energysim compare runs/quick-digits/lightweight_cnn/seed0/final.pt runs/quick-digits/resnet18/seed0/final.pt
    energysim compare before.json after.json
    energysim compare result.json --variants plain,full
    """
    files = [path for path in what if path.suffix == ".json"]
    if files and len(files) < len(what):
        other = next(path for path in what if path.suffix != ".json")
        raise click.UsageError(f"{str(files[0])!r} is a result and {str(other)!r} a run: one kind is right")
    if files:
        sheets, data = _results(files, arch, variant, variants, top)
    else:
        if variant or variants:
            raise click.UsageError("runs have no variants: --variant and --variants are for results")
        sheets, data = _runs(what, arch or "jetson_nano")
    _write(sheets, data, json_file, markdown_file)


def _runs(runs: Sequence[Path], arch: str) -> tuple[Sequence[Sheet], dict[str, object]]:
    from dataclasses import asdict

    from energysim.cli.output import progress_bar
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
    return comparison_sheets(summaries), {"schema": 1, "models": [asdict(summary) for summary in summaries]}


def _results(
    files: Sequence[Path], arch: str | None, variant: str | None, variants: str | None, top: int
) -> tuple[Sequence[Sheet], dict[str, object]]:
    from energysim.report.difference import difference_sheets, summary_sheet
    from energysim.sensitivity import difference
    from energysim.simulation import read_stored

    results = [read_stored(file) for file in files]
    if variants is not None:
        names = [name.strip() for name in variants.split(",")]
        if len(results) > 1 or variant or len(names) < 2:
            raise click.UsageError(
                "--variants takes two names or more, of one result: 'result.json --variants plain,full'"
            )
        pairs = [(results[0], names[0], results[0], name) for name in names[1:]]
    elif len(results) == 1:
        raise click.UsageError("a second result is missing; two variants of one are named by --variants")
    else:
        pairs = [
            (results[0], first, other, second)
            for other in results[1:]
            for first, second in _variant_pairs(results[0], other, variant)
        ]
    found = [difference(_device(a, arch), _device(b, arch), first, second) for a, first, b, second in pairs]
    sheets = [sheet for one in found for sheet in difference_sheets(one, top)]
    summary = [summary_sheet(found)] if len(found) > 1 else []
    return [*sheets, *summary], {"schema": 1, "differences": [one.to_dict() for one in found]}


def _device(result: StoredResult, arch: str | None) -> StoredResult | DeviceResult:
    """With the device of the given file, where the result was made with that one."""
    from energysim.arch.loader import load_arch
    from energysim.sensitivity import with_device

    if arch is None or load_arch(arch).sha256 != result.arch_sha256:
        return result
    return with_device(result, arch)


def _variant_pairs(first: StoredResult, second: StoredResult, variant: str | None) -> list[tuple[str, str]]:
    """Variants of one name; the only variants of both whatever they are called."""
    from energysim.errors import NotFoundError

    if variant is not None:
        return [(variant, variant)]
    names = [[one.variant for one in result.variants] for result in (first, second)]
    if len(names[0]) == len(names[1]) == 1:
        return [(names[0][0], names[1][0])]
    both = [(name, name) for name in names[0] if name in names[1]]
    if not both:
        what = f"{first.where} has {', '.join(names[0])}, {second.where} has {', '.join(names[1])}"
        raise NotFoundError(f"no variant is in both results: {what}", hint="simulate the same variants")
    return both


def _write(sheets: Sequence[Sheet], data: dict[str, object], json_file: str | None, markdown_file: str | None) -> None:
    from energysim.cli.output import write_text

    if json_file is not None:
        write_text(json.dumps(data, indent=1), json_file)
    if markdown_file is not None:
        write_text("\n".join(sheet.to_markdown() for sheet in sheets).rstrip("\n"), markdown_file)
    if "-" not in (json_file, markdown_file):
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
        for sheet in sheets:
            console.print(sheet.to_rich())
