"""``energysim explain``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from energysim.sensitivity import Explanation, Swing

_BAR = 20  # characters of the widest swing


@click.command(context_settings={"show_default": True})
@click.argument("result")
@click.option("--arch", "-a", metavar="FILE", help="The device's file, where it is not found by itself.")
@click.option("--variant", help="Of a result with several.  [default: the first]")
@click.option("--top", type=click.IntRange(min=1), default=8, help="Show so many constants.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write every constant as JSON.")
def explain(result: str, arch: str | None, variant: str | None, top: int, json_file: str | None) -> None:
    """Which constants the energy and the latency of a result rest on, how far each moves it, and its source.

    RESULT is what `energysim simulate --json FILE` wrote. The device is found again by its path or name, and must be
    the same file.

    \b
    energysim simulate resnet18 --arch jetson_nano --json result.json
    energysim explain result.json
    """
    import json

    from energysim.cli.output import write_text
    from energysim.sensitivity import explain as run
    from energysim.sensitivity import read_result

    explanation = run(read_result(result, arch), variant)
    if json_file is not None:
        write_text(json.dumps(explanation.to_dict(), indent=2), json_file)
    if json_file != "-":
        _print(explanation, top)


def _print(found: Explanation, top: int) -> None:
    from rich.console import Console
    from rich.markup import escape

    from energysim.units import format_energy, format_time

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(f"[bold]{escape(found.workload)} on {escape(found.arch)}[/bold], {found.variant}")
    low_s, high_s = found.latency_interval_s
    whole = found.energy
    for title, value, low, high, show, swings in (
        ("energy", whole.value, whole.low, whole.high, format_energy, found.energy_swings),
        ("latency", found.latency_s, low_s, high_s, format_time, found.latency_swings),
    ):
        spread = f"{show(low)} to {show(high)} with every constant at its low, and at its high"
        console.print(f"\n[bold]{title} {show(value)}[/bold]  {spread if low != high else 'no constant has a range'}")
        if swings:
            console.print(_table(title, swings[:top], show))
        if len(swings) > top:
            console.print(f"[dim]and {len(swings) - top} more (--top)[/]")


def _table(title: str, swings: tuple[Swing, ...], show: Callable[[float], str]) -> object:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("constant", "share", "value (low .. high)", f"{title} at low .. high", "swing", "source"):
        table.add_column(name, justify="right" if name == "share" else "left", overflow="fold")
    widest = max(swing.width for swing in swings) or 1.0
    for swing in swings:
        constant = swing.constant
        table.add_row(
            escape(swing.name),
            f"{swing.share:.1%}",
            f"{constant.value:.4g} ({constant.low:.4g} .. {constant.high:.4g}) {swing.unit}",
            f"{show(swing.at_low)} .. {show(swing.at_high)}" if swing.width else "-",
            "█" * round(swing.width / widest * _BAR),
            escape(("estimate: " if constant.estimate else "") + constant.source),
        )
    return table
