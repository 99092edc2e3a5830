"""The best partition of the execution order into segments, with the feature maps that stay on chip between them.

Dynamic programming over the cuts. A cut is the place between two layers; its state is the set of maps that are on chip
across it, so branches need nothing special: a skip connection is one more map that crosses. What a segment costs is
the caller's business (:data:`Price`); here only its costs are added up. A map stays from its producer to its last
reader or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from energysim.graph.layers import Layer, LayerGraph, LayerKind
from energysim.schedule.buffering import candidates

Cost = tuple[float, float]
Kept = frozenset[str]


@dataclass(frozen=True, slots=True)
class Crossing:
    """A feature map that can stay on chip while the moving layers ``first`` (its producer) to ``last`` run."""

    edge: str
    first: int
    last: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to run a segment; ``way`` means something to the caller only."""

    cost: Cost
    way: object


Price = Callable[[int, int, Kept], Sequence[Choice]]
"""(first layer, one past the last, maps on chip before, in or after it) -> ways to run the segment, if any."""


@dataclass(frozen=True, slots=True)
class Part:
    """A segment of the best partition."""

    start: int
    stop: int
    kept: Kept
    choice: Choice


@dataclass(frozen=True, slots=True)
class Partition:
    """``complete``: no state was dropped on the way, so nothing among the segments and maps given is better."""

    cost: Cost
    parts: tuple[Part, ...]
    complete: bool

    @property
    def kept(self) -> Kept:
        return frozenset().union(*(part.kept for part in self.parts))


@dataclass(frozen=True, slots=True)
class Limits:
    """``capacity_bytes``: of the maps on chip at once (None: unbounded). ``maps``: so many of them at most.
    ``states``: per cut; where there are more, the cheapest go on."""

    capacity_bytes: int | None = None
    maps: int = 4
    states: int = 256


@dataclass(frozen=True, slots=True)
class _Label:
    cost: Cost
    before: _Label | None = None
    part: Part | None = None


def moving_layers(graph: LayerGraph) -> tuple[Layer, ...]:
    """The layers that move words, in execution order: positions in this module count them."""
    return tuple(layer for layer in graph.layers if layer.kind is not LayerKind.VIEW)


def crossings(graph: LayerGraph, bits: int) -> tuple[Crossing, ...]:
    """Every feature map between two layers, with its bytes for the whole batch."""
    layers = moving_layers(graph)
    position = {layer.name: index for index, layer in enumerate(layers)}
    last: dict[str, int] = {}
    for index, layer in enumerate(layers):
        for edge in layer.inputs:
            last[graph.edges[edge].storage] = index
    return tuple(
        Crossing(item.edge, position[producer], last[item.edge], item.size_bytes(item.channels, bits))
        for item in candidates(graph)
        if (producer := graph.producers[item.edge]) in position
    )


def best_partition(
    layers: int,
    stops: Mapping[int, Sequence[int]],
    maps: Sequence[Crossing],
    price: Price,
    limits: Limits,
    *,
    product: bool = False,
) -> Partition | None:
    """The partition of least cost; None where there is none.

    ``stops``: for each first layer, where its segments may end. Costs are added up and compared in order (the second
    breaks ties); with ``product`` the two sums are multiplied instead, and all pairs that no other undercuts in both
    are kept.
    """
    fronts: list[dict[Kept, list[_Label]]] = [{} for _ in range(layers + 1)]
    fronts[0][frozenset()] = [_Label((0.0, 0.0))]
    known = {item.edge: item for item in maps}
    complete = True
    for start in range(layers):
        front = fronts[start]
        if _count(front) > limits.states:
            front, complete = _cheapest(front, limits.states, product), False
        fronts[start] = {}
        for before, labels in front.items():
            for stop in stops.get(start, ()):
                born = [item.edge for item in maps if start <= item.first < stop <= item.last]
                for kept in _grown(before, born, known, limits):
                    ways = price(start, stop, kept)
                    if not ways:
                        continue
                    after = frozenset(edge for edge in kept if known[edge].last >= stop)
                    target = fronts[stop].setdefault(after, [])
                    for label in labels:
                        for choice in ways:
                            cost = (label.cost[0] + choice.cost[0], label.cost[1] + choice.cost[1])
                            _offer(target, cost, label, Part(start, stop, kept, choice), product)
    ends = fronts[layers].get(frozenset(), [])
    if not ends:
        return None
    best = min(ends, key=lambda label: _rank(label.cost, product))
    return Partition(best.cost, tuple(_parts(best)), complete)


def _grown(before: Kept, born: Sequence[str], known: Mapping[str, Crossing], limits: Limits) -> Iterator[Kept]:
    """What is on chip before the segment, with every subset of the maps that are born in it, where they fit."""
    for count in range(min(len(born), limits.maps - len(before)) + 1):
        for chosen in combinations(born, count):
            kept = before.union(chosen)
            used = sum(known[edge].size_bytes for edge in kept)
            if limits.capacity_bytes is None or used <= limits.capacity_bytes:
                yield kept


def _rank(cost: Cost, product: bool) -> tuple[float, float]:
    return (cost[0] * cost[1], cost[0]) if product else cost


def _offer(front: list[_Label], cost: Cost, before: _Label, part: Part, product: bool) -> None:
    """Adds a label unless one is as good, and drops those that it undercuts."""
    if not product:
        if not front or cost < front[0].cost:
            front[:] = [_Label(cost, before, part)]
        return
    if any(other.cost[0] <= cost[0] and other.cost[1] <= cost[1] for other in front):
        return
    front[:] = [other for other in front if other.cost[0] < cost[0] or other.cost[1] < cost[1]]
    front.append(_Label(cost, before, part))


def _count(front: Mapping[Kept, Sequence[_Label]]) -> int:
    return sum(len(labels) for labels in front.values())


def _cheapest(front: Mapping[Kept, list[_Label]], most: int, product: bool) -> dict[Kept, list[_Label]]:
    """The best labels. The cheapest without any kept map always stays: it can go on whatever follows."""
    ranked = sorted(
        (
            (_rank(label.cost, product), sorted(kept), index)
            for kept, labels in front.items()
            for index, label in enumerate(labels)
        )
    )
    chosen: dict[Kept, list[_Label]] = {}
    for _, names, index in ranked[:most]:
        kept = frozenset(names)
        chosen.setdefault(kept, []).append(front[kept][index])
    nothing: Kept = frozenset()
    if nothing in front and nothing not in chosen:
        chosen[nothing] = [min(front[nothing], key=lambda label: _rank(label.cost, product))]
    return chosen


def _parts(label: _Label) -> Iterable[Part]:
    found: list[Part] = []
    at: _Label | None = label
    while at is not None and at.part is not None:
        found.append(at.part)
        at = at.before
    return reversed(found)
