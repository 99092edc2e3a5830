"""DRAM traffic against what must move: per layer, and of each variant as a whole."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energysim.cost.results import LayerCost, VariantCost
from energysim.report.plots.rows import LAYERS, Row, layer_rows, subject, variant_name
from energysim.report.plots.style import legend, new_figure, stack_bars
from energysim.report.plots.svg import hover
from energysim.simulation.stored import StoredResult
from energysim.units import bytes_unit, format_bytes


def traffic(result: StoredResult, variant: str | None = None, limit: int = LAYERS) -> Figure:
    """Reads and writes of each layer, with what the layer must move where all its feature maps lie in DRAM (a layer
    that finds them on chip moves less); below, the variants and the network's floor, which none can undercut."""
    chosen = result.variant(variant)
    rows = layer_rows(chosen.layers, _bytes, limit)
    heights = [0.2 * len(rows) + 0.7, 0.26 * len(result.variants) + 0.9]
    figure, (above, below) = new_figure(9, sum(heights) + 0.8, 1, 2, height_ratios=heights)
    _layers(above, rows, result)
    _totals(below, result.variants)
    above.set_title(f"{subject(result, chosen)}: DRAM traffic per layer", fontsize=11)
    below.set_title("the whole network", fontsize=10)
    return figure


def _bytes(layer: LayerCost) -> float:
    return layer.dram_read_bytes + layer.dram_write_bytes


def _layers(axes: Axes, rows: list[Row], result: StoredResult) -> None:
    floors = [sum(result.layer_floor_bytes[layer.name] for layer in layers) for _, layers in rows]
    moved = [sum(map(_bytes, layers)) for _, layers in rows]
    _, one = bytes_unit(max([*moved, *floors], default=0.0))
    _bars(
        axes,
        [name for name, _ in rows],
        [sum(layer.dram_read_bytes for layer in layers) for _, layers in rows],
        [sum(layer.dram_write_bytes for layer in layers) for _, layers in rows],
        max([*moved, *floors], default=0.0),
    )
    for at, ((name, _), floor, total) in enumerate(zip(rows, floors, moved, strict=True)):
        label = "the layer's weights, ifmaps and ofmaps, once each" if at == 0 else "_"
        (mark,) = axes.plot([floor / one] * 2, [at - 0.45, at + 0.45], color="black", linewidth=1.6, label=label)
        times = f", {total / floor:.2f} x that moved" if floor else ""
        hover(mark, f"{name}: {format_bytes(floor)} of weights, ifmaps and ofmaps{times}")
    legend(axes, loc="upper right", bbox_to_anchor=None)


def _totals(axes: Axes, variants: tuple[VariantCost, ...]) -> None:
    floor = variants[0].dram_floor_bytes
    largest = max(floor, *(variant.dram_bytes for variant in variants))
    _bars(
        axes,
        [variant_name(variant) for variant in variants],
        [variant.dram_read_bytes for variant in variants],
        [variant.dram_write_bytes for variant in variants],
        largest,
    )
    _, one = bytes_unit(largest)
    line = axes.axvline(floor / one, color="black", linestyle="--", linewidth=1.2, label="floor of the network")
    hover(line, f"floor: {format_bytes(floor)}, weights, network input and output once each")
    axes.set_xlim(right=1.25 * largest / one)
    for at, variant in enumerate(variants):
        times = f"{variant.dram_bytes / floor:.2f} x floor" if floor else ""
        axes.annotate(
            times, (variant.dram_bytes / one, at), (5, 0), textcoords="offset points", va="center", fontsize=8
        )
    legend(axes)


def _bars(axes: Axes, labels: list[str], reads: list[float], writes: list[float], largest: float) -> None:
    unit, one = bytes_unit(largest)
    parts = [("reads", [count / one for count in reads]), ("writes", [count / one for count in writes])]
    for (name, _), counts, drawn in zip(
        parts, (reads, writes), stack_bars(axes, labels, parts, "viridis", across=True), strict=True
    ):
        for bar, label, count in zip(drawn, labels, counts, strict=True):
            hover(bar, f"{label}: {format_bytes(count)} of DRAM {name}")
    axes.set_xlabel(f"DRAM traffic ({unit})")
