"""Results as rich tables on a terminal. Computes nothing beyond sums and shares of what the result holds."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from energysim.cost.results import EnergyPj, LayerCost, VariantCost
from energysim.simulation import SimulationResult
from energysim.units import format_bytes, format_energy, format_time

_BAR = 24  # characters of a full bar


def print_result(result: SimulationResult, console: Console, max_layers: int | None = 40) -> None:
    """The whole report of `energysim simulate`. ``max_layers``: only the costliest so many layers (None: all)."""
    if len(result.variants) == 1:
        (variant,) = result.variants
        console.print(_headline(result, variant))
        console.print(layer_table(variant, max_layers))
        console.print(_where(variant))
    else:
        console.print(variant_table(result))
    console.print(_footer(result))


def variant_table(result: SimulationResult) -> Table:
    """One row per variant: the same network and device, scheduled differently."""
    shape = ", ".join("x".join(map(str, shape)) for shape in result.input_shapes)
    title = f"{result.workload} on {result.arch.name}, input {shape}, {result.bits}-bit words"
    table = Table(title=title, title_style="bold", title_justify="left", header_style="bold", pad_edge=False)
    for name in ("variant", "tile", "buffer"):
        table.add_column(name, no_wrap=True)
    span = "low .. high"
    for name in ("energy", span, "latency", span, "DRAM traffic", "x floor", "MACs executed", "stacks"):
        table.add_column(name, justify="right", no_wrap=True)
    for variant in result.variants:
        table.add_row(
            variant.variant,
            "-" if variant.tile is None else f"{variant.tile[0]}x{variant.tile[1]}",
            "-" if variant.buffer_bytes is None else format_bytes(variant.buffer_bytes),
            format_energy(variant.energy.value),
            f"{format_energy(variant.energy.low)} .. {format_energy(variant.energy.high)}",
            format_time(variant.latency_s),
            " .. ".join(map(format_time, variant.latency_interval_s)),
            format_bytes(variant.dram_bytes),
            f"{variant.dram_bytes / variant.dram_floor_bytes:.2f}",
            f"{variant.macs_executed:,}",
            str(len({layer.stack for layer in variant.layers})),
        )
    floor = result.variants[0].dram_floor_bytes
    table.caption = f"floor: {format_bytes(floor)} of DRAM traffic (weights, input and output once each)"
    return table


def _headline(result: SimulationResult, variant: VariantCost) -> RenderableType:
    shape = ", ".join("x".join(map(str, shape)) for shape in result.input_shapes)
    floor = variant.dram_floor_bytes
    title = Text(f"{result.workload} on {result.arch.name}", style="bold")
    title.append(f"   {variant.variant}, input {shape}, {result.bits}-bit words, {result.objective}-optimal mappings\n")
    facts = Table.grid(padding=(0, 2))
    facts.add_row("energy", format_energy(variant.energy.value), f"[dim]{_interval(variant.energy)}[/]")
    rate = f"{1 / variant.latency_s:,.1f} per second" if variant.latency_s else ""
    if result.objective == "energy":
        rate += ", of the mappings of least energy (--objective edp or latency finds faster ones)"
    facts.add_row("latency", format_time(variant.latency_s), f"[dim]{_latency_interval(variant)}{rate}[/]")
    facts.add_row(
        "DRAM traffic",
        format_bytes(variant.dram_bytes),
        f"[dim]{variant.dram_bytes / floor:.2f} x the floor of {format_bytes(floor)} "
        "(weights, input and output once each)[/]",
    )
    facts.add_row("work", f"{variant.macs:,} MACs", f"[dim]{variant.params:,} parameters[/]")
    return Group(title, facts)


def _latency_interval(variant: VariantCost) -> str:
    low_s, high_s = variant.latency_interval_s
    return "" if low_s == high_s else f"{format_time(low_s)} to {format_time(high_s)} likewise; "


def _interval(energy: EnergyPj) -> str:
    return f"{format_energy(energy.low)} to {format_energy(energy.high)} over the constants' low and high values"


def layer_table(variant: VariantCost, max_layers: int | None) -> Table:
    """One row per layer in execution order; where there are too many, the costliest, and the rest in one row."""
    layers: Sequence[LayerCost] = variant.layers
    hidden: list[LayerCost] = []
    if max_layers is not None and len(layers) > max_layers:
        kept = {id(x) for x in sorted(layers, key=lambda x: -x.energy.value)[:max_layers]}
        hidden = [layer for layer in layers if id(layer) not in kept]
        layers = [layer for layer in layers if id(layer) in kept]
    table = Table(header_style="bold", title_justify="left", pad_edge=False)
    for name in ("layer", "operator"):
        table.add_column(name, no_wrap=True)
    for name in ("MACs", "DRAM read", "DRAM write", "energy", "share", "latency"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bound by", no_wrap=True)
    table.add_column("of peak", justify="right", no_wrap=True)
    whole = variant.energy.value or 1.0
    for layer in layers:
        table.add_row(*_row(layer, whole))
    if hidden:
        table.add_row(
            f"{len(hidden)} cheaper layers",
            "",
            f"{sum(x.macs for x in hidden):,}",
            format_bytes(sum(x.dram_read_bytes for x in hidden)),
            format_bytes(sum(x.dram_write_bytes for x in hidden)),
            format_energy(sum(x.energy.value for x in hidden)),
            f"{sum(x.energy.value for x in hidden) / whole:.1%}",
            format_time(sum(x.latency_s for x in hidden)),
            style="dim",
        )
    table.add_section()
    table.add_row(
        "total",
        "",
        f"{variant.macs:,}",
        format_bytes(variant.dram_read_bytes),
        format_bytes(variant.dram_write_bytes),
        format_energy(variant.energy.value),
        "100.0%",
        format_time(variant.latency_s),
        style="bold",
    )
    return table


def _row(layer: LayerCost, whole: float) -> list[str]:
    mark = "" if layer.optimal else f" [yellow](gap {layer.gap:.1%})[/]"
    return [
        layer.name + mark,
        layer.op,
        f"{layer.macs:,}" if layer.macs else "-",
        format_bytes(layer.dram_read_bytes),
        format_bytes(layer.dram_write_bytes),
        format_energy(layer.energy.value),
        f"{layer.energy.value / whole:.1%}",
        format_time(layer.latency_s),
        layer.bottleneck,
        f"{layer.utilization:.1%}" if layer.macs else "-",
    ]


def _where(variant: VariantCost) -> RenderableType:
    """Where the energy goes: bars by level, and by what is moved or done."""
    grid = Table.grid(padding=(0, 4))
    grid.add_row(
        _bars("energy by level", variant.energy_by_level),
        _bars("energy by tensor", {k: v for k, v in variant.energy_by_tensor.items() if v.value > 0}),
    )
    return grid


def _bars(title: str, energies: dict[str, EnergyPj]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_row(Text(title, style="bold"))
    whole = sum(energy.value for energy in energies.values()) or 1.0
    for name, energy in energies.items():
        share = energy.value / whole
        table.add_row(name, format_energy(energy.value), f"{share:6.1%}", "█" * round(share * _BAR))
    return table


def _footer(result: SimulationResult) -> RenderableType:
    text = Text()
    for schedule in (variant for variant in result.variants if not variant.optimal):
        text.append(f"{schedule.variant}: another schedule may be up to {schedule.gap:.1%} better.\n", style="yellow")
    unproven = [layer for variant in result.variants for layer in variant.layers if not layer.optimal]
    if unproven:
        worst = max(layer.gap for layer in unproven)
        text.append(f"{len(unproven)} mappings are not proven optimal (worst gap {worst:.1%}).\n", style="yellow")
    if result.not_modelled:
        text.append("Not modelled: ", style="bold")
        text.append("; ".join(result.not_modelled) + ".\n")
    if result.notes:
        text.append("Assumed: ", style="bold")
        text.append("; ".join(result.notes) + ".\n")
    return text
