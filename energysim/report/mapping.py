"""One mapped problem on a terminal and as JSON: loop nest, tiles, counts, energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from energysim.arch.spec import ArchSpec
from energysim.cost.mapped import MappedCost
from energysim.graph.problem import TensorProblem
from energysim.mapping.counts import Counts
from energysim.mapping.nest import Mapping
from energysim.mapping.render import loop_nest_json, loop_nest_text
from energysim.mapping.tiles import Tile, tiles_of
from energysim.units import format_bits, format_energy, format_time

if TYPE_CHECKING:
    from energysim.simulation.mapped_layer import MappedProblem

_BAR = 16  # characters of a full bar
_UNITS = {"energy": "pJ", "latency": "cycles", "edp": "pJ x cycles", "dram": "bytes"}


def mapping_data(
    problem: TensorProblem, arch: ArchSpec, mapping: Mapping, counts: Counts, cost: MappedCost
) -> dict[str, Any]:
    """DESIGN section 4: totals over all instances. ``energy_pj`` is dynamic; leakage is its own number."""
    tiles = {(tile.level, tile.tensor): tile for tile in tiles_of(problem, arch, mapping, counts)}
    levels = []
    for item in cost.accesses:
        access = item.access
        tile = tiles[access.level, access.tensor]
        levels.append(
            {
                "level": access.level,
                "tensor": access.tensor,
                "reads": access.reads,
                "fills": access.fills,
                "updates": access.updates,
                "instances": access.instances,
                "tile_words": access.tile_words,
                "tile_shape": list(tile.shape),
                "capacity_share": tile.share,
                "energy_pj": item.energy_pj,
            }
        )
    return {
        "levels": levels,
        "cycles": counts.cycles,
        "compute_cycles": counts.compute_cycles,
        "energy_pj": cost.energy_pj,
        "compute_energy_pj": cost.compute_pj,
        "leakage_pj": cost.leakage_pj,
        "macs": counts.macs,
        "mapping": loop_nest_json(arch, mapping),
        "mapping_text": loop_nest_text(problem, arch, mapping),
        "optimal": None,
    }


def mapped_data(mapped: MappedProblem) -> dict[str, Any]:
    """The same with what the search says of itself. ``value`` and ``bound`` are of the (first) objective."""
    found = mapped.found
    return mapping_data(mapped.problem, mapped.arch, mapped.mapping, mapped.counts, mapped.cost) | {
        "optimal": found.optimal,
        "gap": found.gap,
        "interrupted": found.interrupted,
        "objective": str(found.objective),
        "value": found.value,
        "bound": found.bound,
        "secondary": found.secondary,
        "convention": mapped.convention.value,
        "mapspace_size": found.mapspace_size,
        "evaluated": found.evaluated,
        "latency_s": mapped.latency.latency_s,
        "bottleneck": mapped.latency.bottleneck,
        "utilization": mapped.latency.utilization,
    }


def print_mapping(
    problem: TensorProblem, arch: ArchSpec, mapping: Mapping, counts: Counts, cost: MappedCost, console: Console
) -> None:
    """Loop nest, tiles, counts and totals, as `energysim model` shows them."""
    console.print("[bold]loop nest[/] (outermost first, tiles in words)")
    console.print(loop_nest_text(problem, arch, mapping), markup=False)
    console.print(_tile_table(tiles_of(problem, arch, mapping, counts)))
    console.print(_count_table(arch, counts, cost))
    time = format_time(counts.cycles / arch.clock_hz)
    console.print(
        f"{counts.macs:,} MACs, {counts.cycles:,.0f} cycles ({time}), {format_energy(cost.energy_pj)} dynamic energy, "
        f"{format_energy(cost.leakage_pj)} leakage"
    )


def print_mapped(mapped: MappedProblem, title: str, console: Console) -> None:
    """The whole report of `energysim map`."""
    console.print(title, style="bold", markup=False)
    print_mapping(mapped.problem, mapped.arch, mapped.mapping, mapped.counts, mapped.cost, console)
    latency = mapped.latency
    console.print(
        f"latency {format_time(latency.latency_s)}, bottleneck {latency.bottleneck}, "
        f"{latency.utilization:.1%} of the peak MACs/s",
        markup=False,
    )
    console.print(proof_text(mapped))
    print_not_modelled(mapped.arch, console)


def print_not_modelled(arch: ArchSpec, console: Console) -> None:
    console.print(f"[dim]Not modelled: {'; '.join(arch.not_modelled) or 'nothing known'}.[/]")


def proof_text(mapped: MappedProblem) -> str:
    """The objective reached and whether a better mapping can exist."""
    found = mapped.found
    metrics = zip(found.objective.metrics, (found.value, found.secondary), strict=False)
    values = ", then ".join(f"{metric} {value:.6g} {_UNITS[metric]}" for metric, value in metrics)
    proof = "optimal" if found.optimal else f"not proven: the optimum is at most {found.gap:.2%} lower"
    if found.interrupted:
        proof = f"interrupted, {proof}"
    if not found.mapspace_size:  # another engine's search, which counts nothing
        return f"{values}: {proof}"
    return f"{values}: {proof} ({found.mapspace_size:.4g} mappings in the space, {found.evaluated:,} evaluated)"


def _tile_table(tiles: tuple[Tile, ...]) -> Table:
    table = Table(title="largest tile of one instance", title_justify="left", header_style="bold")
    table.caption = "shape: bounding box, padding included; words: as they are counted"
    for name in ("level", "tensor", "shape"):
        table.add_column(name, no_wrap=True)
    for name in ("words", "size", "of capacity"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    level = None
    for tile in tiles:
        bar = "" if tile.share is None else "█" * round(min(1.0, tile.share) * _BAR)
        table.add_row(
            "" if tile.level == level else tile.level,
            tile.tensor,
            " x ".join(map(str, tile.shape)),
            f"{tile.words:,}",
            format_bits(tile.bits),
            "unbounded" if tile.share is None else f"{tile.share:.1%}",
            bar.ljust(_BAR, "·") if tile.share is not None else "",
        )
        level = tile.level
    return table


def _count_table(arch: ArchSpec, counts: Counts, cost: MappedCost) -> Table:
    table = Table(title="words moved, all instances together", title_justify="left", header_style="bold")
    for name in ("level", "tensor"):
        table.add_column(name, no_wrap=True)
    for name in ("reads", "fills", "updates", "instances", "energy (uJ)", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    whole = cost.energy_pj or 1.0
    for item in cost.accesses:
        access = item.access
        table.add_row(
            access.level,
            access.tensor,
            *(f"{words:,}" for words in (access.reads, access.fills, access.updates)),
            f"{access.instances:,.6g}",
            f"{item.energy_pj / 1e6:.6f}",
            f"{item.energy_pj / whole:.1%}",
        )
    table.add_row(
        arch.compute.name,
        "",
        "",
        "",
        "",
        f"{counts.compute_instances:,.6g}",
        f"{cost.compute_pj / 1e6:.6f}",
        f"{cost.compute_pj / whole:.1%}",
    )
    return table
