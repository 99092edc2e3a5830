"""Where the energy goes: by memory level and by tensor for whole networks, by level for each layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from energysim.cost.results import ZERO, EnergyPj, LayerCost, total
from energysim.report.plots.rows import LAYERS, common_subject, layer_rows, subject, variant_rows
from energysim.report.plots.style import legend, new_figure, stack_bars
from energysim.report.plots.svg import hover
from energysim.simulation.stored import StoredResult
from energysim.units import energy_unit, format_energy

Split = Mapping[str, EnergyPj]


def energy(results: Sequence[StoredResult]) -> Figure:
    """A bar per variant of every result, once by level and once by tensor; whiskers from the constants' low values to
    their high ones."""
    rows = variant_rows(results)
    labels = [label for label, _, _ in rows]
    totals = [variant.energy for _, _, variant in rows]
    figure, (left, right) = new_figure(4.5 + 1.4 * len(rows), 4.2, 2, sharey=True)
    order = list(dict.fromkeys(name for result in results for name, _ in result.memories))
    splits = [_outermost_first(variant.energy_by_level, order) for _, _, variant in rows]
    _stacked(left, labels, splits, totals, "viridis", across=False)
    _stacked(right, labels, [variant.energy_by_tensor for _, _, variant in rows], totals, "plasma", across=False)
    left.set_title("by level", fontsize=10)
    right.set_title("by tensor", fontsize=10)
    right.set_ylabel("")
    figure.suptitle(f"{common_subject(results)}: energy", fontsize=11)
    return figure


def layer_energy(result: StoredResult, variant: str | None = None, limit: int = LAYERS) -> Figure:
    """Each layer's energy by level, in execution order; of many layers the ``limit`` costliest, the rest together."""
    chosen = result.variant(variant)
    rows = layer_rows(chosen.layers, lambda layer: layer.energy.value, limit)
    figure, (axes,) = new_figure(9, 1.6 + 0.2 * len(rows))
    _stacked(
        axes,
        [name for name, _ in rows],
        [_outermost_first(_by_level(layers), [name for name, _ in result.memories]) for _, layers in rows],
        [total(layer.energy for layer in layers) for _, layers in rows],
        "viridis",
        across=True,
    )
    axes.set_title(f"{subject(result, chosen)}: energy per layer", fontsize=11)
    return figure


def _by_level(layers: Iterable[LayerCost]) -> dict[str, EnergyPj]:
    found: dict[str, EnergyPj] = {}
    for layer in layers:
        for share in layer.shares:
            found[share.level] = found.get(share.level, ZERO) + share.energy
    return found


def _outermost_first(split: Split, memories: Sequence[str]) -> dict[str, EnergyPj]:
    """Memories in their order, then what computes; with all memories, so that every split names them alike."""
    return {
        **{name: split.get(name, ZERO) for name in memories},
        **{n: e for n, e in split.items() if n not in memories},
    }


def _stacked(
    axes: Axes, labels: Sequence[str], splits: Sequence[Split], totals: Sequence[EnergyPj], colours: str, across: bool
) -> None:
    unit, one = energy_unit(max((whole.value for whole in totals), default=0.0))
    classes = [c for c in dict.fromkeys(name for split in splits for name in split) if any(_in(s, c) for s in splits)]
    layers = [(name, [_in(split, name) / one for split in splits]) for name in classes]
    bars = stack_bars(axes, labels, layers, colours, across)
    for name, drawn in zip(classes, bars, strict=True):
        _tell(drawn, labels, splits, totals, name)
    _whiskers(axes, totals, one, across)
    (axes.set_xlabel if across else axes.set_ylabel)(f"energy ({unit})")
    legend(axes)


def _in(split: Split, name: str) -> float:
    return split.get(name, ZERO).value


def _tell(
    drawn: BarContainer, labels: Sequence[str], splits: Sequence[Split], totals: Sequence[EnergyPj], name: str
) -> None:
    for bar, label, split, whole in zip(drawn, labels, splits, totals, strict=True):
        part = split.get(name, ZERO)
        share = part.value / whole.value if whole.value else 0.0
        span = f"{format_energy(part.low)} .. {format_energy(part.high)}"
        hover(bar, f"{label.replace(chr(10), ' ')}, {name}: {format_energy(part.value)} ({span}), {share:.1%}")


def _whiskers(axes: Axes, totals: Sequence[EnergyPj], one: float, across: bool) -> None:
    ends = [[(e.value - e.low) / one for e in totals], [(e.high - e.value) / one for e in totals]]
    values, at = [e.value / one for e in totals], range(len(totals))
    look = {"fmt": "none", "ecolor": "black", "elinewidth": 0.8, "capsize": 2.5}
    if across:
        axes.errorbar(values, at, xerr=ends, **look)  # type: ignore[arg-type]
    else:
        axes.errorbar(at, values, yerr=ends, **look)  # type: ignore[arg-type]
