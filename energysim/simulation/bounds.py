"""What a layer or stack costs at least, without a mapping, and what it will cost about.

At least: what crosses DRAM (exact for stacks whose weights have a home) and every MAC; what every mapping moves on chip
(:mod:`energysim.mapping.least`, :mod:`energysim.simulation.stack_floors`); the time of the MACs or of the words at
DRAM's bandwidth, whichever is longer. About: the same, scaled by what the layer's own best mapping costs in relation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from energysim.cost.energy import leakage_of
from energysim.cost.layers import live_share, op_class, touched_words
from energysim.cost.results import LayerCost
from energysim.engines.registry import NativeEngine
from energysim.engines.streaming import bandwidth_cycles
from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.problem import TensorProblem
from energysim.mapping.least import Least
from energysim.mapping.search.objective import Metric
from energysim.schedule.homes import Homes, map_memory
from energysim.schedule.options import LayerWork, Option
from energysim.schedule.plan import StackFrame, StackPlan
from energysim.simulation.apart_energy import per_word_pj
from energysim.simulation.home_energy import least_home_pj
from energysim.simulation.layers import Shares, layer_alone
from energysim.simulation.places import inner_place, places_apart, together
from energysim.simulation.setting import Setting
from energysim.simulation.stack_floors import Placed, StackFloors, least_cost


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
class _There:
    """A stack in one place, with all that it loads and stores crossing DRAM: (bound, estimate) of each layer, and their
    sums."""

    placed: Placed
    layers: tuple[tuple[Amount, Amount], ...]
    total: tuple[Amount, Amount]


class Beside(Enum):
    """What is on chip beside a stack while it runs: retained maps keep it in the outermost homes."""

    NOTHING = "nothing"
    RETAINED = "retained"
    EITHER = "either"


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
        self._cheapest = None if place is None else least_home_pj(arch, energies, bits)
        self._floors = StackFloors(graph, setting)
        native = isinstance(setting.engine, NativeEngine)
        self._least = least_cost(setting, arch, map_memory(arch)) if native else None
        mac_pj, gates = energies.mac(bits).pj.value, arch.compute.gates_zeros
        self._mac_pj = {layer.name: mac_pj * live_share(layer, graph, gates) for layer in graph.layers}
        self._leak_w = sum(leakage.value for _, leakage in leakage_of(arch, energies))
        self._peak = arch.instances(len(arch.nodes) - 1) * arch.compute.throughput(bits)
        self._classes = {name: self._class_of(layer) for name, layer in self._layers.items()}
        self._relation = {name: self._relation_of(layer) for name, layer in self._layers.items() if name in alone}
        self._slow = {name: self._slowdown(name) for name in alone}
        self._there: dict[tuple[Option, Beside], tuple[_There, ...]] = {}
        self._quick: dict[Option, Amount] = {}
        self._frame: tuple[tuple[str, ...], StackFrame] | None = None

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
        least = self._least_alone(problem, shares, reads, writes)
        energy_pj = problem.macs * self._mac_pj[layer.name] + least.accesses_pj
        bound = self._amount(layer.name, least.cycles, reads, writes, energy_pj)
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

    def _least_alone(self, problem: TensorProblem, shares: Shares, reads: float, writes: float) -> Least:
        """Of another engine only that it moves every word across DRAM once."""
        if self._least is not None:
            return self._least.of(problem, shares)
        return Least(reads * self._dram_read + writes * self._dram_write, problem.macs / self._peak)

    def quick(self, option: Option, staying: frozenset[str]) -> Amount:
        """No more than the bound of :meth:`stacked`, from what is known without the stack's plan."""
        if option not in self._quick:
            self._quick[option] = sum((self._quickly(work) for work in option.work), Amount(0.0, 0.0, 0.0))
        found = self._quick[option]
        if staying:
            for work in option.work:
                if any(edge in staying for edge, _ in (*work.loads, *work.stores)):
                    found = found + self._quickly(work, staying) - self._quickly(work)
        return found

    def stacked(self, option: Option, staying: frozenset[str], beside: Beside) -> tuple[Amount, Amount]:
        """(bound, estimate) of a stack; no word of the feature maps ``staying`` crosses DRAM."""
        found = [self._with(there, option, staying) for there in self._places_of(option, beside)]
        # Latency and DRAM bytes are the same in all places.
        return min(found, key=lambda pair: pair[0].energy_pj)

    def _with(self, there: _There, option: Option, staying: frozenset[str]) -> tuple[Amount, Amount]:
        bound, estimate = there.total
        if staying:
            for index, work in enumerate(option.work):
                if any(edge in staying for edge, _ in (*work.loads, *work.stores)):
                    old_bound, old_estimate = there.layers[index]
                    new_bound, new_estimate = self._in_stack(work, index, there.placed, staying)
                    bound, estimate = bound + new_bound - old_bound, estimate + new_estimate - old_estimate
        return bound, estimate

    def _places_of(self, option: Option, beside: Beside) -> tuple[_There, ...]:
        if beside is Beside.EITHER:
            return self._places_of(option, Beside.NOTHING) + self._places_of(option, Beside.RETAINED)
        if (option, beside) not in self._there:
            self._there[option, beside] = tuple(self._find_places(option, beside))
        return self._there[option, beside]

    def _find_places(self, option: Option, beside: Beside) -> Iterator[_There]:
        """The places of which :func:`energysim.simulation.stacks.stack_costs` chooses one."""
        arch, bits = self._setting.arch, self._setting.bits
        plan = self._plan(option)
        assert self._place is not None
        home = self._place if beside is Beside.RETAINED else inner_place(option.ranges, arch) or self._place
        places = [together(plan, home)]
        if beside is Beside.NOTHING:
            places += places_apart(plan, arch, bits, home)
        for place in places:
            yield self._summed(option, self._floors.placed(plan, place))

    def _summed(self, option: Option, placed: Placed) -> _There:
        layers = tuple(self._in_stack(work, index, placed, frozenset()) for index, work in enumerate(option.work))
        nothing = Amount(0.0, 0.0, 0.0)
        total = sum((bound for bound, _ in layers), nothing), sum((estimate for _, estimate in layers), nothing)
        return _There(placed, layers, total)

    def _plan(self, option: Option) -> StackPlan:
        names = option.stack.layers
        if self._frame is None or self._frame[0] != names:
            self._frame = names, StackFrame(self._graph, names)
        return self._frame[1].plan(option.stack)

    def _in_stack(self, work: LayerWork, index: int, placed: Placed, staying: frozenset[str]) -> tuple[Amount, Amount]:
        inside = placed.layers[index]
        reads = sum(words for edge, words in work.loads if edge not in staying)
        writes = sum(words for edge, words in work.stores if edge not in staying)
        multiplies = self._layers[work.name].problem is not None
        fetches = inside.runs if multiplies else work.runs
        weights = work.weight_words * (work.weight_fetches if self._weights_at_home else fetches)
        on_chip = inside.macs * self._mac_pj[work.name] + inside.energy_pj
        moved = sum(placed.fills_pj[edge] for edge, _ in work.loads if edge not in staying)
        moved += reads * self._dram_read + writes * self._dram_write
        if self._weights_at_home:
            moved += weights * (placed.weight_fill_pj + self._dram_read)
        elif not multiplies:
            moved += weights * self._dram_read
        bound = self._amount(work.name, inside.cycles, reads + weights, writes, on_chip + moved)
        scaled = on_chip * self._relation[work.name] + moved
        cycles = inside.cycles * self._slow[work.name]
        return bound, self._amount(work.name, cycles, reads + weights, writes, scaled)

    def _quickly(self, work: LayerWork, staying: frozenset[str] = frozenset()) -> Amount:
        """Every MAC at the device's peak, every weight read from its home by every tile, every result written to its
        home once, in the cheapest homes that there are."""
        home, layer = self._cheapest, self._layers[work.name]
        assert home is not None
        reads = sum(words for edge, words in work.loads if edge not in staying)
        writes = sum(words for edge, words in work.stores if edge not in staying)
        macs, runs, results = work.macs, work.runs, work.out_words
        if layer.op == "conv_transpose2d":
            macs = runs = results = 0  # the plan tells which of them no ifmap pixel reaches
        weights = work.weight_words * (work.weight_fetches if self._weights_at_home else runs)
        energy_pj = macs * self._mac_pj[work.name] + results * home.map_update + reads * home.map_fill
        energy_pj += (reads + weights) * self._dram_read + writes * self._dram_write
        if self._weights_at_home:
            energy_pj += weights * home.weight_fill
            if layer.problem is not None:
                energy_pj += work.weight_words * runs * home.weight_read
        return self._amount(work.name, macs / self._peak, reads + weights, writes, energy_pj)

    @property
    def _weights_at_home(self) -> bool:
        return self._place is not None and self._place.weights is not None

    def _amount(self, name: str, cycles: float, reads: float, writes: float, energy_pj: float) -> Amount:
        """``cycles``: of the compute units; ``reads``, ``writes``: words that cross DRAM; ``energy_pj``: all but
        leakage."""
        limits = self._classes[name]
        moving = bandwidth_cycles(self._dram, reads * self._read_bits, writes * self._write_bits) / limits.bandwidth
        latency_s = max(cycles / limits.compute, moving) / self._setting.arch.clock_hz + limits.overhead_s
        return Amount(
            energy_pj + self._leak_w * latency_s * 1e12,
            latency_s,
            (reads * self._read_bits + writes * self._write_bits) / 8,
        )

    def _class_of(self, layer: Layer) -> _Class:
        found = next((e for e in self._setting.arch.efficiency if e.op_class == op_class(layer)), None)
        if found is None:
            return _Class(1.0, 1.0, 0.0)
        return _Class(found.compute.value, found.bandwidth.value, found.launch_overhead_s.value)

    def _relation_of(self, layer: Layer) -> float:
        """Energy of the layer alone over its bound, without leakage."""
        if layer.problem is None:
            return 1.0
        cost = self._alone[layer.name]
        least_pj = self._whole(layer).accesses_pj + layer.macs * self._mac_pj[layer.name]
        leakage_pj = sum(share.energy.value for share in cost.shares if share.part == "leakage")
        return max(1.0, (cost.energy.value - leakage_pj) / least_pj) if least_pj else 1.0

    def _slowdown(self, name: str) -> float:
        """Cycles of the layer alone over its least, where DRAM did not limit it."""
        cost, layer = self._alone[name], self._layers[name]
        if layer.problem is None or cost.bottleneck in (self._dram.name, "launch"):
            return 1.0
        limits = self._classes[name]
        ideal_s = self._whole(layer).cycles / limits.compute / self._setting.arch.clock_hz
        return max(1.0, (cost.latency_s - limits.overhead_s) / ideal_s)

    def _whole(self, layer: Layer) -> Least:
        """The layer alone, all of whose words cross DRAM."""
        assert layer.problem is not None
        problem = self._setting.words_of(layer.problem)
        words = {tensor.is_output: 0 for tensor in problem.tensors}
        for tensor in problem.tensors:
            words[tensor.is_output] += touched_words(problem, tensor.name)
        return self._least_alone(problem, {}, words[False], words[True])


def _all_cross(shares: Shares) -> bool:
    return all(share == 1.0 for share in shares.values())
