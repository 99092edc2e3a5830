"""Where a stack lives: tiles further in than what they keep, where that is cheaper, and every word of it counted."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import nn

from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.cost.results import LayerCost
from energysim.graph.trace import trace
from energysim.schedule.apart import TileSet, copies, extents, ranges_apart
from energysim.schedule.homes import capacity_bytes, homes
from energysim.schedule.live import live_at, peak_bytes
from energysim.schedule.plan import plan_stack
from energysim.schedule.values import Overlap, Stack
from energysim.simulation import SimulationResult, simulate, stacks
from energysim.simulation.occupancy import occupancies
from energysim.simulation.places import places_apart

_GRAPH = trace(
    nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1, bias=False),
        nn.Conv2d(8, 4, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1, bias=False),
    ),
    (torch.zeros(1, 2, 24, 32),),
)


def _device(local_bytes: int) -> ArchSpec:
    arch = load_arch("meta_proto_df")
    nodes = (replace(node, capacity_bits=local_bytes * 8) if node.name == "LB_IO" else node for node in arch.nodes)
    return replace(arch, nodes=tuple(nodes))


def _full(local_bytes: int, overlap: str, objective: str = "energy") -> SimulationResult:
    arch = _device(local_bytes)
    return simulate(_GRAPH, arch, variant="full", tile=(3, 4), overlap=overlap, objective=objective, bits=8)


def _words(costs: tuple[LayerCost, ...], level: str) -> tuple[int, int, int]:
    here = [entry for cost in costs for entry in cost.levels if entry.level == level]
    return sum(e.reads for e in here), sum(e.fills for e in here), sum(e.updates for e in here)


# What fits beside the tiles depends on the local buffer: all; all but lines; tiles alone; some tiles; none.
@pytest.mark.parametrize(
    ("local_bytes", "homes"),
    [
        (6000, {"tiles": "LB_IO", "columns": "LB_IO", "lines": "LB_IO"}),
        (1500, {"tiles": "LB_IO", "columns": "LB_IO", "lines": "GB_A"}),
        (700, {"tiles": "LB_IO", "larger tiles": "GB_A", "columns": "GB_A", "lines": "GB_A"}),
        (200, {"tiles": "GB_A", "columns": "GB_A", "lines": "GB_A"}),
    ],
)
def test_kinds_of_data_move_out_as_the_local_buffer_shrinks(local_bytes: int, homes: dict[str, str]) -> None:
    (cost,) = _full(local_bytes, "cache").variants
    assert dict(cost.layers[0].homes) == {**homes, "weights": "LB_W"}


def test_the_outer_memory_moves_nothing_but_the_copies() -> None:
    result = _full(1500, "cache")
    (cost,), ((stack,), _) = result.variants, [s.stacks for s in result.schedules] * 2
    plan = plan_stack(_GRAPH, stack)
    every = TileSet(tuple(range(len(plan.rows.tiles))), tuple(range(len(plan.columns.tiles))))
    moved = copies(plan, every).values()
    assert _words(cost.layers, "GB_A") == (sum(m.lines_in for m in moved), sum(m.lines_out for m in moved), 0)
    assert sum(m.lines_in for m in moved) > 0


@pytest.mark.parametrize("overlap", ["recompute", "cache_columns", "cache"])
@pytest.mark.parametrize("local_bytes", [1500, 700])
def test_never_worse_than_in_one_memory_and_the_same_words(
    local_bytes: int, overlap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = _full(local_bytes, overlap)
    monkeypatch.setattr(stacks, "places_apart", lambda *_: ())
    together = _full(local_bytes, overlap)
    (one,), (other,) = apart.variants, together.variants
    assert one.energy.value <= other.energy.value
    assert (one.dram_read_bytes, one.dram_write_bytes) == (other.dram_read_bytes, other.dram_write_bytes)
    assert one.macs_executed == other.macs_executed


@pytest.mark.parametrize("local_bytes", [1500, 700])
def test_no_memory_holds_more_than_it_has_room_for(local_bytes: int) -> None:
    result = _full(local_bytes, "cache")
    memories = {memory.name: memory for memory in result.arch.memories}
    drawn = {item.memory: item for item in occupancies(result)}
    for name, item in drawn.items():
        room = capacity_bytes(memories[name])
        live = [placement.live for placement in item.allocation.placements]
        peaks = [sum(entry.size_bytes for entry in live_at(live, step)) for step in range(len(item.steps))]
        assert room is not None and max(peaks) == item.allocation.lower_bound_bytes <= room
    assert all(drawn[name].allocation.placements for name in ("GB_A", "LB_IO", "LB_W"))


def test_larger_tiles_leave_the_kept_columns_their_room() -> None:
    """Their mappings pass the local buffer, in which the columns are."""
    arch = _device(1000)
    stack = Stack(tuple(layer.name for layer in _GRAPH.layers), (3, 4), Overlap.CACHE)
    plan = plan_stack(_GRAPH, stack)
    found = [place for place in places_apart(plan, arch, 8, homes(arch)) if "larger tiles" in dict(place.names)]
    kept = [place for place in found if place.columns.name == "LB_IO"]
    assert kept
    for place in kept:
        columns = max(
            peak_bytes(ranges_apart(plan, 8, *pair, in_place=False).columns)
            for pair in product(*(extents(axis, [e.edge for e in plan.edges]) for axis in (plan.rows, plan.columns)))
        )
        rooms = {
            (home.maps.name, capacity_bytes(memory))
            for home, _ in place.tiles
            for memory in home.arch.memories
            if memory.name == "LB_IO"
        }
        assert columns > 0 and rooms == {("LB_IO", 1000), ("GB_A", 1000 - columns)}


def test_homes_survive_json() -> None:
    result = _full(1500, "cache")
    assert [layer.homes for layer in result.stored().variants[0].layers] == [
        layer.homes for layer in result.variants[0].layers
    ]
