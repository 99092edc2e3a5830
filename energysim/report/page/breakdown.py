"""Where one variant's energy, time and accesses go: the tables that change with the variant shown."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.cost.results import TENSORS, ZERO, EnergyPj, LayerCost, VariantCost
from energysim.report.page.table import Cell, Column, Row, Table, count, energy, seconds, share, size, units, words
from energysim.simulation.stored import StoredResult
from energysim.units import format_energy


@dataclass(frozen=True, slots=True)
class Extra:
    """Columns that say something only in some results. ``ranges``: the constants have low and high values; ``gaps``:
    mappings are not proven optimal."""

    ranges: bool
    gaps: bool

    @classmethod
    def of(cls, result: StoredResult) -> Extra:
        return cls(
            ranges=any(variant.energy.low != variant.energy.high for variant in result.variants),
            gaps=any(not layer.optimal for variant in result.variants for layer in variant.layers),
        )


def variant_tables(variant: VariantCost, extra: Extra) -> tuple[Table, ...]:
    """All of them, with the same columns for every variant of a result."""
    return energy_table(variant, extra), layer_table(variant, extra), access_table(variant)


def energy_table(variant: VariantCost, extra: Extra) -> Table:
    """Levels down, the costliest first; tensors across."""
    found: dict[tuple[str, str], EnergyPj] = {}
    for layer in variant.layers:
        for item in layer.shares:
            found[item.level, item.part] = found.get((item.level, item.part), ZERO) + item.energy
    levels, parts = variant.energy_by_level, variant.energy_by_tensor
    spent = [part for part in TENSORS if parts[part].value]
    whole = variant.energy.value
    most = max((of.value for of in found.values()), default=0.0) or 1.0
    columns = (
        Column("level", numeric=False),
        Column("energy"),
        Column("share"),
        *([Column("low .. high", about="constants at their low and high values; sorts by the width")] * extra.ranges),
        *(Column(part) for part in spent),
    )

    def cells(name: str, of: EnergyPj, by_part: list[EnergyPj], bars: bool) -> tuple[Cell, ...]:
        return (
            words(name),
            energy(of.value),
            share(of.value, whole, bar=bars),
            *([Cell(interval(of), of.high - of.low)] * extra.ranges),
            *(_spent(one.value, most if bars else None) for one in by_part),
        )

    rows = [
        Row(cells(level, of, [found.get((level, part), ZERO) for part in spent], bars=True))
        for level, of in sorted(levels.items(), key=lambda pair: -pair[1].value)
    ]
    foot = Row(cells("total", variant.energy, [parts[part] for part in spent], bars=False))
    return Table("energy", "Energy by level and tensor", columns, tuple(rows), foot)


def _spent(pj: float, most: float | None) -> Cell:
    return energy(pj, None if most is None else pj / most) if pj else Cell("-", 0.0)


def interval(of: EnergyPj) -> str:
    same = of.low == of.high
    return "-" if same else units(f"{format_energy(of.low)} .. {format_energy(of.high)}")


def layer_table(variant: VariantCost, extra: Extra) -> Table:
    """Layers in execution order."""
    columns = (
        Column("#", about="order of execution"),
        Column("layer", numeric=False),
        Column("operator", numeric=False),
        Column("MACs"),
        Column("energy", about="the bar compares it with the costliest layer's"),
        Column("share"),
        Column("latency"),
        Column("bound by", numeric=False, about="compute, or the memory whose bandwidth is slowest"),
        Column("of peak", about="MACs per second against the device's peak"),
        Column("DRAM read"),
        Column("DRAM write"),
        *([Column("gap", about="how much better the best mapping could be at most")] * extra.gaps),
    )
    whole = variant.energy.value
    most = max((layer.energy.value for layer in variant.layers), default=0.0) or 1.0
    rows = [
        Row(_layer_cells(position, layer, whole, most, extra), layer=layer.name)
        for position, layer in enumerate(variant.layers, 1)
    ]
    foot = (
        words(""),
        words("total"),
        words(""),
        count(variant.macs),
        energy(whole),
        share(whole, whole),
        seconds(variant.latency_s),
        words(""),
        words(""),
        size(variant.dram_read_bytes),
        size(variant.dram_write_bytes),
        *([words("")] * extra.gaps),
    )
    return Table("layers", "Layers", columns, tuple(rows), Row(foot), filtered=True)


def _layer_cells(position: int, layer: LayerCost, whole: float, most: float, extra: Extra) -> tuple[Cell, ...]:
    return (
        Cell(str(position), position),
        words(layer.name),
        words(layer.op),
        count(layer.macs),
        energy(layer.energy.value, layer.energy.value / most),
        share(layer.energy.value, whole),
        seconds(layer.latency_s),
        words(layer.bottleneck),
        Cell(f"{layer.utilization:.1%}", layer.utilization) if layer.macs else Cell("-", 0.0),
        size(layer.dram_read_bytes),
        size(layer.dram_write_bytes),
        *([Cell("proven", 0.0) if layer.optimal else Cell(f"{layer.gap:.1%}", layer.gap)] * extra.gaps),
    )


def access_table(variant: VariantCost) -> Table:
    """Words that all layers move, by level and tensor, the costliest first."""
    sums: dict[tuple[str, str], list[float]] = {}
    for layer in variant.layers:
        for level in layer.levels:
            entry = sums.setdefault((level.level, level.tensor), [0, 0, 0, 0.0])
            for index, moved in enumerate((level.reads, level.fills, level.updates, level.energy_pj)):
                entry[index] += moved
    whole = sum(entry[3] for entry in sums.values())
    columns = (
        Column("level", numeric=False),
        Column("tensor", numeric=False),
        Column("reads", about="words read from this level towards the compute units"),
        Column("fills", about="words written into this level from the one outside"),
        Column("updates", about="words (partial sums, results) written into this level from the one inside"),
        Column("energy"),
        Column("share"),
    )
    rows = [
        Row((words(level), words(tensor), *map(count, moved[:3]), energy(moved[3]), share(moved[3], whole, bar=True)))
        for (level, tensor), moved in sorted(sums.items(), key=lambda pair: -pair[1][3])
    ]
    note = "words of all instances of a level together; energies of accesses, without MACs and leakage"
    return Table("accesses", "Accesses by level and tensor", columns, tuple(rows), filtered=True, notes=(note,))
