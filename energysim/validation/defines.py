"""DeFiNES' depth-first sweep of FSRCNN beside energysim's: energy, cycles and DRAM words per tile and overlap mode."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import spearmanr

from energysim.schedule.values import Overlap
from energysim.simulation import simulate
from energysim.validation.published import DATA
from energysim.workload import resolve_workload


@dataclass(frozen=True, slots=True)
class FusedPoint:
    """One schedule: tile (rows, columns) of the last ofmap, None for layer by layer. Energies in J, words of 8 bits."""

    tile: tuple[int, int] | None
    overlap: Overlap | None
    theirs_j: float
    energy_j: float
    their_cycles: float
    cycles: float
    their_dram_words: float
    dram_words: float


def compare_defines() -> tuple[FusedPoint, ...]:
    """The points that DeFiNES was run on for this comparison (its figures are its own model's, not a measurement)."""
    graph = resolve_workload("fsrcnn").trace()
    points = []
    with (DATA / "defines_fsrcnn.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            tile = (int(row["tile_height"]), int(row["tile_width"])) if row["tile_height"] else None
            overlap = Overlap(row["overlap"]) if tile else None
            result = simulate(
                graph,
                "meta_proto_df",
                bits=8,
                variant="full" if tile else "layerwise",
                tile=tile,
                overlap=overlap or Overlap.RECOMPUTE,
            )
            (cost,) = result.variants
            points.append(
                FusedPoint(
                    tile,
                    overlap,
                    float(row["energy_uj"]) * 1e-6,
                    cost.energy.value * 1e-12,
                    float(row["mcycles"]) * 1e6,
                    cost.latency_s * result.arch.clock_hz,
                    float(row["dram_mwords"]) * 1e6,
                    cost.dram_read_bytes + cost.dram_write_bytes,
                )
            )
    return tuple(points)


def rank_agreement(points: Sequence[FusedPoint]) -> float:
    """Spearman's rank correlation of the two tools' energies over the fused points (1: the same order)."""
    fused = [point for point in points if point.tile is not None]
    return float(spearmanr([p.theirs_j for p in fused], [p.energy_j for p in fused]).statistic)
