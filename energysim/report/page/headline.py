"""What a reader should know first: the best variant, its totals, and what dominates them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from energysim.cost.results import EnergyPj, VariantCost
from energysim.report.page.breakdown import Extra, interval
from energysim.report.page.table import Cell, Column, Row, Table, count, energy, seconds, size, times, units, words
from energysim.simulation.stored import StoredResult
from energysim.units import format_bytes, format_count, format_energy, format_time

_BASELINES = ("layerwise", "plain")
_MEASURES: Mapping[str, Callable[[VariantCost], float]] = {
    "energy": lambda variant: variant.energy.value,
    "latency": lambda variant: variant.latency_s,
    "edp": lambda variant: variant.edp_js,
    "dram": lambda variant: variant.dram_bytes,
}
_RANGE = "all constants at their low, and all at their high values, on one scale; the mark is the nominal value"
_NAMES = {"energy": "energy", "latency": "latency", "edp": "energy-delay product", "dram": "DRAM traffic"}


@dataclass(frozen=True, slots=True)
class Card:
    """One total in large digits, and what stands below it."""

    name: str
    value: str
    unit: str
    about: str


def best_variant(result: StoredResult) -> VariantCost:
    """The least by the objective that the mappings were searched for (two in order: ties by the second); the first of
    equal ones."""
    metrics = [name for name in result.objective.split(",") if name in _MEASURES] or ["energy"]
    return min(result.variants, key=lambda variant: [_MEASURES[name](variant) for name in metrics])


def subtitle(result: StoredResult) -> str:
    shape = ", ".join("x".join(map(str, shape)) for shape in result.input_shapes)
    return f"input {shape}, {result.bits}-bit words, mappings of least {objective_text(result.objective)}"


def objective_text(objective: str) -> str:
    return ", then ".join(_NAMES.get(name, name) for name in objective.split(","))


def cards(variant: VariantCost) -> tuple[Card, ...]:
    low_s, high_s = variant.latency_interval_s
    moved, floor = variant.dram_bytes, variant.dram_floor_bytes
    recomputed = variant.macs_executed - variant.macs
    rate = f"{1 / variant.latency_s:,.1f} per second" if variant.latency_s else ""
    return (
        _card("energy", format_energy(variant.energy.value), _range(variant.energy)),
        _card(
            "latency",
            format_time(variant.latency_s),
            rate if low_s == high_s else units(f"{format_time(low_s)} .. {format_time(high_s)}"),
        ),
        _card(
            "DRAM traffic",
            format_bytes(moved),
            f"{moved / floor:.2f} x the floor of {format_bytes(floor)}" if floor else "",
        ),
        _card(
            "work",
            f"{format_count(variant.macs)} MACs",
            f"{variant.params:,} parameters" + (f"; {recomputed:,} MACs recomputed" if recomputed else ""),
        ),
    )


def _card(name: str, quantity: str, about: str) -> Card:
    value, _, unit = units(quantity).partition(" ")
    return Card(name, value, unit, about)


def _range(of: EnergyPj) -> str:
    return "the constants state no range" if of.low == of.high else interval(of)


def findings(result: StoredResult, best: VariantCost) -> tuple[str, ...]:
    """Sentences: the best variant, what dominates energy and time, what is not proven."""
    said = []
    if len(result.variants) > 1:
        said.append(_best(result, best))
    if best.energy.value:
        said += [_most_energy(best), _costliest(best)]
    if best.latency_s:
        said.append(_bound(best))
    said += [
        f"{schedule.variant} is not proven best: another schedule may be up to {schedule.gap:.1%} better."
        for schedule in result.variants
        if not schedule.optimal
    ]
    unproven = [layer for variant in result.variants for layer in variant.layers if not layer.optimal]
    if unproven:
        worst = max(layer.gap for layer in unproven)
        said.append(f"{len(unproven)} mappings are not proven optimal: the worst may be {worst:.1%} from its optimum.")
    return tuple(said)


def _best(result: StoredResult, best: VariantCost) -> str:
    metric = result.objective.split(",")[0]
    measure = _MEASURES.get(metric, _MEASURES["energy"])
    equal = [v.variant for v in result.variants if v is not best and measure(v) == measure(best)]
    text = f"{best.variant} is the best of {len(result.variants)} variants by {objective_text(result.objective)}"
    if equal:
        text += f", with {' and '.join(equal)} at the same {_NAMES.get(metric, metric)}"
    base = next((v for name in _BASELINES for v in result.variants if v.variant == name), None)
    if base is not None and base is not best and base.energy.value and base.dram_bytes:
        text += (
            f": {_against(best.energy.value, base.energy.value)} energy and "
            f"{_against(best.dram_bytes, base.dram_bytes)} DRAM traffic than {base.variant}"
        )
    return text + "."


def _against(value: float, base: float) -> str:
    change = value / base - 1
    return f"{abs(change):.1%} {'less' if change <= 0 else 'more'}"


def _most_energy(best: VariantCost) -> str:
    level, at_level = max(best.energy_by_level.items(), key=lambda pair: pair[1].value)
    part, of_part = max(best.energy_by_tensor.items(), key=lambda pair: pair[1].value)
    whole = best.energy.value
    spent = {"compute": "on the MACs themselves", "leakage": "on leakage"}.get(part, f"on {part}")
    return (
        f"{level} takes {at_level.value / whole:.1%} of the energy; most is spent {spent}: {of_part.value / whole:.1%}."
    )


def _costliest(best: VariantCost) -> str:
    layer = max(best.layers, key=lambda item: item.energy.value)
    return f"{layer.name} is the costliest of {len(best.layers)} layers: {layer.energy.value / best.energy.value:.1%}."


def _bound(best: VariantCost) -> str:
    bound: dict[str, float] = {}
    for layer in best.layers:
        bound[layer.bottleneck] = bound.get(layer.bottleneck, 0.0) + layer.latency_s
    name, busy_s = max(bound.items(), key=lambda pair: pair[1])
    return f"{busy_s / best.latency_s:.1%} of the time is in layers bound by {name}."


def variant_table(result: StoredResult) -> Table:
    """The same network and device, scheduled differently; energies with their intervals on one scale."""
    widest = max((variant.energy.high for variant in result.variants), default=0.0) or 1.0
    extra = Extra.of(result)
    columns = (
        Column("variant", numeric=False),
        Column("tile", numeric=False, about="rows x columns of the ofmap plane"),
        Column("buffer", about="on-chip memory that keeps feature maps between layers"),
        Column("energy", about="with all constants at their nominal values"),
        *([Column("low .. high", about=_RANGE)] * extra.ranges),
        Column("latency"),
        Column("DRAM traffic"),
        Column("x floor", about="the floor: weights, network input and output, once each"),
        Column("MACs executed", about="recomputed halos included"),
        Column("EDP", about="energy-delay product, joule seconds"),
        Column("stacks", about="groups of layers that run tile by tile together"),
    )
    rows = tuple(Row(_variant_cells(variant, widest, extra)) for variant in result.variants)
    floor = result.variants[0].dram_floor_bytes
    note = (
        f"floor: {format_bytes(floor)} of DRAM traffic (weights, input and output once each); no variant can be below"
    )
    return Table("variants", "Variants", columns, rows, notes=(note,))


def _variant_cells(variant: VariantCost, widest: float, extra: Extra) -> tuple[Cell, ...]:
    of = variant.energy
    span = (of.low / widest, of.value / widest, of.high / widest)
    return (
        words(variant.variant),
        words("-" if variant.tile is None else "x".join(map(str, variant.tile))),
        words("-") if variant.buffer_bytes is None else size(variant.buffer_bytes),
        energy(of.value),
        *([Cell(interval(of), of.high - of.low, span=span)] * extra.ranges),
        seconds(variant.latency_s),
        size(variant.dram_bytes),
        times(variant.dram_bytes, variant.dram_floor_bytes),
        count(variant.macs_executed),
        Cell(f"{variant.edp_js:.3g}", variant.edp_js),
        count(len({layer.stack for layer in variant.layers})),
    )
