"""Every variant of one network: its schedule, then the cost of each stack."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.cost.results import VariantCost
from energysim.errors import EnergySimError, InfeasibleError, NotFoundError, did_you_mean
from energysim.graph.layers import LayerGraph
from energysim.schedule.buffering import largest_plane_bytes
from energysim.schedule.homes import capacity_bytes, map_memory
from energysim.schedule.sizes import parse_tile
from energysim.schedule.values import Overlap, Schedule
from energysim.schedule.variants import VARIANTS, make_schedule
from energysim.simulation.floor import floor_bytes
from energysim.simulation.optimal import Known, best_schedule
from energysim.simulation.schedules import schedule_costs
from energysim.simulation.setting import Progress, Setting
from energysim.units import whole_number

ALL = "all"
OPTIMAL = "optimal"
# MemoryOptimizedConv2d's defaults (system S4), used where `all` is asked for without sizes.
_DEFAULT_TILE = (32, 32)
_DEFAULT_CHANNELS = 64


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; sizes that a variant does not use are ignored by it."""

    variant: str
    tile: tuple[int, int] | None
    buffer_bytes: int | None
    buffer_channels: int | None
    overlap: Overlap

    @classmethod
    def checked(
        cls,
        variant: str,
        tile: int | str | tuple[int, int] | None,
        buffer_bytes: int | None,
        buffer_channels: int | None,
        overlap: Overlap,
    ) -> Request:
        """Raises NotFoundError for an unknown variant, UnitError for a size that is none, EnergySimError for a buffer
        given twice."""
        known = (*VARIANTS, OPTIMAL, ALL)
        if variant not in known:
            hint = did_you_mean(str(variant), known) or f"one of {', '.join(known)}"
            raise NotFoundError(f"unknown variant {variant!r}", hint=hint)
        if buffer_bytes is not None and buffer_channels is not None:
            raise EnergySimError("a buffer given both in bytes and in channels", hint="give one of the two")
        return cls(
            variant,
            None if tile is None else parse_tile(tile),
            None if buffer_bytes is None else whole_number(buffer_bytes, "buffer in bytes"),
            None if buffer_channels is None else whole_number(buffer_channels, "buffer in channels"),
            overlap,
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """A variant's schedule and what it costs."""

    schedule: Schedule
    cost: VariantCost


def run_variants(
    graph: LayerGraph, setting: Setting, request: Request, progress: Progress | None
) -> tuple[Planned, ...]:
    """One variant, or with `all` every variant that the device can run.

    `optimal` is never worse than any other that can run with the sizes given (or the default sizes).
    """
    if request.variant not in (ALL, OPTIMAL):
        return (_run(graph, setting, request, request.variant, progress),)
    request = _with_defaults(request, graph, setting)
    found: list[Planned] = []
    for variant in VARIANTS:
        try:
            found.append(_run(graph, setting, request, variant, progress))
        except InfeasibleError:
            # A device without a feature-map buffer, or one that is too small for this variant, runs the others.
            if variant in ("plain", "layerwise"):
                raise
    optimal = _optimal(graph, setting, found, progress)
    return (optimal,) if request.variant == OPTIMAL else (*found, optimal)


def _optimal(graph: LayerGraph, setting: Setting, others: list[Planned], progress: Progress | None) -> Planned:
    best = best_schedule(graph, setting, [Known(item.schedule, item.cost.layers) for item in others], progress)
    cost = VariantCost(
        variant=OPTIMAL,
        layers=best.layers,
        params=graph.parameters,
        dram_floor_bytes=floor_bytes(graph, setting.bits),
        buffer_bytes=best.schedule.buffer_bytes,
        optimal=best.optimal,
        gap=best.gap,
    )
    return Planned(best.schedule, cost)


def _with_defaults(request: Request, graph: LayerGraph, setting: Setting) -> Request:
    size = request.buffer_bytes
    if size is None and request.buffer_channels is None:
        home = map_memory(setting.arch)
        room = None if home is None else capacity_bytes(home)
        size = _DEFAULT_CHANNELS * largest_plane_bytes(graph, setting.bits)
        size = size if room is None else min(size, room // 2)
    return Request(request.variant, request.tile or _DEFAULT_TILE, size, request.buffer_channels, request.overlap)


def _run(graph: LayerGraph, setting: Setting, request: Request, variant: str, progress: Progress | None) -> Planned:
    home = map_memory(setting.arch)
    if home is None and variant in ("buffered", "full"):
        raise InfeasibleError(
            f"{setting.arch.name!r} has no on-chip memory that holds both ifmaps and ofmaps",
            hint=f"the variant {variant!r} keeps feature maps there; use plain, layerwise or tiled",
        )
    schedule = make_schedule(
        graph,
        variant,
        bits=setting.bits,
        tile=request.tile,
        overlap=request.overlap,
        buffer_bytes=request.buffer_bytes,
        buffer_channels=request.buffer_channels,
        capacity_bytes=None if home is None else capacity_bytes(home),
    )
    layers = schedule_costs(graph, schedule, setting, progress)
    cost = VariantCost(
        variant=variant,
        layers=layers,
        params=graph.parameters,
        dram_floor_bytes=floor_bytes(graph, setting.bits),
        tile=request.tile if variant in ("tiled", "full") else None,
        buffer_bytes=schedule.buffer_bytes,
        overlap=request.overlap.value if variant == "full" else None,
    )
    return Planned(schedule, cost)
