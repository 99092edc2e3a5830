"""``energysim calibrate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from energysim.calibration import Calibration, Fit, Prediction


@click.command(context_settings={"show_default": True})
@click.argument("arch")
@click.option("--measurements", "-m", required=True, metavar="FILE.csv", help="A CSV file, as above.")
@click.option("--output", "-o", metavar="SPEC.yaml", help="Write the calibrated device; its file name is its name.")
@click.option("--fit", "chosen", metavar="NAMES", help="Constants to fit, with commas.  [default: all that matter]")
@click.option("--objective", default="edp", help="Of the mappings: energy, latency, edp or dram.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write constants, residuals and errors as JSON.")
def calibrate(
    arch: str, measurements: str, output: str | None, chosen: str | None, objective: str, json_file: str | None
) -> None:
    """Fit a device's constants to measurements of networks on it.

    ARCH is a device by name or a YAML path. A row of the CSV file is one inference of one workload (of its whole
    batch): latency_s, energy_j (idle power included) or both; `energysim measure --csv` writes such rows.

    Constants: conv.compute, depthwise.compute, linear.compute, matmul.compute (share of the peak), bandwidth (share of
    the DRAM's peak), launch (seconds per layer) from latencies; mac, dram, on_chip (factors of the energies that the
    device states) and idle (watts) from energies.

    \b
    energysim measure vgg11 --device jetson --bits 16 --csv nano.csv        # and more networks
    energysim calibrate jetson_nano --measurements nano.csv -o my_nano.yaml
    energysim calibrate jetson_nano -m nano.csv --fit conv.compute,bandwidth -o my_nano.yaml
    """
    import json

    from energysim.calibration import calibrate as run
    from energysim.cli.output import progress_bar, write_text
    from energysim.errors import EnergySimError

    if output is not None and Path(output).suffix not in (".yaml", ".yml"):
        raise EnergySimError(f"the output {output!r} is no YAML file", hint="for example -o my_nano.yaml")
    names = None if chosen is None else [name.strip() for name in chosen.split(",") if name.strip()]
    with progress_bar("simulating") as progress:
        result = run(
            arch,
            measurements,
            name=None if output is None else Path(output).stem,
            chosen=names,
            objective=objective,
            progress=progress,
        )
    if output is not None:
        write_text(result.text.rstrip("\n"), output)
    if json_file is not None:
        write_text(json.dumps(_json(result), indent=2), json_file)
    if json_file != "-":
        _print(result, output)


def _json(result: Calibration) -> dict[str, Any]:
    from dataclasses import asdict

    def fit(found: Fit | None) -> dict[str, Any] | None:
        if found is None:
            return None
        return {
            "constants": [asdict(one) for one in found.fitted],
            "held": dict(found.held),
            "rows": [
                {**asdict(row), "error": row.error, "left_out_error": row.left_out_error} for row in found.residuals
            ],
            "mean_error": found.mean_error,
            "left_out_error": found.left_out_error,
        }

    def rows(predictions: tuple[Prediction, ...]) -> list[dict[str, Any]]:
        return [
            {"row": one.row.name, "latency_s": one.latency_s, "latency_error": one.latency_error,
             "energy_j": one.energy_j, "energy_error": one.energy_error}
            for one in predictions
        ]  # fmt: skip

    return {
        "arch": {"name": result.arch.name, "sha256": result.arch.sha256},
        "calibrated": {"name": result.calibrated.name, "sha256": result.calibrated.sha256},
        "objective": result.objective,
        "latency": fit(result.latency),
        "energy": fit(result.energy),
        "absolute": [asdict(one) for one in result.absolute],
        "before": rows(result.before),
        "after": rows(result.after),
    }


def _print(result: Calibration, output: str | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(f"[bold]{result.arch.name}[/bold] calibrated, {result.objective}-optimal mappings")
    constants = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("constant", "fitted", "95 % interval", "unit"):
        constants.add_column(name)
    for one in (*result.fitted, *result.absolute):
        value = f"{one.value:.4g}" + (" (at the edge of what is possible)" if one.at_bound else "")
        constants.add_row(one.name, value, f"{one.low:.3g} .. {one.high:.3g}", one.unit)
    console.print(constants)
    for title, found, unit in (("latency", result.latency, "s"), ("energy", result.energy, "J")):
        if found is None:
            continue
        for name, why in found.held:
            console.print(f"[dim]{name} is left as it is: {escape(why)}[/]")
        table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in (title, "measured", "before", "fitted", "left out", "simulated again"):
            table.add_column(column, justify="left" if column == title else "right")
        shown = [
            (b, a)
            for b, a in zip(result.before, result.after, strict=True)
            if (b.row.latency_s if unit == "s" else b.row.energy_j) is not None
        ]
        for row, (before, after) in zip(found.residuals, shown, strict=True):
            errors = (before.latency_error, after.latency_error)
            if unit == "J":
                errors = (before.energy_error, after.energy_error)
            cells = (errors[0], row.error, row.left_out_error, errors[1])
            table.add_row(row.row, f"{row.measured:.4g} {unit}", *("-" if c is None else f"{c:+.1%}" for c in cells))
        left_out = "not determined" if found.left_out_error is None else f"{found.left_out_error:.1%}"
        table.caption = f"mean absolute error {found.mean_error:.1%}, of rows left out {left_out}"
        table.caption_justify = "left"
        console.print(table)
    if output is not None:
        console.print(f"written to {escape(output)}: energysim simulate WORKLOAD --arch {escape(output)}")
