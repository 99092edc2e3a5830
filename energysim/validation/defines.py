"""DeFiNES' depth-first sweep of FSRCNN beside energysim's: energy, cycles and DRAM words per tile and overlap mode."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import spearmanr

from energysim.cost.results import VariantCost
from energysim.graph.layers import LayerGraph
from energysim.schedule.values import Overlap
from energysim.simulation import simulate
from energysim.validation.published import DATA
from energysim.workload import resolve_workload

_ARCH = "meta_proto_df"
PARTS = {
    "DRAM": ("DRAM",),
    "global buffers": ("GB_A", "GB_W"),
    "local buffer of feature maps": ("LB_IO",),
    "local buffer of weights": ("LB_W",),
    "registers": ("REG_O",),
    "MACs": ("MAC",),
}
"""The parts that an energy is split into, each with the components of the spec that it sums."""

Tile = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a schedule costs here: J, cycles, words of 8 bits over DRAM's port, and J of each of ``PARTS``."""

    energy_j: float
    cycles: float
    dram_words: float
    parts_j: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FusedPoint:
    """One schedule: tile (rows, columns) of the last ofmap, None for layer by layer. Energies in J, words of 8 bits.

    ``ours``: with loops that divide their dimension; ``remainders``: with those that leave a remainder too, as theirs
    (layer by layer the same: whole planes fill the array, and remainders in them are searched for too long).
    """

    tile: Tile | None
    overlap: Overlap | None
    theirs_j: float
    their_cycles: float
    their_dram_words: float
    ours: Cost
    remainders: Cost


def compare_defines() -> tuple[FusedPoint, ...]:
    """The points that DeFiNES was run on for this comparison (its figures are its own model's, not a measurement)."""
    graph = resolve_workload("fsrcnn").trace()
    points = []
    for row in _rows("defines_fsrcnn.csv"):
        tile, overlap = _schedule_of(row)
        ours = _cost(graph, tile, overlap, imperfect=False)
        points.append(
            FusedPoint(
                tile,
                overlap,
                float(row["energy_uj"]) * 1e-6,
                float(row["mcycles"]) * 1e6,
                float(row["dram_mwords"]) * 1e6,
                ours,
                ours if tile is None else _cost(graph, tile, overlap, imperfect=True),
            )
        )
    return tuple(points)


def their_parts() -> dict[tuple[Tile | None, Overlap | None], dict[str, float]]:
    """DeFiNES' energy of each of ``PARTS`` in J, of the points that it was asked for it."""
    found: dict[tuple[Tile | None, Overlap | None], dict[str, float]] = {}
    for row in _rows("defines_parts.csv"):
        found.setdefault(_schedule_of(row), {})[row["part"]] = float(row["energy_uj"]) * 1e-6
    return found


def rank_agreement(points: Sequence[FusedPoint], *, remainders: bool) -> float:
    """Spearman's rank correlation of the two tools' energies over the fused points (1: the same order)."""
    fused = [point for point in points if point.tile is not None]
    ours = [(point.remainders if remainders else point.ours).energy_j for point in fused]
    return float(spearmanr([p.theirs_j for p in fused], ours).statistic)


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


def _schedule_of(row: Mapping[str, str]) -> tuple[Tile | None, Overlap | None]:
    if not row["tile_height"]:
        return None, None
    return (int(row["tile_height"]), int(row["tile_width"])), Overlap(row["overlap"])


def _cost(graph: LayerGraph, tile: Tile | None, overlap: Overlap | None, *, imperfect: bool) -> Cost:
    result = simulate(
        graph,
        _ARCH,
        bits=8,
        variant="full" if tile else "layerwise",
        tile=tile,
        overlap=overlap or Overlap.RECOMPUTE,
        imperfect=imperfect,
    )
    (cost,) = result.variants
    cycles = cost.latency_s * result.arch.clock_hz
    return Cost(cost.energy.value * 1e-12, cycles, cost.dram_read_bytes + cost.dram_write_bytes, _parts(cost))


def _parts(cost: VariantCost) -> dict[str, float]:
    levels = cost.energy_by_level
    return {part: sum(levels[name].value for name in names if name in levels) * 1e-12 for part, names in PARTS.items()}
