"""The cost of a stack run depth-first: every distinct tile of a layer is mapped once and counted as often as it runs.

What the tiles touch is on chip (:mod:`energysim.schedule.homes`); what the stack loads and stores crosses DRAM once per
word of its plan and enters, or leaves from, the memory that is its home.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, field, replace

from energysim.arch.spec import ArchSpec, Memory
from energysim.cost.energy import Operand
from energysim.cost.layers import problem_operands, stream_operands
from energysim.cost.results import LayerCost
from energysim.engines.streaming import bandwidth_cycles
from energysim.errors import InfeasibleError
from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.problem import Role
from energysim.mapping.counts import AccessCounts, Counts
from energysim.mapping.render import loop_nest_text
from energysim.schedule.homes import Homes, capacity_bytes, homes, homes_inwards, map_memory, whole_planes
from energysim.schedule.live import Content, LiveRange, peak_bytes
from energysim.schedule.moments import moments, need_bytes
from energysim.schedule.plan import LayerPlan, StackPlan, weight_words
from energysim.simulation.layers import cost_of
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


def fits_on_chip(
    ranges: tuple[LiveRange, ...], place: Homes, staying: Set[str] = frozenset(), reserved_bytes: int = 0
) -> bool:
    """Whether everything that a stack's tiles need at once (``ranges``) has room in its homes.

    ``staying``: feature maps that are on chip whole anyway; with others they take ``reserved_bytes`` all the time.
    """
    weights = [r for r in ranges if r.content is Content.WEIGHTS]
    maps = [r for r in ranges if r.content is not Content.WEIGHTS and r.name not in staying]
    if place.shared:
        maps, weights = maps + weights, []
    for memory, here, taken in ((place.maps, maps, reserved_bytes), (place.weights, weights, 0)):
        room = None if memory is None else capacity_bytes(memory)
        if room is not None and peak_bytes(here) + taken > room:
            return False
    return True


def stack_fits(
    plan: StackPlan, bits: int, place: Homes, staying: Set[str] = frozenset(), reserved_bytes: int = 0
) -> bool:
    """Whether every tile of a stack has room, with words of ``bits``; see :func:`fits_on_chip`."""
    if fits_on_chip(plan.live_ranges(bits), place, staying, reserved_bytes):
        return True  # the bound of all tiles at once
    return all(fits_on_chip(ranges, place, staying, reserved_bytes) for ranges in moments(plan, bits))


def place_of(
    plan: StackPlan, arch: ArchSpec, bits: int, staying: Set[str] = frozenset(), reserved_bytes: int = 0
) -> Homes | None:
    """Where a stack lives on chip: the innermost homes with room for all of it; beside retained feature maps, which are
    in the outermost ones, those. None where it does not fit."""
    if not reserved_bytes:
        inner = inner_place(plan.live_ranges(bits), arch)
        if inner is not None:
            return inner
    outermost = homes(arch)
    return outermost if stack_fits(plan, bits, outermost, staying, reserved_bytes) else None


def inner_place(ranges: tuple[LiveRange, ...], arch: ArchSpec) -> Homes | None:
    """The innermost homes with room for ``ranges``; None where only the outermost could have it."""
    *inner, _ = homes_inwards(arch)
    return next((place for place in inner if fits_on_chip(ranges, place)), None)


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
    has_home = map_memory(setting.arch) is not None
    place = place_of(plan, setting.arch, setting.bits, staying, reserved_bytes) if has_home else None
    if place is None:
        if len(plan.layers) == 1 and not reserved_bytes:
            return (_tiled_from_dram(plan, graph, setting, number),)
        raise InfeasibleError(
            f"the stack from {plan.stack.layers[0]!r} to {plan.stack.layers[-1]!r} needs "
            f"{need_bytes(plan, setting.bits):,} bytes on chip and does not fit in {setting.arch.name!r}"
            + (f" beside {reserved_bytes:,} bytes of retained feature maps" if reserved_bytes else ""),
            hint="choose smaller tiles, or keep less of the overlap",
        )
    loaded: set[str] = set()
    costs = []
    for layer_plan in plan.layers:
        layer = graph.layer(layer_plan.name)
        first_read = [edge for edge in layer.inputs if edge in plan.loads and edge not in loaded]
        loaded.update(first_read)
        fetched = [edge for edge in first_read if edge not in staying]
        stored = [edge for edge in layer.outputs if edge in plan.stores and edge not in staying]
        costs.append(_layer_in_stack(layer, layer_plan, plan, (fetched, stored), graph, setting, place, number))
    return tuple(costs)


def _layer_in_stack(
    layer: Layer,
    layer_plan: LayerPlan,
    plan: StackPlan,
    crossing: tuple[list[str], list[str]],
    graph: LayerGraph,
    setting: Setting,
    place: Homes,
    number: int,
) -> LayerCost:
    """One layer whose tiles find and leave everything on chip, with its share of what the stack loads and stores:
    ``crossing`` names the feature maps that it fetches from DRAM and those that it stores there."""
    fetched, stored = crossing
    total = _Sum()
    for tile in layer_plan.tiles:
        if tile.problem is None:
            reads = sum(words for _, words in tile.read_words) * tile.repeats
            _on_chip(total, place.maps, "ifmap", setting, reads=reads)
            _on_chip(total, place.maps, "ofmap", setting, updates=tile.write_words * tile.repeats)
    proof = _map_tiles(total, layer, layer_plan, place.arch, setting)
    for edge in fetched:
        _from_dram(total, place.maps, "ifmap", plan.loads[edge], setting)
    weights = layer_plan.weights.words * layer_plan.weights.fetches
    if place.weights is not None and weights:
        _from_dram(total, place.weights, "weights", weights, setting)
    elif place.weights is None and layer.problem is None:
        _stream_parameters(total, layer, layer_plan, graph, setting)
    for edge in stored:
        _in_dram(total, "ofmap", setting, updates=plan.stores[edge])
    _dram_cycles(total, setting)
    return proof.of(cost_of(layer, graph, total.counts(), _operands(layer, setting), setting, number))


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
    proof = _map_tiles(total, layer, layer_plan, whole_planes(setting.arch), setting)
    _dram_cycles(total, setting)
    return proof.of(cost_of(layer, graph, total.counts(), _operands(layer, setting), setting, number))


def _stream_parameters(total: _Sum, layer: Layer, plan: LayerPlan, graph: LayerGraph, setting: Setting) -> None:
    """Parameters of a layer without MACs that have no home on chip come with every tile, as other weights do."""
    words = sum(weight_words(graph, layer).values()) * sum(tile.repeats for tile in plan.tiles)
    if words:
        _in_dram(total, "weights", setting, reads=words)


@dataclass(frozen=True, slots=True)
class _Proof:
    """The mappings of a layer's tiles, drawn, and how good the worst of them is known to be."""

    text: str
    optimal: bool
    gap: float

    def of(self, cost: LayerCost) -> LayerCost:
        return replace(cost, mapping=self.text, optimal=self.optimal, gap=self.gap)


def _map_tiles(total: _Sum, layer: Layer, layer_plan: LayerPlan, arch: ArchSpec, setting: Setting) -> _Proof:
    """Maps every distinct tile problem and adds its counts as often as it runs."""
    texts: list[str] = []
    optimal, gap = True, 0.0
    for tile in layer_plan.tiles:
        if tile.problem is None:
            continue
        problem = setting.words_of(tile.problem)
        mapped = setting.search(problem, arch, layer.name)
        total.add(mapped.counts, tile.repeats)
        optimal, gap = optimal and mapped.optimal, max(gap, mapped.gap)
        texts.append(f"{tile.repeats} x\n{loop_nest_text(problem, arch, mapped.mapping)}")
    return _Proof("\n".join(texts), optimal, gap)


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


def _dram_cycles(total: _Sum, setting: Setting) -> None:
    """Cycles of DRAM's port for all that crosses it."""
    dram = setting.arch.memories[0]
    here = [access for access in total.accesses.values() if access.level == dram.name]
    read = sum(access.reads * dram.bits_of(setting.bits) for access in here)
    written = sum((access.fills + access.updates) * dram.bits_of(setting.bits) for access in here)
    total.level_cycles[dram.name] = bandwidth_cycles(dram, read, written)
