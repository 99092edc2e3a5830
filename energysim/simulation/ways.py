"""The candidates of the variant `optimal`: every segment of the network, and every way to run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from energysim.cost.results import LayerCost
from energysim.errors import InfeasibleError
from energysim.graph.layers import LayerGraph
from energysim.mapping.search.objective import Metric
from energysim.schedule.homes import capacity_bytes, homes, map_memory
from energysim.schedule.optimal import (
    Choice,
    Cost,
    Kept,
    Limits,
    Partition,
    best_partition,
    crossings,
    moving_layers,
)
from energysim.schedule.options import Option, extensible, stack_options
from energysim.schedule.values import Retained, Schedule, Stack
from energysim.simulation.bounds import Amount, Bounds
from energysim.simulation.places import fits_on_chip
from energysim.simulation.schedules import KeptMaps, one_stack
from energysim.simulation.setting import Setting


@dataclass(slots=True, eq=False)
class Way:
    """One way to run a segment with certain maps on chip. ``mapped``: what it costs, once that is known."""

    stack: Stack
    kept: Kept
    bound: Amount
    estimate: Amount
    mapped: Amount | None = None
    impossible: bool = False


CostOf = Callable[[Way], Cost]


class Ways:
    """``alone``: the cost of every layer on its own, as the variant `layerwise` found it."""

    def __init__(self, graph: LayerGraph, setting: Setting, alone: Sequence[LayerCost]) -> None:
        self._graph, self._setting = graph, setting
        self._layers = moving_layers(graph)
        home = map_memory(setting.arch)
        self._place = None if home is None else homes(setting.arch)
        self._room = None if home is None else capacity_bytes(home)
        self._maps = () if home is None else crossings(graph, setting.bits)
        self._bytes = {item.edge: item.size_bytes for item in self._maps}
        self._bounds = Bounds(graph, setting, self._place, {cost.name: cost for cost in alone})
        self._kept: dict[Kept, KeptMaps] = {}
        self._ways: dict[tuple[int, int, Kept, int], tuple[Way, ...]] = {}
        self._touching: dict[tuple[int, int], Kept] = {}
        self._options = self._all_options()
        self._stops: dict[int, list[int]] = {index: [index + 1] for index in range(len(self._layers))}
        for start, stop in self._options:
            if stop > start + 1:
                self._stops[start].append(stop)

    def partition(self, cost: CostOf, *, product: bool = False) -> Partition | None:
        """The best partition, where every way costs ``cost``; the choices of its parts hold a :class:`Way`."""

        def price(start: int, stop: int, kept: Kept) -> Sequence[Choice]:
            choices = [Choice(cost(way), way) for way in self._ways_of(start, stop, kept) if not way.impossible]
            if product:
                return _front(choices)
            return [min(choices, key=lambda choice: choice.cost)] if choices else []

        limits = Limits(self._room)
        return best_partition(len(self._layers), self._stops, self._maps, price, limits, product=product)

    def relaxed(self, cost: Callable[[Amount], float]) -> float:
        """Less than any partition costs: each segment has all of the chip, and retains what it touches for nothing."""

        def price(start: int, stop: int, _: Kept) -> Sequence[Choice]:
            ways = self._possible(start, stop, self._touched(start, stop) & self._bytes.keys(), 0)
            return [Choice((min(cost(way.bound) for way in ways), 0.0), None)] if ways else []

        found = best_partition(len(self._layers), self._stops, (), price, Limits())
        return 0.0 if found is None else found.cost[0]

    def run(self, way: Way) -> None:
        """Maps the way, unless that was done; afterwards it has its cost or is impossible."""
        if way.mapped is not None or way.impossible:
            return
        try:
            way.mapped = amount_of(one_stack(self._graph, way.stack, self._setting, self._maps_of(way.kept)))
        except InfeasibleError:
            way.impossible = True

    def _all_options(self) -> dict[tuple[int, int], tuple[Option, ...]]:
        """Stacks from each first layer on, until they fit in no way or can grow no more."""
        place = self._place
        if place is None:
            return {}
        found: dict[tuple[int, int], tuple[Option, ...]] = {}
        for start in range(len(self._layers)):
            for stop in range(start + 1, start + 1 + extensible(self._graph, self._layers[start:])):
                options = stack_options(
                    self._graph,
                    self._layers[start:stop],
                    self._setting.bits,
                    # Nothing fits only beside retained maps: a whole map takes no less room than its tile would.
                    lambda option: fits_on_chip(option.ranges, place),
                    words_only=self._setting.objective.metrics == (Metric.DRAM,),
                    shared=place.shared,
                )
                if not options:
                    break
                found[start, stop] = options
        return found

    def _touched(self, start: int, stop: int) -> Kept:
        key = (start, stop)
        if key not in self._touching:
            layers = self._layers[start:stop]
            edges = (edge for layer in layers for edge in (*layer.inputs, *layer.outputs))
            self._touching[key] = frozenset(self._graph.edges[edge].storage for edge in edges)
        return self._touching[key]

    def _ways_of(self, start: int, stop: int, kept: Kept) -> tuple[Way, ...]:
        """Maps that the segment does not touch only take room, so their sum is all that matters of them."""
        reserved = sum(self._bytes[edge] for edge in kept)
        key = (start, stop, kept & self._touched(start, stop), reserved)
        if key not in self._ways:
            self._ways[key] = self._possible(start, stop, kept, reserved)
        return self._ways[key]

    def _possible(self, start: int, stop: int, kept: Kept, reserved: int) -> tuple[Way, ...]:
        maps = self._maps_of(kept)
        found = []
        if stop == start + 1:
            layer = self._layers[start]
            stack = Stack((layer.name,), free=True)
            found.append(Way(stack, kept, *self._bounds.alone(layer, maps.shares(layer.name))))
        whole = maps.whole
        for option in self._options.get((start, stop), ()):
            if not kept or self._fits_beside(option, whole, reserved):
                found.append(Way(option.stack, kept, *self._bounds.stacked(option, whole)))
        return tuple(found)

    def _fits_beside(self, option: Option, whole: Kept, reserved: int) -> bool:
        if self._room is None or option.peak_bytes + reserved <= self._room:
            return True  # it fits without them, and here is room for all of them
        assert self._place is not None
        return fits_on_chip(option.ranges, self._place, whole, reserved)

    def _maps_of(self, kept: Kept) -> KeptMaps:
        if kept not in self._kept:
            self._kept[kept] = KeptMaps(self._graph, schedule_of((), kept), self._setting)
        return self._kept[kept]


def _front(choices: Sequence[Choice]) -> list[Choice]:
    """Those that no other undercuts in both costs."""
    front: list[Choice] = []
    for choice in sorted(choices, key=lambda choice: choice.cost):
        if not front or choice.cost[1] < front[-1].cost[1]:
            front.append(choice)
    return front


def schedule_of(stacks: tuple[Stack, ...], kept: Kept) -> Schedule:
    return Schedule("optimal", stacks, tuple(Retained(edge) for edge in sorted(kept)))


def amount_of(layers: Sequence[LayerCost]) -> Amount:
    return Amount(
        sum(cost.energy.value for cost in layers),
        sum(cost.latency_s for cost in layers),
        sum(cost.dram_read_bytes + cost.dram_write_bytes for cost in layers),
    )
