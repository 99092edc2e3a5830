"""What the panel of a layer shows, as the page's JSON: equal details of several variants are told once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from energysim.cost.results import LayerCost, VariantCost
from energysim.report.page.breakdown import Extra, interval, variant_tables
from energysim.report.page.table import Cell, count, energy, seconds, share, units
from energysim.simulation.stored import StoredResult
from energysim.units import format_bytes, format_count, format_energy, format_time

Plain = dict[str, Any]


class _Once:
    """A list of values in which equal ones stand once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        key = json.dumps(value, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


def result_data(result: StoredResult) -> Plain:
    """Everything that the page's script shows of one result."""
    details, nests = _Once(), _Once()
    extra = Extra.of(result)
    edges = {edge["name"]: edge for edge in result.graph["edges"]}
    return {
        "variants": [
            _variant(variant, schedule, extra, details, nests)
            for variant, schedule in zip(result.variants, result.schedules, strict=True)
        ],
        "layers": {layer["name"]: _layer(layer, edges) for layer in result.graph["layers"]},
        "details": details.values,
        "nests": nests.values,
    }


def _variant(variant: VariantCost, schedule: Mapping[str, Any], extra: Extra, details: _Once, nests: _Once) -> Plain:
    whole = variant.energy.value
    tables = {
        table.name: {
            "rows": [row.plain() for row in table.rows],
            "foot": None if table.foot is None else table.foot.plain(),
        }
        for table in variant_tables(variant, extra)
    }
    return {
        "name": variant.variant,
        "tables": tables,
        "shares": {layer.name: float(f"{layer.energy.value / (whole or 1.0):.4g}") for layer in variant.layers},
        "details": {layer.name: details.place(_detail(layer, whole, nests)) for layer in variant.layers},
        "stacks": [_stack(stack) for stack in schedule["stacks"]],
    }


def _stack(stack: Mapping[str, Any]) -> Plain:
    tile = stack["tile"]
    how = "" if tile is None else f"tiles of {'x'.join(map(str, tile))}, halo: {stack['overlap'].replace('_', ' ')}"
    return {"layers": list(stack["layers"]), "how": how}


def _layer(layer: Mapping[str, Any], edges: Mapping[str, Mapping[str, Any]]) -> Plain:
    """What no variant changes: the operator, and facts as pairs."""

    def shapes(names: list[str]) -> str:
        return ", ".join("x".join(map(str, edges[name]["shape"])) for name in names if name in edges)

    facts = [["input", shapes(layer["inputs"])], ["output", shapes(layer["outputs"])]]
    if layer["parameters"]:
        words = layer["parameter_words"]
        facts.append(["parameters", f"{words:,} ({shapes(layer['parameters'][:1])})"])
    if layer["dims"]:
        facts.append(["problem", " ".join(f"{dim}={size}" for dim, size in layer["dims"].items())])
    if layer["folded"]:
        facts.append(["folded in", ", ".join(layer["folded"])])
    return {"op": layer["op"], "kind": layer["kind"], "facts": [fact for fact in facts if fact[1]]}


def _detail(layer: LayerCost, whole: float, nests: _Once) -> Plain:
    of = layer.energy
    slowest = max((busy_s for _, busy_s in layer.peak_s), default=0.0) or 1.0
    by_level: dict[str, float] = {}
    for item in layer.shares:
        by_level[item.level] = by_level.get(item.level, 0.0) + item.energy.value
    return {
        "facts": _facts(layer, whole),
        "energy": [
            _plain(Cell(level), energy(pj), share(pj, of.value, bar=True)) for level, pj in by_level.items() if pj
        ],
        "times": [
            _plain(Cell(name), seconds(busy_s), Cell("", busy_s, busy_s / slowest)) for name, busy_s in layer.peak_s
        ],
        "accesses": [
            _plain(
                Cell(level.level),
                Cell(level.tensor),
                count(level.tile_words),
                *map(count, (level.reads, level.fills, level.updates)),
                energy(level.energy_pj),
            )
            for level in layer.levels
        ],
        "nest": nests.place(layer.mapping) if layer.mapping else None,
    }


def _plain(*cells: Cell) -> list[Any]:
    return [cell.plain() for cell in cells]


def _facts(layer: LayerCost, whole: float) -> list[list[str]]:
    of = layer.energy
    facts = []
    if layer.macs:
        facts.append(["MACs", f"{layer.macs:,} ({format_count(layer.macs, 3)})"])
    if layer.macs_executed != layer.macs:
        facts.append(["executed", f"{layer.macs_executed:,} (halos recomputed)"])
    facts.append(["energy", units(f"{format_energy(of.value)}, {of.value / (whole or 1.0):.1%} of the network")])
    if of.low != of.high:
        facts.append(["low .. high", interval(of)])
    facts.append(["latency", units(format_time(layer.latency_s))])
    if layer.latency_low_s != layer.latency_high_s:
        facts.append(
            ["low .. high", units(f"{format_time(layer.latency_low_s)} .. {format_time(layer.latency_high_s)}")]
        )
    facts.append(["bound by", layer.bottleneck])
    if layer.macs:
        facts.append(["of peak", f"{layer.utilization:.1%}"])
    facts.append(
        ["DRAM", f"{format_bytes(layer.dram_read_bytes)} read, {format_bytes(layer.dram_write_bytes)} written"]
    )
    if layer.mapping:
        facts.append(["mapping", "proven optimal" if layer.optimal else f"optimum at most {layer.gap:.1%} lower"])
    return facts
