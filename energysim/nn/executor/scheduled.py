"""The words and MACs that the schedule layer and the mapper promise for each stack: what execution is compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from energysim.cost.layers import read_words, streams_of
from energysim.engines.native import evaluate
from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.problem import Role
from energysim.mapping.counts import Convention
from energysim.nn.executor.mapped_layer import LayerMapping
from energysim.nn.executor.mapped_tiles import TileMappings
from energysim.schedule.live import Content, peak_bytes
from energysim.schedule.plan import LayerPlan, plan_stack, weight_words
from energysim.schedule.spatial import axis_maps
from energysim.schedule.tile_problems import TileClass
from energysim.schedule.values import Schedule, Stack

How = LayerMapping | TileMappings
"""What a mapping says about a layer: its whole problem, or each of its tiles."""

_BITS = 8
"""A byte per word, so that bytes on chip are words."""


@dataclass(frozen=True)
class Promise:
    """Words per feature map (``loaded``, ``stored``), words of weights and MACs per layer; zeros are left out.

    ``room_words``: what the stack's feature maps may take on chip at once, of one image; None where nothing is said.
    """

    loaded: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    weights: Counter[str] = field(default_factory=Counter)
    macs: Counter[str] = field(default_factory=Counter)
    room_words: int | None = None


@dataclass(frozen=True, slots=True)
class Costed:
    """DRAM words and MACs that one layer was costed with: of its ``weights``, ``loaded`` and ``stored`` of feature maps
    (refilled partial sums included)."""

    weights: int
    loaded: int
    stored: int
    macs: int


def promise(graph: LayerGraph, schedule: Schedule, stack: Stack, mapped: Mapping[str, How]) -> Promise:
    """What ``stack`` is said to move and compute; ``mapped``: how its layers run, where a mapping says that."""
    layer = graph.layer(stack.layers[0])
    kept = {item.edge: item.channels for item in schedule.retained}
    how = mapped.get(layer.name)
    if isinstance(how, LayerMapping):
        made = _mapped(layer, how)
    elif how is not None and not how.only_weights:
        made = _tiles_from_dram(graph, stack, layer, how)
    elif len(stack.layers) == 1 and axis_maps(layer, graph) is None:
        made = _whole(layer, graph)
    else:
        plan = plan_stack(graph, stack)
        made = Promise(
            Counter(plan.loads),
            Counter(plan.stores),
            Counter({item.name: _weights(graph, item, mapped.get(item.name)) for item in plan.layers}),
            Counter({entry.name: entry.macs_executed for entry in plan.layers}),
            peak_bytes(tuple(item for item in plan.live_ranges(_BITS) if item.content is not Content.WEIGHTS)),
        )
    loaded = Counter({edge: _off_chip(graph, kept, edge, words) for edge, words in made.loaded.items()})
    stored = Counter({edge: _off_chip(graph, kept, edge, words) for edge, words in made.stored.items()})
    return Promise(+loaded, +stored, +made.weights, +made.macs, made.room_words)


def _off_chip(graph: LayerGraph, kept: dict[str, int | None], edge: str, words: int) -> int:
    """Without the words of retained channels: each channel moves equally many."""
    root = graph.edges[edge].storage
    if root not in kept:
        return words
    channels = kept[root]
    if channels is None:
        return 0
    of = graph.edges[root].shape[1]
    return round(words * (of - channels) / of)


def _mapped(layer: Layer, how: LayerMapping) -> Promise:
    counts = evaluate(how.problem, how.arch, how.mapping, Convention.EXACT)
    edges, outermost = dict(layer.operands), how.arch.memories[0].name
    made = Promise(macs=Counter({layer.name: counts.macs}))
    for tensor in how.problem.tensors:
        access = counts.at(outermost, tensor.name)
        if access is not None and tensor.is_parameter:
            made.weights[layer.name] += access.reads
        elif access is not None:
            made.loaded[edges[tensor.name]] += access.reads
            made.stored[edges[tensor.name]] += access.updates
    return made


def _weights(graph: LayerGraph, plan: LayerPlan, how: How | None) -> int:
    """What a layer of a stack fetches of its weights: as planned, or as often as its tiles let them stream."""
    if not isinstance(how, TileMappings):
        return plan.weights.words * plan.weights.fetches
    if not how.mappings:
        return sum(weight_words(graph, graph.layer(plan.name)).values()) * sum(tile.repeats for tile in plan.tiles)
    return sum(_dram_counts(how, tile)["weights"][0] * tile.repeats for tile in plan.tiles if tile.problem is not None)


def _tiles_from_dram(graph: LayerGraph, stack: Stack, layer: Layer, how: TileMappings) -> Promise:
    (plan,) = plan_stack(graph, stack).layers
    edges, made = dict(layer.operands), Promise(macs=Counter({layer.name: plan.macs_executed}))
    for tile in plan.tiles:
        if tile.problem is None:
            made.stored[layer.outputs[0]] += tile.write_words * tile.repeats
            continue
        for tensor, (reads, updates) in _dram_counts(how, tile).items():
            if tile.problem.tensor(tensor).is_parameter:
                made.weights[layer.name] += reads * tile.repeats
            else:
                made.loaded[edges[tensor]] += reads * tile.repeats
                made.stored[edges[tensor]] += updates * tile.repeats
    return made


def _dram_counts(how: TileMappings, tile: TileClass) -> dict[str, tuple[int, int]]:
    """(reads, updates) of DRAM by tensor, for one tile."""
    assert tile.problem is not None
    problem = tile.problem.with_bits(dict.fromkeys(Role, how.bits))
    counts = evaluate(problem, how.arch, how.mappings[problem], Convention.EXACT)
    dram = how.arch.nodes[how.outermost].name
    return {access.tensor: (access.reads, access.updates) for access in counts.accesses if access.level == dram}


def _whole(layer: Layer, graph: LayerGraph) -> Promise:
    """A layer that is not local in the plane: each operand is read once and each result written once."""
    made = Promise(macs=Counter({layer.name: layer.macs}))
    made.weights[layer.name] = sum(weight_words(graph, layer).values())
    for edge in layer.outputs:
        made.stored[edge] = prod(graph.edges[edge].shape)
    for edge in layer.inputs:
        made.loaded[edge] = read_words(layer, graph, edge)
    if layer.problem is None:
        said = dict.fromkeys(Role, 0) | {item.role: item.words for item in streams_of(layer, graph, _BITS)}
        mine = (sum(made.loaded.values()), sum(made.weights.values()), sum(made.stored.values()))
        assert mine == (said[Role.IFMAP], said[Role.WEIGHTS], said[Role.OFMAP])
    return made
