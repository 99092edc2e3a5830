"""Tables of a model compressed in several ways, and of its tiles with too little overlap."""

from __future__ import annotations

from collections.abc import Sequence

from energysim.report.sheet import Sheet
from energysim.report.training import percent
from energysim.train.compress import Compressed
from energysim.train.overlap import OverlapPoint
from energysim.units import format_bytes, format_energy, format_time

_HEADINGS = ("method", "top-1 %", "parameters", "nonzero", "MACs", "bits", "energy", "x baseline", "latency", "DRAM")


def compression_sheet(rows: Sequence[Compressed], workload: str, data: str) -> Sheet:
    """One line per method; energies relative to the first line's."""
    first = rows[0]
    cells = tuple(
        (
            row.method,
            percent(row.top1),
            f"{row.parameters:,}",
            f"{row.density:.0%}",
            f"{row.cost.macs:,}",
            str(row.cost.bits),
            format_energy(row.cost.energy_pj),
            f"{row.cost.energy_pj / first.cost.energy_pj:.3f}",
            format_time(row.cost.latency_s),
            format_bytes(row.cost.dram_bytes),
        )
        for row in rows
    )
    seeds = first.top1.n
    notes = (
        f"top-1 on {data}'s test images, {seeds} seed{'s' * (seeds > 1)}; cost: one inference, batch 1, layerwise",
        "prune: channels gone while training; magnitude: weights zeroed, which only a device that gates zeros rewards",
        "ptq, qat: quantized after, and while training; distill: learned from a larger network",
    )
    return Sheet(f"{workload} on {first.cost.arch}", _HEADINGS, cells, notes)


def overlap_sheet(points: Sequence[OverlapPoint], title: str, bits: int, images: int) -> Sheet:
    """One line per tile size and overlap; the first point is the uncut network."""
    rows = tuple(
        (
            "uncut" if point.tile is None else f"{point.tile}x{point.tile}",
            "-" if point.tile is None else ("exact" if point.overlap is None else str(point.overlap)),
            f"{100 * point.top1:.1f}",
            f"{100 * (point.top1 - points[0].top1):+.1f}",
            f"{100 * point.changed:.1f}",
            f"{point.deviation:.1e}",
            f"{point.words * bits / 8 / 1e6:.3f}",
        )
        for point in points
    )
    headings = ("tile", "overlap", "top-1 %", "points", "answers changed %", "logits off by", f"MB at {bits} bits")
    notes = (
        f"{images} test images; overlap: ifmap rows and columns that neighbouring tiles share, if a layer needs them",
        "MB: all convolutions of one image, weights once, every ifmap tile with its halo, every ofmap, no buffering",
    )
    return Sheet(title, headings, rows, notes)
