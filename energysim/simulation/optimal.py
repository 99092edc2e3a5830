"""The variant `optimal`: the partition into stacks that costs least, and its proof or what a better one could save.

Every way to run a segment of the network has a lower bound that needs no mapping (:mod:`energysim.simulation.bounds`).
The best partition by bounds is found (:mod:`energysim.schedule.optimal`), the ways on it are mapped and then cost what
they cost, and so again until the best partition is mapped throughout: then none is better. First the same is done with
estimates in place of bounds, which finds a good schedule soon; the schedules of the other variants are known anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from energysim.cost.results import LayerCost
from energysim.graph.layers import LayerGraph
from energysim.mapping.search.objective import Metric
from energysim.schedule.optimal import Cost, Partition
from energysim.schedule.values import Schedule
from energysim.simulation.bounds import Amount
from energysim.simulation.schedules import schedule_costs
from energysim.simulation.setting import Progress, Setting
from energysim.simulation.ways import Prices, View, Way, Ways, amount_of, schedule_of

_SEARCHES = 300
"""Distinct problems mapped beyond those of the other variants; then the gap is stated."""
_GUESSES = 12
"""Partitions mapped by estimates, before the proof is attempted."""
_SLOPES = (1.0, 3.0, 1 / 3)
"""Weights of latency against energy, over their ratio in the best schedule, for which EDP is bounded."""
_CLOSED = 1e-9


@dataclass(frozen=True)
class Known:
    """A schedule whose cost is known."""

    schedule: Schedule
    layers: tuple[LayerCost, ...]


@dataclass(frozen=True)
class Best:
    """``gap``: how much better (relative) a schedule among the candidates could be at most."""

    schedule: Schedule
    layers: tuple[LayerCost, ...]
    optimal: bool
    gap: float


@dataclass(frozen=True, slots=True)
class Line:
    """Every schedule has ``energy * per_pj + latency * per_s >= bound``."""

    per_pj: float
    per_s: float
    bound: float


def best_schedule(
    graph: LayerGraph, setting: Setting, others: Sequence[Known], progress: Progress | None = None
) -> Best:
    """The best of the partitions into stacks and of the schedules ``others``, of which one is layer by layer."""
    search = _Search(graph, setting, others, progress)
    search.guess()
    bound = search.prove()
    value = search.known
    gap = max(0.0, (value - bound) / value) if value else 0.0
    closed = gap <= _CLOSED
    schedule = replace(search.best.schedule, variant="optimal")
    return Best(schedule, search.best.layers, closed, 0.0 if closed else gap)


class _Search:
    """The best schedule so far, and what was spent."""

    def __init__(self, graph: LayerGraph, setting: Setting, others: Sequence[Known], progress: Progress | None) -> None:
        self._graph, self._setting, self._progress = graph, setting, progress
        alone = next(item for item in others if item.schedule.variant == "layerwise").layers
        self._ways = Ways(graph, setting, alone)
        self._searched_before = len(setting.mapped)
        self._metric = setting.objective.primary
        self._tie = setting.objective.secondary or (Metric.DRAM if self._metric is Metric.ENERGY else Metric.ENERGY)
        self.best = min(others, key=lambda item: _value(self._metric, amount_of(item.layers)))

    @property
    def known(self) -> float:
        """The objective of the best schedule so far."""
        return _value(self._metric, amount_of(self.best.layers))

    def guess(self) -> None:
        """Good schedules: the best partition by estimates, mapped, and again."""
        product = self._metric is Metric.EDP
        cost = self._both if product else self._in_order
        prices = Prices(self._ways, lambda view: cost(view, view.mapped or view.estimate), product=product)
        for _ in range(_GUESSES):
            partition = self._ways.partition(prices)
            if partition is None or not self._refine(partition):
                return

    def prove(self) -> float:
        """The bound: no schedule among the candidates costs less."""
        if self._metric is Metric.EDP:
            bound = self._prove_product()
        else:
            bound = self._prove_sum(lambda amount: _value(self._metric, amount), lambda bound: bound >= self._enough)
        return min(bound, self.known)

    @property
    def _enough(self) -> float:
        return self.known * (1 - _CLOSED)

    def _prove_sum(self, measure: Callable[[Amount], float], enough: Callable[[float], bool]) -> float:
        """A lower bound of a sum over layers: exact, or ``enough``, or all that the effort allowed."""

        def cost(view: View) -> Cost:
            return measure(view.mapped or view.bound), _value(self._tie, view.estimate)

        prices = Prices(self._ways, cost)
        while True:
            partition = self._ways.partition(prices)
            if partition is None:
                return float("inf")
            if not partition.complete:
                return self._ways.relaxed(measure)
            if enough(partition.cost[0]) or not self._refine(partition):
                return partition.cost[0]

    def _prove_product(self) -> float:
        """By pairs of energy and latency, as long as those are few; then by weighted sums of the two."""
        prices = Prices(self._ways, lambda view: self._both(view, view.mapped or view.bound), product=True)
        while True:
            partition = self._ways.partition(prices)
            if partition is None:
                return float("inf")
            if not partition.complete:
                return self._prove_by_lines()
            bound = partition.cost[0] * partition.cost[1]
            if bound >= self._enough or not self._refine(partition):
                return bound

    def _prove_by_lines(self) -> float:
        best = amount_of(self.best.layers)
        ratio = best.energy_pj / best.latency_s
        weights = [*((1.0, ratio * slope) for slope in _SLOPES), (1.0, 0.0), (0.0, 1.0)]
        lines = []
        for per_pj, per_s in weights:

            def measure(amount: Amount, per_pj: float = per_pj, per_s: float = per_s) -> float:
                return per_pj * amount.energy_pj + per_s * amount.latency_s

            lines.append(Line(per_pj, per_s, self._prove_sum(measure, lambda _: False)))
        return least_product(lines)

    def _both(self, _: View, amount: Amount) -> Cost:
        return amount.energy_pj, amount.latency_s

    def _in_order(self, view: View, amount: Amount) -> Cost:
        """The objective, and what breaks ties (by estimates, which mapping does not change)."""
        return _value(self._metric, amount), _value(self._tie, view.estimate)

    def _refine(self, partition: Partition) -> bool:
        """Maps what is not mapped on a partition, and takes it if it is the best; whether anything was left to map."""
        if len(self._setting.mapped) - self._searched_before >= _SEARCHES:
            return False
        ways = [_way(part.choice.way) for part in partition.parts]
        left = [way for way in ways if way.mapped is None]
        for number, way in enumerate(left):
            if self._progress is not None:
                self._progress(number, len(left), way.stack.layers[0])
            self._ways.run(way)
        amounts = [way.mapped for way in ways if way.mapped is not None]
        if len(amounts) == len(ways):
            self._consider(partition, ways, amounts)
        return bool(left)

    def _consider(self, partition: Partition, ways: Sequence[Way], amounts: Sequence[Amount]) -> None:
        total = sum(amounts, Amount(0.0, 0.0, 0.0))
        if _value(self._metric, total) < self._enough:
            schedule = schedule_of(tuple(way.stack for way in ways), partition.kept)
            self.best = Known(schedule, schedule_costs(self._graph, schedule, self._setting))


def least_product(lines: Sequence[Line]) -> float:
    """The least energy * latency on the right side of all lines: the product is concave along a line, so a corner."""
    corners = []
    for a, b in combinations(lines, 2):
        det = a.per_pj * b.per_s - b.per_pj * a.per_s
        if det == 0:
            continue
        energy = (a.bound * b.per_s - b.bound * a.per_s) / det
        latency = (a.per_pj * b.bound - b.per_pj * a.bound) / det
        if all(line.per_pj * energy + line.per_s * latency >= line.bound * (1 - _CLOSED) for line in lines):
            corners.append(energy * latency)
    return min(corners, default=0.0)


def _way(way: object) -> Way:
    assert isinstance(way, Way)
    return way


def _value(metric: Metric, amount: Amount) -> float:
    if metric is Metric.ENERGY:
        return amount.energy_pj
    if metric is Metric.LATENCY:
        return amount.latency_s
    return amount.dram_bytes if metric is Metric.DRAM else amount.energy_pj * amount.latency_s
