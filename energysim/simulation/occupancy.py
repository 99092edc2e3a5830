"""What is on chip when: the feature maps and weights in the on-chip memories that a schedule plans with.

Time is the network's layers in execution order. In a stack every tile runs all of its layers, so a step shows what is
live while any tile runs that layer, at its widest; a retained feature map that meets a stack is there all along. A
layer that the mapper cut by itself shows the tiles that its mapping keeps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate
from math import ceil
from typing import TYPE_CHECKING, Any, Self

from energysim.arch.spec import ArchSpec, Memory
from energysim.cost.results import LayerCost, VariantCost
from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.problem import Role
from energysim.schedule.allocator import Allocation, Piece, Placement, allocate
from energysim.schedule.buffering import retained_ranges
from energysim.schedule.homes import capacity_bytes, homes, homes_inwards
from energysim.schedule.live import Content, LiveRange, peak_bytes
from energysim.schedule.moments import moments
from energysim.schedule.plan import plan_stack
from energysim.schedule.values import Schedule, Stack
from energysim.simulation.places import fits_on_chip, most_held, place_of, places_apart, together

if TYPE_CHECKING:
    from energysim.simulation.result import SimulationResult


@dataclass(frozen=True, slots=True)
class Occupancy:
    """One memory under one variant. ``steps``: the layers; live ranges of the allocation count them from 0."""

    variant: str
    memory: str
    steps: tuple[str, ...]
    allocation: Allocation

    def to_dict(self) -> dict[str, Any]:
        return {
            "variant": self.variant,
            "memory": self.memory,
            "steps": list(self.steps),
            "capacity_bytes": self.allocation.capacity_bytes,
            "lower_bound_bytes": self.allocation.lower_bound_bytes,
            "placements": [
                {**asdict(item.live), "pieces": [list(piece) for piece in item.pieces]}
                for item in self.allocation.placements
            ],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError for anything but :meth:`to_dict`."""
        placements = tuple(
            Placement(
                LiveRange(item["name"], Content(item["content"]), item["size_bytes"], item["first"], item["last"]),
                tuple(Piece(*piece) for piece in item["pieces"]),
            )
            for item in data["placements"]
        )
        allocation = Allocation(placements, data["capacity_bytes"], data["lower_bound_bytes"])
        return cls(data["variant"], data["memory"], tuple(data["steps"]), allocation)


def occupancies(result: SimulationResult) -> tuple[Occupancy, ...]:
    """For each variant, every memory that can be a home of feature maps or weights, outermost first.

    Raises InfeasibleError for a device that has no on-chip memory which holds both ifmaps and ofmaps.
    """
    memories = _by_name(
        memory
        for inner in reversed(homes_inwards(result.arch))
        for memory in (inner.maps, inner.weights)
        if memory is not None
    )
    found: list[Occupancy] = []
    for schedule, cost in zip(result.schedules, result.variants, strict=True):
        drawn = _Drawn(result.arch, result.graph, schedule, result.bits)
        found += [_occupancy(result, schedule, cost, memory, drawn) for memory in memories.values()]
    return tuple(found)


def _by_name(memories: Iterable[Memory]) -> dict[str, Memory]:
    return {memory.name: memory for memory in memories}


def _occupancy(
    result: SimulationResult, schedule: Schedule, cost: VariantCost, memory: Memory, drawn: _Drawn
) -> Occupancy:
    steps = tuple(name for stack in schedule.stacks for name in stack.layers)
    costs = {layer.name: layer for layer in cost.layers}
    ranges = [] if memory.name != homes(result.arch).maps.name else list(drawn.retained())
    for stack in schedule.stacks:
        ranges += drawn.of_stack(stack, memory, costs)
    return Occupancy(schedule.variant, memory.name, steps, allocate(ranges, capacity_bytes(memory)))


class _Drawn:
    """The live ranges of one schedule, in steps of the whole network."""

    def __init__(self, arch: ArchSpec, graph: LayerGraph, schedule: Schedule, bits: int) -> None:
        self._arch, self._graph, self._schedule, self._bits = arch, graph, schedule, bits
        self._kept = retained_ranges(graph, schedule.retained, bits)
        self._whole = {
            edge.name
            for edge in graph.edges.values()
            for keep in schedule.retained
            if keep.edge == edge.storage and keep.channels in (None, graph.edges[keep.edge].shape[1])
        }
        self._position = {layer.name: index for index, layer in enumerate(graph.layers)}
        starts = accumulate((len(stack.layers) for stack in schedule.stacks), initial=0)
        self._first = {stack.layers[0]: start for stack, start in zip(schedule.stacks, starts, strict=False)}
        self._plans: dict[str, dict[str, tuple[LiveRange, ...]] | None] = {}

    def retained(self) -> Iterator[LiveRange]:
        """The retained feature maps, each over whole stacks."""
        for item in self._kept:
            met = [stack for stack in self._schedule.stacks if self._meets(stack, item)]
            last = self._first[met[-1].layers[0]] + len(met[-1].layers) - 1
            yield LiveRange(item.name, Content.MAP, item.size_bytes, self._first[met[0].layers[0]], last)

    def of_stack(self, stack: Stack, memory: Memory, costs: dict[str, LayerCost]) -> Iterator[LiveRange]:
        """What the tiles of a stack, or of a layer's mapping, keep in ``memory``."""
        start = self._first[stack.layers[0]]
        if stack.layers[0] not in self._plans:
            whole = stack.free or (stack.tile is None and len(stack.layers) == 1)
            self._plans[stack.layers[0]] = None if whole else self._planned(stack, costs[stack.layers[0]])
        planned = self._plans[stack.layers[0]]
        if planned is None:
            yield from self._mapped(self._graph.layer(stack.layers[0]), costs[stack.layers[0]], memory, start)
            return
        for item in planned.get(memory.name, ()):
            yield LiveRange(item.name, item.content, item.size_bytes, start + item.first, start + item.last)

    def _planned(self, stack: Stack, cost: LayerCost) -> dict[str, tuple[LiveRange, ...]] | None:
        """What a stack keeps in each memory that it lives in; None where one layer's tiles are mapped from DRAM."""
        if not cost.homes:
            return None
        plan = plan_stack(self._graph, stack)
        beside = sum(item.size_bytes for item in self._kept if self._meets(stack, item))
        place = place_of(plan, self._arch, self._bits, self._whole, beside)
        assert place is not None
        if together(plan, place).names != cost.homes:
            apart = next(item for item in places_apart(plan, self._arch, self._bits, place) if item.names == cost.homes)
            return most_held(plan, self._bits, apart)
        ranges = plan.live_ranges(self._bits)
        if not fits_on_chip(ranges, place, self._whole, beside):
            ranges = max(moments(plan, self._bits), key=peak_bytes)
        held: defaultdict[str, tuple[LiveRange, ...]] = defaultdict(tuple)
        for item in ranges:
            home = place.weights if item.content is Content.WEIGHTS else place.maps
            if home is not None and item.name not in self._whole:
                held[home.name] += (item,)
        return held

    def _mapped(self, layer: Layer, cost: LayerCost, memory: Memory, step: int) -> Iterator[LiveRange]:
        if layer.problem is None:
            return
        edges = dict(layer.operands)
        for level in cost.levels:
            if level.level == memory.name and level.tile_words:
                tensor = layer.problem.tensor(level.tensor)
                size = ceil(level.tile_words * memory.bits_of(self._bits, tensor.role is Role.OFMAP) / 8)
                content = Content.WEIGHTS if tensor.is_parameter else Content.TILE
                name = layer.name if tensor.is_parameter else edges[tensor.name]
                yield LiveRange(name, content, size, step, step)

    def _meets(self, stack: Stack, item: LiveRange) -> bool:
        first, last = self._position[stack.layers[0]], self._position[stack.layers[-1]]
        return item.first <= last and first <= item.last
