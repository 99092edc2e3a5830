"""Published chips beside predictions, as Markdown. Every number comes from the values handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from energysim.validation.chip_energy import ChipEnergyFit
from energysim.validation.chip_overheads import Overheads
from energysim.validation.eyeriss import ComparedLayer


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is aligned to the right."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def error(predicted: float, measured: float) -> str:
    """Relative error in percent, signed."""
    return f"{100 * (predicted / measured - 1):+.1f} %"


def _pair(measured: float, predicted: float | None, unit: float) -> list[str]:
    if predicted is None:
        return [f"{measured / unit:.1f}", "-", "-"]
    return [f"{measured / unit:.1f}", f"{predicted / unit:.1f}", error(predicted, measured)]


def eyeriss_traffic(layers: Sequence[ComparedLayer]) -> str:
    """Active PEs, buffer bytes, DRAM bytes and processing time per layer: measured, predicted, error."""
    head = ["layer", "PEs", "", *_columns("GLB MB"), *_columns("DRAM MB"), *_columns("time ms"), "bound by"]

    def dram(layer: ComparedLayer) -> float:
        coded = layer.predicted.coded_dram_bytes
        return layer.predicted.dram_bytes if coded is None else coded

    rows = [
        [
            layer.measured.name,
            "-" if layer.measured.active_pes is None else str(layer.measured.active_pes),
            str(layer.predicted.active_pes),
            *_pair(layer.measured.glb_bytes, layer.predicted.glb_bytes, 1e6),
            *_pair(layer.measured.dram_bytes, dram(layer), 1e6),
            *_pair(layer.measured.processing_s, layer.predicted.latency_s, 1e-3),
            layer.predicted.bottleneck,
        ]
        for layer in layers
    ]
    total = [
        "**all**",
        "",
        "",
        *_pair(_sum(layers, lambda x: x.measured.glb_bytes), _sum(layers, lambda x: x.predicted.glb_bytes), 1e6),
        *_pair(_sum(layers, lambda x: x.measured.dram_bytes), _sum(layers, dram), 1e6),
        *_pair(_sum(layers, lambda x: x.measured.processing_s), _sum(layers, lambda x: x.predicted.latency_s), 1e-3),
        "",
    ]
    return markdown_table(head, [*rows, total])


def eyeriss_energy(layers: Sequence[ComparedLayer], fit: ChipEnergyFit, fitted: bool) -> str:
    """Energy of the chip without DRAM per layer: measured, of the components as shipped, with the two fitted numbers.

    ``fitted``: these layers are those of the fit, so the error with the others alone fitted stands beside it.
    """
    head = ["layer", "measured mJ", "components mJ", "", "fitted mJ", "", *(["left out"] if fitted else [])]

    def components(layer: ComparedLayer) -> float:
        gated = layer.predicted.gated_energy_j
        return layer.predicted.energy_j if gated is None else gated

    def whole(layer: ComparedLayer) -> float:
        return fit.energy_j(layer, layer.measured.total_s)

    def cells(name: str, chosen: Sequence[ComparedLayer]) -> list[str]:
        measured = _sum(chosen, lambda x: x.measured.energy_j)
        parts, all_of_it = _sum(chosen, components), _sum(chosen, whole)
        return [
            name,
            f"{measured * 1e3:.2f}",
            f"{parts * 1e3:.2f}",
            error(parts, measured),
            f"{all_of_it * 1e3:.2f}",
            error(all_of_it, measured),
        ]

    rows = []
    for index, layer in enumerate(layers):
        left_out = [f"{100 * fit.left_out[index]:+.1f} %"] if fitted else []
        rows.append([*cells(layer.measured.name, [layer]), *left_out])
    return markdown_table(head, [*rows, [*cells("**all**", layers), *([""] if fitted else [])]])


def eyeriss_whole(layers: Sequence[ComparedLayer], overheads: Overheads) -> str:
    """Energy of the chip without DRAM per layer, in the predicted total time: measured, and its predicted parts."""
    head = ["layer", "measured mJ", "components", "network", "clock", "control", "predicted", "", "ms measured", "", ""]

    def cells(name: str, chosen: Sequence[ComparedLayer]) -> list[str]:
        measured = _sum(chosen, lambda x: x.measured.energy_j)
        parts = [overheads.energy(layer, layer.predicted.total_s) for layer in chosen]
        sums = (
            sum(each)
            for each in zip(
                *((p.components_j, p.network_j, p.clock_j, p.control_j, p.total_j) for p in parts), strict=True
            )
        )
        predicted_j = sum(p.total_j for p in parts)
        seconds, predicted_s = _sum(chosen, lambda x: x.measured.total_s), _sum(chosen, lambda x: x.predicted.total_s)
        return [
            name,
            f"{measured * 1e3:.2f}",
            *(f"{joules * 1e3:.2f}" for joules in sums),
            error(predicted_j, measured),
            f"{seconds * 1e3:.1f}",
            f"{predicted_s * 1e3:.1f}",
            error(predicted_s, seconds),
        ]

    return markdown_table(head, [*(cells(x.measured.name, [x]) for x in layers), cells("**all**", layers)])


def _columns(what: str) -> list[str]:
    return [f"{what} measured", "predicted", "error"]


def _sum(layers: Sequence[ComparedLayer], of: Callable[[ComparedLayer], float]) -> float:
    return sum(map(of, layers))
