"""``energysim measure``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from energysim.measure import Measurement


@click.command(context_settings={"show_default": True})
@click.argument("workload")
@click.option("--device", type=click.Choice(["cpu", "cuda", "jetson"]), default="cpu", help="Where to run and measure.")
@click.option("--input", "input_shape", help="Input shape, e.g. 1x3x224x224.")
@click.option("--batch", type=click.IntRange(min=1), help="Replaces the first axis of the input.")
@click.option("--bits", type=click.Choice(["32", "16"]), default="32", help="16: half precision, on GPUs.")
@click.option("--seconds", type=click.FloatRange(min=2), default=2.0, help="Shortest length of a window.")
@click.option("--repeat", type=click.IntRange(min=1), default=5, help="Windows.")
@click.option(
    "--sensors",
    "backend",
    type=click.Choice(["own", "zeus"]),
    default="own",
    help="own: RAPL, NVML or INA3221, as the device has it; zeus: through that library (an extra).",
)
@click.option("--json", "json_file", metavar="FILE|-", help="Write the result as JSON.")
@click.option("--csv", "csv_file", metavar="FILE", help="Append a row for `energysim calibrate`.")
def measure(
    workload: str,
    device: str,
    input_shape: str | None,
    batch: int | None,
    bits: str,
    seconds: float,
    repeat: int,
    backend: str,
    json_file: str | None,
    csv_file: str | None,
) -> None:
    """Latency and joules per inference on a real device, idle power subtracted.

    Inferences run back to back in windows of at least two seconds; mean and standard deviation are over the windows.
    An energy that no sensor tells is shown as unavailable with the reason. Ctrl-C keeps the windows that are complete.

    \b
    energysim measure lightweight_cnn --device cpu
    energysim measure resnet18 --device cuda --bits 16 --batch 8 --json measured.json
    energysim measure mobilenet_v2 --device jetson --bits 16 --csv nano.csv
    """
    from energysim.cli.output import progress_bar, write_text
    from energysim.measure import Options, measure_model
    from energysim.measure.machine import sensors_for
    from energysim.workload import resolve_workload

    found = resolve_workload(workload, input_shape, batch)
    model, inputs = found.model(), found.example_inputs()
    sensors = None if backend == "own" else sensors_for(device, backend)
    options = Options(seconds=seconds, repeat=repeat)
    with progress_bar("measuring") as progress:
        result = measure_model(
            model,
            inputs,
            device,
            bits=int(bits),
            name=workload,
            options=options,
            sensors=sensors,
            progress=progress,
        )
    if json_file is not None:
        import json

        write_text(json.dumps(result.to_dict(), indent=2), json_file)
    if csv_file is not None:
        from energysim.calibration.measurements import append_row, row_of

        append_row(csv_file, row_of(result))
    if json_file != "-":
        _print(result)
    if result.interrupted:
        click.echo(f"interrupted: {len(result.windows)} of {repeat} windows", err=True)
        sys.exit(130)


def _print(result: Measurement) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from energysim.units import format_energy, format_power, format_time

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    latency = result.latency_s
    console.print(
        f"[bold]{escape(result.workload)}[/bold] on {result.device}, input {result.inputs}, {result.bits}-bit"
    )
    facts = Table.grid(padding=(0, 2))
    inferences = sum(window.inferences for window in result.windows)
    facts.add_row(
        "latency",
        format_time(latency.mean),
        f"[dim]{_sd(latency.sd, format_time)}n = {latency.n} windows, {inferences:,} inferences[/]",
    )
    energy = result.energy_j()
    if energy is None:
        facts.add_row("energy", "unavailable", f"[dim]{escape(result.why_no_energy())}[/]")
    else:
        spread = _sd(energy.sd, lambda joules: format_energy(joules * 1e12))
        facts.add_row("energy", format_energy(energy.mean * 1e12), f"[dim]{spread}above idle, n = {energy.n}[/]")
    console.print(facts)
    if not result.sensors:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("sensor", "covers", "method", "idle", "busy", "above idle", "idle included"):
        table.add_column(name)
    for sensor in result.sensors:
        table.add_row(
            escape(sensor.info.name),
            sensor.info.covers,
            sensor.info.method,
            "-" if sensor.idle_w is None else format_power(sensor.idle_w),
            "-" if sensor.power_w is None else format_power(sensor.power_w.mean),
            "unavailable" if sensor.energy_j is None else format_energy(sensor.energy_j.mean * 1e12),
            "-" if sensor.total_j is None else format_energy(sensor.total_j.mean * 1e12),
        )
    console.print(table)
    for sensor in result.sensors:
        if sensor.unavailable:
            console.print(f"{escape(sensor.info.name)}: unavailable: {escape(sensor.unavailable)}")
    console.print(
        f"[dim]idle measured over {result.idle_seconds:.1f} s before the windows, with the model in memory[/]"
    )


def _sd(value: float | None, show: object) -> str:
    return "" if value is None or not callable(show) else f"sd {show(value)}, "
