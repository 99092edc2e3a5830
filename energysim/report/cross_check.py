"""The differences between engines on a terminal and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Table

from energysim.engines.differences import Difference
from energysim.simulation.cross_check import Comparison, CrossCheck

_NO_REASON = "no documented reason"


def cross_check_data(result: CrossCheck) -> dict[str, Any]:
    """Every comparison with all its differences; ``reason`` is null where none is documented."""
    return {
        "arch": result.arch.name,
        "convention": result.convention.value,
        "unexplained": result.unexplained,
        "comparisons": [
            {
                "layers": list(item.case.layers),
                "engine": item.engine,
                "compared": item.compared,
                "skipped": item.skipped,
                "differences": [_difference_data(difference) for difference in item.differences],
            }
            for item in result.comparisons
        ],
    }


def _difference_data(item: Difference) -> dict[str, Any]:
    level, tensor, what = item.place
    return {
        "level": level,
        "tensor": tensor,
        "count": what,
        "native": item.native,
        "other": item.other,
        "reason": item.reason,
    }


def print_cross_check(result: CrossCheck, title: str, console: Console) -> None:
    """A row per difference, the summary of each engine, and what could not be compared."""
    console.print(f"{title}, convention {result.convention.value}", style="bold", markup=False)
    if any(item.differences for item in result.comparisons):
        console.print(_table(result))
    for engine in dict.fromkeys(item.engine for item in result.comparisons):
        mine = [item for item in result.comparisons if item.engine == engine]
        for item in mine:
            if item.skipped is not None:
                console.print(f"not compared with {engine}: {_layers(item)}: {item.skipped}", markup=False)
        console.print(_summary(engine, mine), markup=False)
    for reason in dict.fromkeys(d.reason for item in result.comparisons for d in item.differences if d.reason):
        if ":" in reason:
            console.print(f"  {reason}", markup=False, style="dim")


def _short(item: Difference) -> str:
    """The name of a reason, of which the rest is the explanation."""
    return (item.reason or _NO_REASON).partition(":")[0]


def _summary(engine: str, comparisons: list[Comparison]) -> str:
    done = [item for item in comparisons if item.skipped is None]
    compared = sum(item.compared for item in done)
    differences = [difference for item in done for difference in item.differences]
    reasons = Counter(_short(item) for item in differences)
    told = "".join(f"; {count} {reason}" for reason, count in reasons.most_common())
    equal = compared - len(differences)
    return f"{engine}: {len(done)} of {len(comparisons)} mappings, {equal:,} of {compared:,} numbers equal{told}"


def _table(result: CrossCheck) -> Table:
    table = Table(title="numbers that differ (all instances together)", title_justify="left", header_style="bold")
    for name in ("layer", "level", "tensor", "number"):
        table.add_column(name, no_wrap=True)
    for name in ("native", "other", "differs by"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("reason", no_wrap=True)
    before = None
    for comparison in result.comparisons:
        for item in comparison.differences:
            layer = f"{_layers(comparison)} ({comparison.engine})"
            reason = _short(item) if item.reason else f"[red]{_NO_REASON}[/]"
            numbers = (_number(item.native), _number(item.other), _share(item))
            table.add_row("" if layer == before else layer, *item.place, *numbers, reason)
            before = layer
    return table


def _layers(item: Comparison) -> str:
    first, *rest = item.case.layers
    return f"{first} +{len(rest)}" if rest else first


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.10g}"


def _share(item: Difference) -> str:
    if item.native is None or item.other is None:
        return "-"
    return "-" if not item.native else f"{(item.other - item.native) / item.native:+.3%}"
