"""The candidates of the variant `optimal`: every segment of the network, and every way to run it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

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
from energysim.schedule.plan import leaving
from energysim.schedule.values import Retained, Schedule, Stack
from energysim.simulation.bounds import Amount, Beside, Bounds
from energysim.simulation.places import fits_on_chip
from energysim.simulation.schedules import KeptMaps, one_stack
from energysim.simulation.setting import Setting

_FURTHER = 8
"""So many layers more are tried where a stack fits in no way but a longer one could."""

Key = tuple[int, int, Kept, int]
"""(first layer, one past the last, maps on chip that these touch, bytes of all that are)"""


class View(NamedTuple):
    """What is known of a way: no less than ``bound``, about ``estimate``, and what it costs once it is mapped."""

    bound: Amount
    estimate: Amount
    mapped: Amount | None


@dataclass(slots=True, eq=False)
class Way:
    """One way to run a segment with certain maps on chip. ``quick``: no more than its bound, which is found only where
    it matters."""

    stack: Stack
    kept: Kept
    key: Key
    quick: Amount
    find: Callable[[], tuple[Amount, Amount]]
    found: tuple[Amount, Amount] | None = None
    mapped: Amount | None = None
    impossible: bool = False

    @property
    def view(self) -> View:
        if self.found is None:
            self.found = self.find()
        return View(*self.found, self.mapped)

    @property
    def glance(self) -> View:
        """No more than :attr:`view` in anything."""
        return View(self.quick, self.quick, None) if self.found is None else self.view


CostOf = Callable[[View], Cost]
"""No less where anything in the view is more."""


class Prices:
    """What the segments cost where every way costs ``cost``: the best choice, or (``product``) all that no other
    undercuts in both costs. Remembered until another way of the segment is mapped."""

    def __init__(self, ways: Ways, cost: CostOf, *, product: bool = False) -> None:
        self._ways, self._cost, self.product = ways, cost, product
        self._known: dict[Key, tuple[int, list[Choice]]] = {}

    def __call__(self, start: int, stop: int, kept: Kept) -> Sequence[Choice]:
        key, ways = self._ways.of(start, stop, kept)
        changes = self._ways.changes[key]
        known = self._known.get(key)
        if known is None or known[0] != changes:
            open_ = [way for way in ways if not way.impossible]
            choices = self._front(open_) if self.product else self._best(open_)
            known = self._known[key] = changes, choices
        return known[1]

    def _best(self, ways: Sequence[Way]) -> list[Choice]:
        best: tuple[Cost, int] | None = None
        for glance, index in sorted((self._cost(way.glance), index) for index, way in enumerate(ways)):
            if best is not None and glance > best[0]:
                break
            cost = self._cost(ways[index].view), index
            best = cost if best is None else min(best, cost)
        return [] if best is None else [Choice(best[0], ways[best[1]])]

    def _front(self, ways: Sequence[Way]) -> list[Choice]:
        front: list[tuple[Cost, int]] = []
        for glance, index in sorted((self._cost(way.glance), index) for index, way in enumerate(ways)):
            if not any(cost[0] <= glance[0] and cost[1] <= glance[1] for cost, _ in front):
                front.append((self._cost(ways[index].view), index))
        return _undominated([Choice(cost, ways[index]) for cost, index in sorted(front)])


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
        self._ways: dict[Key, tuple[Way, ...]] = {}
        self._roomy: dict[tuple[int, int], tuple[Way, ...]] = {}
        self.changes: Counter[Key] = Counter()
        self._touching: dict[tuple[int, int], Kept] = {}
        self._options = self._all_options()
        self._stops: dict[int, list[int]] = {index: [index + 1] for index in range(len(self._layers))}
        for start, stop in self._options:
            if stop > start + 1:
                self._stops[start].append(stop)

    def partition(self, prices: Prices) -> Partition | None:
        """The best partition; the choices of its parts hold a :class:`Way`."""
        limits = Limits(self._room)
        return best_partition(len(self._layers), self._stops, self._maps, prices, limits, product=prices.product)

    def relaxed(self, measure: Callable[[Amount], float]) -> float:
        """Less than any partition costs: each segment has all of the chip, and retains what it touches for nothing."""

        def price(start: int, stop: int, _: Kept) -> Sequence[Choice]:
            if (start, stop) not in self._roomy:
                touched = self._touched(start, stop) & self._bytes.keys()
                self._roomy[start, stop] = self._possible((start, stop, touched, 0), touched, Beside.EITHER)
            least = float("inf")
            for way in sorted(self._roomy[start, stop], key=lambda way: measure(way.quick)):
                if measure(way.quick) >= least:
                    break
                least = min(least, measure(way.view.bound))
            return [] if least == float("inf") else [Choice((least, 0.0), None)]

        found = best_partition(len(self._layers), self._stops, (), price, Limits())
        return 0.0 if found is None else found.cost[0]

    def of(self, start: int, stop: int, kept: Kept) -> tuple[Key, tuple[Way, ...]]:
        """Maps that the segment does not touch only take room, so their sum is all that matters of them."""
        reserved = sum(self._bytes[edge] for edge in kept)
        key = (start, stop, kept & self._touched(start, stop), reserved)
        if key not in self._ways:
            self._ways[key] = self._possible(key, kept, Beside.RETAINED if kept else Beside.NOTHING)
        return key, self._ways[key]

    def run(self, way: Way) -> None:
        """Maps the way, unless that was done; afterwards it has its cost or is impossible."""
        if way.mapped is not None or way.impossible:
            return
        self.changes[way.key] += 1
        try:
            way.mapped = amount_of(one_stack(self._graph, way.stack, self._setting, self._maps_of(way.kept)))
        except InfeasibleError:
            way.impossible = True

    def _all_options(self) -> dict[tuple[int, int], tuple[Option, ...]]:
        """Stacks from each first layer on, until no longer one can fit, or can be."""
        place = self._place
        if place is None:
            return {}
        found: dict[tuple[int, int], tuple[Option, ...]] = {}
        for start in range(len(self._layers)):
            too_large = 0
            for stop in range(start + 1, start + 1 + extensible(self._graph, self._layers[start:])):
                options = stack_options(
                    self._graph,
                    self._layers[start:stop],
                    self._setting.bits,
                    # Nothing fits only beside retained maps: a whole map takes no less room than its tile would.
                    lambda option: fits_on_chip(option.ranges, place),
                    words_only=self._setting.objective.metrics == (Metric.DRAM,),
                    shared=place.shared,
                    streaming=place.weights is None,
                )
                if options:
                    found[start, stop], too_large = options, 0
                    continue
                too_large += 1
                if too_large > _FURTHER or not self._leaves_in_large_pieces(start, stop):
                    break
        return found

    def _leaves_in_large_pieces(self, start: int, stop: int) -> bool:
        """Whether a result that leaves a stack is larger than its last ofmap, on which the tiles are: it leaves in as
        many pieces, none of a single pixel. A longer stack may have smaller tiles."""
        layers = self._layers[start:stop]
        last = self._graph.edges[layers[-1].outputs[0]].shape[2:]
        planes = (self._graph.edges[edge].shape[2:] for edge in leaving(self._graph, layers))
        return any(size > most for plane in planes for size, most in zip(plane, last, strict=True))

    def _touched(self, start: int, stop: int) -> Kept:
        key = (start, stop)
        if key not in self._touching:
            layers = self._layers[start:stop]
            edges = (edge for layer in layers for edge in (*layer.inputs, *layer.outputs))
            self._touching[key] = frozenset(self._graph.edges[edge].storage for edge in edges)
        return self._touching[key]

    def _possible(self, key: Key, kept: Kept, beside: Beside) -> tuple[Way, ...]:
        start, stop, _, reserved = key
        maps, bounds = self._maps_of(kept), self._bounds
        found = []
        if stop == start + 1:
            layer = self._layers[start]
            known = bounds.alone(layer, maps.shares(layer.name))
            found.append(Way(Stack((layer.name,), free=True), kept, key, known[0], lambda: known))
        whole = maps.whole
        for option in self._options.get((start, stop), ()):
            if not kept or self._fits_beside(option, whole, reserved):
                find = partial(bounds.stacked, option, whole, beside)
                found.append(Way(option.stack, kept, key, bounds.quick(option, whole), find))
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


def _undominated(choices: Sequence[Choice]) -> list[Choice]:
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
