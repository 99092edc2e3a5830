"""The cost of a stack run depth-first: every distinct tile of a layer is mapped once and counted as often as it runs.

What the tiles touch is on chip (:mod:`energysim.schedule.homes`); what the stack loads and stores crosses DRAM once per
word of its plan and enters, or leaves from, the memory that is the tiles' home. Where kept columns or lines live apart
from the tiles, they are copied (:mod:`energysim.schedule.apart`). Of the places that a stack can live in, it takes the
one of least cost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace

from energysim.arch.spec import ArchSpec, Memory
from energysim.cost.energy import Operand
from energysim.cost.layers import problem_operands, stream_operands
from energysim.cost.results import LayerCost
from energysim.engines.protocol import MappedLayer
from energysim.engines.streaming import bandwidth_cycles
from energysim.errors import InfeasibleError
from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.problem import Role, TensorProblem
from energysim.mapping.counts import AccessCounts, Counts
from energysim.mapping.render import loop_nest_text
from energysim.mapping.search.objective import Metric
from energysim.schedule.apart import Copies
from energysim.schedule.homes import map_memory, whole_planes
from energysim.schedule.moments import need_bytes
from energysim.schedule.plan import LayerPlan, StackPlan, weight_words
from energysim.simulation.dominance import decides, saved_pj
from energysim.simulation.layers import cost_of
from energysim.simulation.places import Part, Place, parts_of, place_of, places_apart, together
from energysim.simulation.setting import Setting


@dataclass
class _Sum:
    """Counts added up over the tiles of one layer."""

    accesses: dict[tuple[str, str], AccessCounts] = field(default_factory=dict)
    macs: int = 0
    compute_cycles: float = 0.0
    level_cycles: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    compute_instances: float = 0.0

    def add(self, counts: Counts, repeats: int) -> None:
        for access in counts.accesses:
            self.move(access, repeats)
        self.macs += counts.macs * repeats
        self.compute_cycles += counts.compute_cycles * repeats
        self.compute_instances = max(self.compute_instances, counts.compute_instances)
        for level, cycles in counts.level_cycles:
            self.level_cycles[level] += cycles * repeats

    def move(self, access: AccessCounts, repeats: int = 1) -> None:
        key = (access.level, access.tensor)
        old = self.accesses.get(key, replace(access, reads=0, fills=0, updates=0))
        self.accesses[key] = replace(
            old,
            tile_words=max(old.tile_words, access.tile_words),
            instances=max(old.instances, access.instances),
            reads=old.reads + access.reads * repeats,
            fills=old.fills + access.fills * repeats,
            updates=old.updates + access.updates * repeats,
        )

    def counts(self) -> Counts:
        return Counts(
            accesses=tuple(self.accesses.values()),
            macs=self.macs,
            compute_instances=self.compute_instances,
            compute_cycles=self.compute_cycles,
            level_cycles=tuple(self.level_cycles.items()),
            cycles=max([self.compute_cycles, *self.level_cycles.values()]),
        )


@dataclass
class _Mapped:
    """The distinct tiles of a layer: how often each runs, its problem, what it is mapped onto, and how."""

    tiles: list[tuple[int, TensorProblem, ArchSpec, MappedLayer]] = field(default_factory=list)

    @property
    def optimal(self) -> bool:
        return all(found.optimal for *_, found in self.tiles)

    @property
    def gap(self) -> float:
        """Of the tile whose mapping is known least well."""
        return max((found.gap for *_, found in self.tiles), default=0.0)

    def text(self) -> str:
        return "\n".join(
            f"{repeats} x\n{loop_nest_text(problem, arch, found.mapping)}"
            for repeats, problem, arch, found in self.tiles
        )


@dataclass(frozen=True, slots=True)
class _Priced:
    """One layer of a stack in one place; its loop nests are drawn once the place is chosen."""

    cost: LayerCost
    mapped: _Mapped

    def drawn(self) -> LayerCost:
        return replace(self.cost, mapping=self.mapped.text())


def stack_costs(
    plan: StackPlan,
    graph: LayerGraph,
    setting: Setting,
    number: int,
    staying: Set[str] = frozenset(),
    reserved_bytes: int = 0,
) -> tuple[LayerCost, ...]:
    """The layers of a stack whose tiles fit on chip, or of a single layer whose tiles are mapped from DRAM.

    ``staying``, ``reserved_bytes``: see :func:`fits_on_chip`; no word of a staying map crosses DRAM.
    Raises InfeasibleError where a stack of several layers, or one beside what stays, does not fit.
    """
    place, layers = _best(plan, graph, setting, number, staying, reserved_bytes)
    if place is None:
        if len(plan.layers) == 1 and not reserved_bytes:
            return (_tiled_from_dram(plan, graph, setting, number),)
        raise InfeasibleError(
            f"the stack from {plan.stack.layers[0]!r} to {plan.stack.layers[-1]!r} needs "
            f"{need_bytes(plan, setting.bits):,} bytes on chip and does not fit in {setting.arch.name!r}"
            + (f" beside {reserved_bytes:,} bytes of retained feature maps" if reserved_bytes else ""),
            hint="choose smaller tiles, or keep less of the overlap",
        )
    return tuple(layer.drawn() for layer in layers)


def lives_in(
    plan: StackPlan, setting: Setting, staying: Set[str] = frozenset(), reserved_bytes: int = 0
) -> Place | None:
    """Where :func:`stack_costs` lets a stack live; None where it does not fit on chip."""
    return _best(plan, plan.graph, setting, 0, staying, reserved_bytes)[0]


def _best(
    plan: StackPlan, graph: LayerGraph, setting: Setting, number: int, staying: Set[str], reserved_bytes: int
) -> tuple[Place | None, tuple[_Priced, ...]]:
    """The cheapest place and the costs there; of equal ones that in which nothing is apart."""
    has_home = map_memory(setting.arch) is not None
    home = place_of(plan, setting.arch, setting.bits, staying, reserved_bytes) if has_home else None
    if home is None:
        return None, ()
    whole = together(plan, home)
    found: list[tuple[Place, tuple[_Priced, ...]]] = []
    dominated, deciding = False, decides(setting)
    # Retained maps are in the outermost homes, and DRAM bytes are the same in all places.
    if not reserved_bytes and setting.objective.metrics != (Metric.DRAM,):
        for place in places_apart(plan, setting.arch, setting.bits, home):
            parts = parts_of(plan, place)
            # A memory in which kept columns take room may have too little left for the mappings of larger tiles.
            with suppress(InfeasibleError):
                layers = _priced(place, parts, plan, graph, setting, number, staying)
                found.append((place, layers))
                if deciding and all(layer.mapped.optimal for layer in layers):
                    dominated = dominated or saved_pj(place, parts, home, staying, setting) > 0
    if not dominated:
        found.insert(0, (whole, _priced(whole, parts_of(plan, whole), plan, graph, setting, number, staying)))
    return min(found, key=lambda item: _value(item[1], setting))


@dataclass(frozen=True, slots=True)
class _Crossing:
    """The feature maps that a layer fetches from DRAM, those that it stores there, and all that it is the first of its
    stack to touch."""

    fetched: list[str]
    stored: list[str]
    new: list[str]


def _priced(
    place: Place,
    parts: Sequence[Part],
    plan: StackPlan,
    graph: LayerGraph,
    setting: Setting,
    number: int,
    staying: Set[str],
) -> tuple[_Priced, ...]:
    """The layers of a stack that lives in ``place``, ``parts`` of its tiles in each of its homes."""
    layers = []
    for index, layer_plan in enumerate(plan.weights):
        layer = graph.layer(layer_plan.layer)
        new = [edge.edge for edge in plan.edges if edge.first == index]
        crossing = _Crossing(
            fetched=[edge for edge in new if edge in plan.loads and edge not in staying],
            stored=[edge for edge in layer.outputs if edge in plan.stores and edge not in staying],
            new=new,
        )
        layers.append(_layer_in_stack(index, layer, plan, parts, place, crossing, graph, setting, number))
    return tuple(layers)


def _layer_in_stack(
    index: int,
    layer: Layer,
    plan: StackPlan,
    parts: Sequence[Part],
    place: Place,
    crossing: _Crossing,
    graph: LayerGraph,
    setting: Setting,
    number: int,
) -> _Priced:
    """One layer whose tiles find and leave everything on chip, with its share of what the stack loads and stores."""
    total, mapped = _Sum(), _Mapped()
    for part in parts:
        home, layer_plan = part.home, part.plan.layers[index]
        for tile in layer_plan.tiles:
            if tile.problem is None:
                reads = sum(words for _, words in tile.read_words) * tile.repeats
                _on_chip(total, home.maps, "ifmap", setting, reads=reads)
                _on_chip(total, home.maps, "ofmap", setting, updates=tile.write_words * tile.repeats)
        _map_tiles(total, mapped, layer, layer_plan, home.arch, setting)
        for edge in crossing.fetched:
            _from_dram(total, home.maps, "ifmap", part.plan.loads[edge], setting)
        for edge in crossing.new:
            if edge in part.copies:
                _copy(total, part.copies[edge], home.maps, place, setting)
        if place.weights is None and layer.problem is None:
            _stream_parameters(total, layer, layer_plan, graph, setting)
    weights = plan.weights[index].words * plan.weights[index].fetches
    if place.weights is not None and weights:
        _from_dram(total, place.weights, "weights", weights, setting)
    for edge in crossing.stored:
        _in_dram(total, "ofmap", setting, updates=plan.stores[edge])
    _dram_cycles(total, setting)
    cost = cost_of(layer, graph, total.counts(), _operands(layer, setting), setting, number)
    return _Priced(replace(cost, homes=place.names, optimal=mapped.optimal, gap=mapped.gap), mapped)


def _tiled_from_dram(plan: StackPlan, graph: LayerGraph, setting: Setting, number: int) -> LayerCost:
    """Each tile is a problem of its own between DRAM and DRAM: ifmap tile with halo, weights, ofmap tile."""
    layer_plan = plan.layers[0]
    layer = graph.layer(layer_plan.name)
    total = _Sum()
    for tile in layer_plan.tiles:
        if tile.problem is None:
            reads, writes = sum(words for _, words in tile.read_words) * tile.repeats, tile.write_words * tile.repeats
            _in_dram(total, "ifmap", setting, reads=reads)
            _in_dram(total, "ofmap", setting, updates=writes)
            # On their way they pass the outermost memory that holds their kind, as in a layer that streams.
            for role, moved in (("ifmap", {"reads": reads, "fills": reads}), ("ofmap", {"updates": writes})):
                local = next((m for m in setting.arch.memories[1:] if m.holds(role, role)), None)
                if local is not None:
                    _on_chip(total, local, role, setting, **moved)
    if layer.problem is None:
        _stream_parameters(total, layer, layer_plan, graph, setting)
    mapped = _Mapped()
    _map_tiles(total, mapped, layer, layer_plan, whole_planes(setting.arch), setting)
    _dram_cycles(total, setting)
    cost = cost_of(layer, graph, total.counts(), _operands(layer, setting), setting, number)
    return _Priced(replace(cost, optimal=mapped.optimal, gap=mapped.gap), mapped).drawn()


def _stream_parameters(total: _Sum, layer: Layer, plan: LayerPlan, graph: LayerGraph, setting: Setting) -> None:
    """Parameters of a layer without MACs that have no home on chip come with every tile, as other weights do."""
    words = sum(weight_words(graph, layer).values()) * sum(tile.repeats for tile in plan.tiles)
    if words:
        _in_dram(total, "weights", setting, reads=words)


def _map_tiles(
    total: _Sum, mapped: _Mapped, layer: Layer, layer_plan: LayerPlan, arch: ArchSpec, setting: Setting
) -> None:
    """Maps every distinct tile problem and adds its counts as often as it runs."""
    for tile in layer_plan.tiles:
        if tile.problem is None:
            continue
        problem = setting.words_of(tile.problem)
        found = setting.search(problem, arch, layer.name)
        total.add(found.counts, tile.repeats)
        mapped.tiles.append((tile.repeats, problem, arch, found))


def _operands(layer: Layer, setting: Setting) -> dict[str, Operand]:
    if layer.problem is None:
        return stream_operands(setting.bits)
    return problem_operands(setting.words_of(layer.problem))


def _on_chip(
    total: _Sum, memory: Memory, tensor: str, setting: Setting, *, reads: int = 0, fills: int = 0, updates: int = 0
) -> None:
    total.move(AccessCounts(memory.name, tensor, 0, 1.0, reads, fills, updates))
    width = memory.bits_of(setting.bits, Role(tensor) is Role.OFMAP)
    total.level_cycles[memory.name] += bandwidth_cycles(memory, reads * width, (fills + updates) * width)


def _in_dram(total: _Sum, tensor: str, setting: Setting, *, reads: int = 0, updates: int = 0) -> None:
    total.move(AccessCounts(setting.arch.memories[0].name, tensor, 0, 1.0, reads, 0, updates))


def _from_dram(total: _Sum, home: Memory, tensor: str, words: int, setting: Setting) -> None:
    _in_dram(total, tensor, setting, reads=words)
    _on_chip(total, home, tensor, setting, fills=words)


def _copy(total: _Sum, item: Copies, tiles: Memory, place: Place, setting: Setting) -> None:
    """What crosses between the tiles' memory and those of kept columns and lines: later tiles read it as ifmaps."""
    for store, into, out_of in (
        (place.columns, item.columns_in, item.columns_out),
        (place.lines, item.lines_in, item.lines_out),
    ):
        if store.name != tiles.name and (into or out_of):
            _on_chip(total, store, "ifmap", setting, reads=into, fills=out_of)
            _on_chip(total, tiles, "ifmap", setting, reads=out_of, fills=into)


def _dram_cycles(total: _Sum, setting: Setting) -> None:
    """Cycles of DRAM's port for all that crosses it."""
    dram = setting.arch.memories[0]
    here = [access for access in total.accesses.values() if access.level == dram.name]
    read = sum(access.reads * dram.bits_of(setting.bits) for access in here)
    written = sum((access.fills + access.updates) * dram.bits_of(setting.bits) for access in here)
    total.level_cycles[dram.name] = bandwidth_cycles(dram, read, written)


def _value(layers: Sequence[_Priced], setting: Setting) -> tuple[float, ...]:
    """What the simulation minimizes, of the layers of a stack together."""
    costs = [layer.cost for layer in layers]
    energy_pj, latency_s = sum(cost.energy.value for cost in costs), sum(cost.latency_s for cost in costs)
    values = {
        Metric.ENERGY: energy_pj,
        Metric.LATENCY: latency_s,
        Metric.EDP: energy_pj * latency_s,
        Metric.DRAM: sum(cost.dram_read_bytes + cost.dram_write_bytes for cost in costs),
    }
    return (*(values[metric] for metric in setting.objective.metrics), energy_pj)
