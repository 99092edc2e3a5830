"""What a layer or stack costs at least, without a mapping, and what it will cost about.

At least: what crosses DRAM (exact for stacks whose weights have a home), every MAC, every weight read from its home by
every tile, every result written to its home once; the time of the MACs at the device's peak or of the words at DRAM's
bandwidth, whichever is longer. About: the on-chip energy scaled by what the layer's own best mapping costs in relation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from energysim.cost.energy import leakage_of
from energysim.cost.layers import op_class, touched_words
from energysim.cost.results import LayerCost
from energysim.energy import ActionEnergies
from energysim.engines.streaming import bandwidth_cycles
from energysim.graph.layers import Layer, LayerGraph
from energysim.mapping.search.objective import Metric
from energysim.schedule.homes import Homes, homes, homes_inwards
from energysim.schedule.options import LayerWork, Option
from energysim.schedule.plan import StackFrame
from energysim.simulation.apart_energy import apart_pj, per_word_pj
from energysim.simulation.layers import Shares, layer_alone
from energysim.simulation.places import inner_place, places_apart
from energysim.simulation.setting import Setting


@dataclass(frozen=True, slots=True)
class Amount:
    """What is added up over layers."""

    energy_pj: float
    latency_s: float
    dram_bytes: float

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.energy_pj + other.energy_pj, self.latency_s + other.latency_s, self.dram_bytes + other.dram_bytes
        )

    def __sub__(self, other: Amount) -> Amount:
        return Amount(
            self.energy_pj - other.energy_pj, self.latency_s - other.latency_s, self.dram_bytes - other.dram_bytes
        )


@dataclass(frozen=True, slots=True)
class _Class:
    """What bounds the time of a layer of one operator class."""

    compute: float
    bandwidth: float
    overhead_s: float


@dataclass(frozen=True, slots=True)
class _Home:
    """pJ per word that enters the home of the feature maps or is written there as a result, and of the weights."""

    map_fill: float
    map_update: float
    weight_fill: float
    weight_read: float

    def at_most(self, other: _Home) -> _Home:
        return _Home(
            min(self.map_fill, other.map_fill),
            min(self.map_update, other.map_update),
            min(self.weight_fill, other.weight_fill),
            min(self.weight_read, other.weight_read),
        )


@dataclass(frozen=True, slots=True)
class _Stacked:
    """A stack in one of its homes: ``apart_pj`` of each layer beside what the home says; (bound, estimate) of each
    layer, and their sums."""

    home: _Home
    apart_pj: Mapping[str, float]
    layers: tuple[tuple[Amount, Amount], ...]
    total: tuple[Amount, Amount]


def _home(place: Homes, energies: ActionEnergies, bits: int) -> _Home:
    maps = energies.memory(place.maps.name)
    of_maps = (
        per_word_pj(maps.write, place.maps.bits_of(bits)),
        per_word_pj(maps.update, place.maps.bits_of(bits, True)),
    )
    if place.weights is None:
        return _Home(*of_maps, 0.0, 0.0)
    weights, width = energies.memory(place.weights.name), place.weights.bits_of(bits)
    return _Home(*of_maps, per_word_pj(weights.write, width), per_word_pj(weights.read, width))


class Bounds:
    """``alone``: the cost of each layer on its own, as the variant `layerwise` found it."""

    def __init__(self, graph: LayerGraph, setting: Setting, place: Homes | None, alone: dict[str, LayerCost]) -> None:
        self._graph, self._setting, self._place, self._alone = graph, setting, place, alone
        arch, energies, bits = setting.arch, setting.energies, setting.bits
        self._layers = {layer.name: layer for layer in graph.layers}
        self._dram = arch.memories[0]
        dram = energies.memory(self._dram.name)
        self._read_bits, self._write_bits = self._dram.bits_of(bits), self._dram.bits_of(bits, True)
        self._dram_read = per_word_pj(dram.read, self._read_bits)
        self._dram_write = per_word_pj(dram.update, self._write_bits)
        self._outer = _Home(0.0, 0.0, 0.0, 0.0) if place is None else _home(place, energies, bits)
        self._mac_pj = energies.mac(bits).pj.value
        self._leak_w = sum(leakage.value for _, leakage in leakage_of(arch, energies))
        self._peak = arch.instances(len(arch.nodes) - 1) * arch.compute.throughput(bits)
        self._classes = {name: self._class_of(layer) for name, layer in self._layers.items()}
        self._relation = {name: self._relation_of(layer) for name, layer in self._layers.items() if name in alone}
        self._slow = {name: self._slowdown(name) for name in alone}
        self._stacked: dict[Option, _Stacked] = {}
        self._frames: dict[tuple[str, ...], StackFrame] = {}

    def alone(self, layer: Layer, shares: Shares) -> tuple[Amount, Amount]:
        """(bound, estimate) of a layer mapped on its own, of whose words only ``shares`` cross DRAM."""
        known = self._alone[layer.name]
        whole = Amount(known.energy.value, known.latency_s, known.dram_read_bytes + known.dram_write_bytes)
        if not shares or (layer.problem is None and _all_cross(shares)):
            return whole, whole
        if layer.problem is None:
            cost = layer_alone(layer, self._graph, self._setting, self._setting.arch, shares)
            exact = Amount(cost.energy.value, cost.latency_s, cost.dram_read_bytes + cost.dram_write_bytes)
            return exact, exact
        problem = self._setting.words_of(layer.problem)
        reads = writes = stay_reads = stay_writes = 0.0
        for tensor in problem.tensors:
            words, share = touched_words(problem, tensor.name), shares.get(tensor.role, 1.0)
            crossing = words if share == 1.0 else max(0.0, words * share - 0.5)  # counts are rounded to words
            if tensor.is_output:
                writes, stay_writes = writes + crossing, stay_writes + words - crossing
            else:
                reads, stay_reads = reads + crossing, stay_reads + words - crossing
        macs_pj = problem.macs * self._mac_pj
        bound = self._amount(layer.name, problem.macs, reads, writes, macs_pj, 1.0)
        if _all_cross(shares):
            bound = self._with_less_room(known, whole, bound)
        saved = stay_reads * self._dram_read + stay_writes * self._dram_write
        saved_bytes = (stay_reads * self._read_bits + stay_writes * self._write_bits) / 8
        estimate = Amount(
            max(bound.energy_pj, whole.energy_pj - saved),
            max(bound.latency_s, whole.latency_s if known.bottleneck != self._dram.name else bound.latency_s),
            max(bound.dram_bytes, whole.dram_bytes - saved_bytes),
        )
        return bound, estimate

    def _with_less_room(self, known: LayerCost, whole: Amount, bound: Amount) -> Amount:
        """Beside maps that it does not touch, a layer has less room: what the best mapping minimizes cannot get less,
        where the mapper minimizes this very cost."""
        metric = self._setting.objective.primary
        if not known.optimal or (metric is not Metric.DRAM and self._setting.arch.efficiency):
            return bound
        if metric is Metric.ENERGY:
            return replace(bound, energy_pj=whole.energy_pj)
        if metric is Metric.LATENCY:
            return replace(bound, latency_s=whole.latency_s)
        return replace(bound, dram_bytes=whole.dram_bytes) if metric is Metric.DRAM else bound

    def stacked(self, option: Option, staying: frozenset[str]) -> tuple[Amount, Amount]:
        """(bound, estimate) of a stack; no word of the feature maps ``staying`` crosses DRAM."""
        if option not in self._stacked:
            self._stacked[option] = min(
                (self._all_layers(option, home, copied) for home, copied in self._homes_of(option)),
                key=lambda found: found.total[0].energy_pj,
            )
        known = self._stacked[option]
        bound, estimate = known.total
        if staying:
            for work, (old_bound, old_estimate) in zip(option.work, known.layers, strict=True):
                if any(edge in staying for edge, _ in (*work.loads, *work.stores)):
                    new_bound, new_estimate = self._in_stack(work, staying, known.home, known.apart_pj)
                    bound, estimate = bound + new_bound - old_bound, estimate + new_estimate - old_estimate
        return bound, estimate

    def _all_layers(self, option: Option, home: _Home, apart: Mapping[str, float]) -> _Stacked:
        layers = tuple(self._in_stack(work, frozenset(), home, apart) for work in option.work)
        nothing = Amount(0.0, 0.0, 0.0)
        return _Stacked(
            home, apart, layers, (sum((b for b, _ in layers), nothing), sum((e for _, e in layers), nothing))
        )

    def _homes_of(self, option: Option) -> Iterator[tuple[_Home, Mapping[str, float]]]:
        """The homes in which a stack may live, and pJ of each layer beside what they say: the innermost with room for
        all or the outermost, as beside retained maps, whichever is cheaper; and tiles apart from what they keep."""
        arch, energies, bits = self._setting.arch, self._setting.energies, self._setting.bits
        inner = inner_place(option.ranges, arch)
        yield self._outer if inner is None else _home(inner, energies, bits).at_most(self._outer), {}
        together = inner or homes(arch)
        if together.maps.name != homes_inwards(arch)[0].maps.name:
            names = option.stack.layers
            if names not in self._frames:
                self._frames[names] = StackFrame(self._graph, names)
            plan = self._frames[names].plan(option.stack)
            for place in places_apart(plan, arch, bits, together):
                home = _home(place.tiles[0][0], energies, bits).at_most(self._outer)
                yield home, apart_pj(place, plan, energies, bits, home.map_update)

    def _in_stack(
        self, work: LayerWork, staying: frozenset[str], home: _Home, apart_pj: Mapping[str, float]
    ) -> tuple[Amount, Amount]:
        reads = sum(words for edge, words in work.loads if edge not in staying)
        writes = sum(words for edge, words in work.stores if edge not in staying)
        weights = work.weight_words * (work.weight_fetches if self._weights_at_home else work.runs)
        on_chip = work.macs * self._mac_pj + work.out_words * home.map_update
        moved = reads * home.map_fill + apart_pj.get(work.name, 0.0)
        if self._weights_at_home:
            moved += weights * home.weight_fill
            on_chip += self._weight_reads(work, home)
        bound = self._amount(work.name, work.macs, reads + weights, writes, on_chip + moved, 1.0)
        scaled = on_chip * self._relation[work.name] + moved
        return bound, self._amount(work.name, work.macs, reads + weights, writes, scaled, self._slow[work.name])

    @property
    def _weights_at_home(self) -> bool:
        return self._place is not None and self._place.weights is not None

    def _weight_reads(self, work: LayerWork, home: _Home) -> float:
        if self._layers[work.name].problem is None:
            return 0.0
        return work.weight_words * work.runs * home.weight_read

    def _amount(
        self, name: str, macs: float, reads: float, writes: float, on_chip_pj: float, slowdown: float
    ) -> Amount:
        limits = self._classes[name]
        compute = macs / self._peak * slowdown / limits.compute
        moving = bandwidth_cycles(self._dram, reads * self._read_bits, writes * self._write_bits) / limits.bandwidth
        latency_s = max(compute, moving) / self._setting.arch.clock_hz + limits.overhead_s
        crossing_pj = reads * self._dram_read + writes * self._dram_write
        return Amount(
            on_chip_pj + crossing_pj + self._leak_w * latency_s * 1e12,
            latency_s,
            (reads * self._read_bits + writes * self._write_bits) / 8,
        )

    def _class_of(self, layer: Layer) -> _Class:
        found = next((e for e in self._setting.arch.efficiency if e.op_class == op_class(layer)), None)
        if found is None:
            return _Class(1.0, 1.0, 0.0)
        return _Class(found.compute.value, found.bandwidth.value, found.launch_overhead_s.value)

    def _relation_of(self, layer: Layer) -> float:
        """On-chip energy of the layer alone over its bound here."""
        cost = self._alone[layer.name]
        outside = sum(s.energy.value for s in cost.shares if s.level == self._dram.name or s.part == "leakage")
        out_words = sum(self._graph.edges[edge].words for edge in layer.outputs)
        weights = 0
        if layer.problem is not None:
            weights = sum(
                self._graph.edges[edge].words
                for tensor, edge in layer.operands
                if layer.problem.tensor(tensor).is_parameter
            )
        least = layer.macs * self._mac_pj + out_words * self._outer.map_update + weights * self._outer.weight_read
        return max(1.0, (cost.energy.value - outside) / least) if least else 1.0

    def _slowdown(self, name: str) -> float:
        """Cycles of the layer alone over those at peak, where DRAM did not limit it."""
        cost, layer = self._alone[name], self._layers[name]
        if not layer.macs or cost.bottleneck in (self._dram.name, "launch"):
            return 1.0
        limits = self._classes[name]
        ideal_s = layer.macs / self._peak / limits.compute / self._setting.arch.clock_hz
        return max(1.0, (cost.latency_s - limits.overhead_s) / ideal_s)


def _all_cross(shares: Shares) -> bool:
    return all(share == 1.0 for share in shares.values())
