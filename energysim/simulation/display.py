"""Results in notebooks: tables of what they hold, and `result.plot` for their figures."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from energysim.cost.results import LayerCost, VariantCost
from energysim.units import format_bytes, format_energy, format_time

if TYPE_CHECKING:
    import pandas as pd

_LAYERS = 40  # rows of a table


class Plots:
    """The attribute ``plot`` of a result: ``result.plot.energy()``, ``result.plot.traffic(variant="full")``...

    What it gives is :class:`energysim.report.plots.accessor.ResultPlots`. The report is a floor above results, which
    must not depend on it: its module is found by name when a figure is asked for, as pandas finds plotting backends.
    """

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return importlib.import_module("energysim.report.plots.accessor").ResultPlots(instance)


def layers_frame(variants: Iterable[VariantCost]) -> pd.DataFrame:
    """One row per variant and layer; energies in pJ, traffic in bytes, latency in seconds."""
    import pandas as pd

    rows = []
    for variant in variants:
        for layer in variant.layers:
            row = layer.to_dict()
            del row["levels"], row["mapping"], row["peak_s"], row["shares"]
            by_level: dict[str, float] = {}
            for share in layer.shares:
                key = f"energy_{share.level}_pj"
                by_level[key] = by_level.get(key, 0.0) + share.energy.value
            rows.append({"variant": variant.variant, **row, **by_level})
    return pd.DataFrame(rows)


def result_html(title: str, variants: tuple[VariantCost, ...]) -> str:
    """A row per variant, or per layer where there is one variant (of many layers the costliest), and the floor."""
    from html import escape

    import pandas as pd

    rows = [_variant_row(variant) for variant in variants]
    note = f"floor of the DRAM traffic: {format_bytes(variants[0].dram_floor_bytes)}"
    if len(variants) == 1:
        (variant,) = variants
        kept = {id(x) for x in sorted(variant.layers, key=lambda x: -x.energy.value)[:_LAYERS]}
        if len(kept) < len(variant.layers):
            note += f"; the {len(kept)} layers of most energy of {len(variant.layers)} are shown"
        total = {"layer": "total", "operator": "", **_row(variant), "bound by": ""}
        rows = [*(_layer_row(layer) for layer in variant.layers if id(layer) in kept), total]
        title = f"{title}, {variant.variant}"
    table: str = pd.DataFrame(rows).to_html(index=False)
    return f"<p><b>{escape(title)}</b></p>{table}<p>{escape(note)}</p>"


def _row(cost: VariantCost | LayerCost) -> dict[str, str]:
    return {
        "MACs executed": f"{cost.macs_executed:,}",
        "DRAM read": format_bytes(cost.dram_read_bytes),
        "DRAM write": format_bytes(cost.dram_write_bytes),
        "energy": format_energy(cost.energy.value),
        "low .. high": f"{format_energy(cost.energy.low)} .. {format_energy(cost.energy.high)}",
        "latency": format_time(cost.latency_s),
    }


def _layer_row(layer: LayerCost) -> dict[str, str]:
    return {"layer": layer.name, "operator": layer.op, **_row(layer), "bound by": layer.bottleneck}


def _variant_row(variant: VariantCost) -> dict[str, str]:
    return {
        "variant": variant.variant,
        "tile": "" if variant.tile is None else f"{variant.tile[0]}x{variant.tile[1]}",
        "buffer": "" if variant.buffer_bytes is None else format_bytes(variant.buffer_bytes),
        **_row(variant),
        "x floor": f"{variant.dram_bytes / variant.dram_floor_bytes:.2f}" if variant.dram_floor_bytes else "",
    }
