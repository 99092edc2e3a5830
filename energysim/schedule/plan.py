"""A stack of layers run depth-first, tile by tile: what it computes, what it moves, what it needs on chip.

Equations: ``docs/schedules.md``. The images of a batch run one after the other through the whole stack.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil, prod
from typing import Any

from energysim.errors import EnergySimError, NotFoundError, did_you_mean
from energysim.graph.layers import Layer, LayerGraph, LayerKind, TensorKind
from energysim.schedule.axes import AxisMap
from energysim.schedule.live import Content, LiveRange, live_at, peak_bytes, peak_step
from energysim.schedule.spatial import PlaneMaps, axis_maps
from energysim.schedule.tile_problems import TileClass, tile_classes
from energysim.schedule.tiles import AxisPlan, AxisStep, named_axis
from energysim.schedule.values import Stack


@dataclass(frozen=True, slots=True)
class WeightPlan:
    """The parameters that one layer brings on chip: ``words`` of them, ``fetches`` times from DRAM.

    With resident weights, parameters that an earlier layer of the stack has brought are not among them.
    """

    layer: str
    words: int
    fetches: int


@dataclass(frozen=True)
class LayerPlan:
    """The tiles of one layer of a stack."""

    name: str
    tiles: tuple[TileClass, ...]
    weights: WeightPlan

    @property
    def macs_executed(self) -> int:
        """With recomputed halos, over the whole batch."""
        return sum(tile.macs * tile.repeats for tile in self.tiles)


@dataclass(frozen=True)
class EdgePlan:
    """The on-chip store of one feature map, in words of one image: ``live_words`` from step ``first`` to ``last`` of a
    tile (steps count the stack's layers), ``kept_words`` of them all the time, for later tiles."""

    edge: str
    live_words: int
    kept_words: int
    first: int
    last: int


@dataclass(frozen=True)
class StackPlan:
    """Everything that a stack's tiles add up to. Words are those of the whole batch, except in ``edges``.

    ``loads``: words of each feature map from outside the stack read from DRAM; ``stores``: words of each feature map
    that leaves the stack written to it (each word once). Both ignore what a schedule retains on chip.
    """

    stack: Stack
    batch: int
    rows: AxisPlan
    columns: AxisPlan
    weights: tuple[WeightPlan, ...]
    edges: tuple[EdgePlan, ...]
    loads: dict[str, int]
    stores: dict[str, int]
    graph: LayerGraph = field(repr=False, compare=False)

    @cached_property
    def layers(self) -> tuple[LayerPlan, ...]:
        """The stack's layers and their tiles, in execution order."""
        found = {layer.name: layer for layer in self.graph.layers}
        return tuple(LayerPlan(weights.layer, self.tiles_of(found[weights.layer]), weights) for weights in self.weights)

    def tiles_of(self, layer: Layer) -> tuple[TileClass, ...]:
        """The tiles of one layer of the stack."""
        return tile_classes(layer, self.graph, _maps(layer, self.graph), self.rows, self.columns)

    def only(self, rows: Sequence[int], columns: Sequence[int]) -> StackPlan:
        """The work of the tiles in these rows and columns of tiles, and the words that they load."""
        if len(rows) == len(self.rows.tiles) and len(columns) == len(self.columns.tiles):
            return self
        down, across = self.rows.only(rows), self.columns.only(columns)
        planes = {edge: prod(self.graph.edges[edge].shape[:2]) for edge in self.loads}
        loads = {e: down.loaded[e] * across.loaded[e] * planes[e] for e in self.loads}
        return replace(self, rows=down, columns=across, loads=loads)

    @property
    def tiles(self) -> int:
        """Tiles of one image."""
        return len(self.rows.tiles) * len(self.columns.tiles)

    @property
    def macs_executed(self) -> int:
        return sum(layer.macs_executed for layer in self.layers)

    @property
    def weight_load_words(self) -> int:
        return sum(item.words * item.fetches for item in self.weights)

    @property
    def dram_read_words(self) -> int:
        return sum(self.loads.values()) + self.weight_load_words

    @property
    def dram_write_words(self) -> int:
        return sum(self.stores.values())

    @property
    def dram_words(self) -> int:
        return self.dram_read_words + self.dram_write_words

    @cached_property
    def known(self) -> dict[Hashable, Any]:
        """Answers about this plan that are asked for again and again."""
        return {}

    def live_ranges(self, bits: int) -> tuple[LiveRange, ...]:
        """What is on chip while a tile runs, with words of ``bits``; step i runs layer i of the stack.

        A feature map's kept part and its tile are separate ranges: only the first outlives the tile. Resident weights
        stay all the time, others while their layer runs.
        """
        key = ("live_ranges", bits)
        if key not in self.known:
            self.known[key] = self._live_ranges(bits)
        found: tuple[LiveRange, ...] = self.known[key]
        return found

    def _live_ranges(self, bits: int) -> tuple[LiveRange, ...]:
        end, ranges = len(self.weights) - 1, []
        for edge in self.edges:
            parts = (
                LiveRange(edge.edge, Content.HALO, _bytes(edge.kept_words, bits), 0, end),
                LiveRange(edge.edge, Content.TILE, _bytes(edge.live_words - edge.kept_words, bits), *_span(edge)),
            )
            ranges += [part for part in parts if part.size_bytes]
        for step, item in enumerate(self.weights):
            if item.words:
                when = (0, end) if self.stack.weights_resident else (step, step)
                ranges.append(LiveRange(item.layer, Content.WEIGHTS, _bytes(item.words, bits), *when))
        return tuple(ranges)

    def need_bytes(self, bits: int) -> int:
        """On-chip bytes at the peak."""
        return peak_bytes(self.live_ranges(bits))

    def need_at_peak(self, bits: int) -> tuple[LiveRange, ...]:
        """What the peak consists of."""
        ranges = self.live_ranges(bits)
        return live_at(ranges, peak_step(ranges))


def plan_stack(graph: LayerGraph, stack: Stack) -> StackPlan:
    """Plan the tiles of ``stack``.

    Raises NotFoundError for a layer that the graph does not have, EnergySimError where the layers do not follow one
    another, or one of them is a barrier (see :mod:`energysim.schedule.spatial`).
    """
    return StackFrame(graph, stack.layers).plan(stack)


class StackFrame:
    """What all plans of the same layers share, whatever their tiles, overlap and weights.

    Raises like :func:`plan_stack`.
    """

    def __init__(self, graph: LayerGraph, names: tuple[str, ...]) -> None:
        self._graph = graph
        self._layers = layers = _layers(graph, names)
        maps = [_maps(layer, graph) for layer in layers]
        produced = {layer.outputs[0] for layer in layers}
        edges = tuple(dict.fromkeys(edge for layer in layers for edge in (*layer.inputs, *layer.outputs)))
        self._outside = [edge for edge in edges if edge not in produced]
        self._outputs = leaving(graph, layers)
        self._batch = graph.edges[layers[-1].outputs[0]].shape[0]
        self._weights = [weight_words(graph, layer) for layer in layers]
        self._spans = {edge: _steps_touching(layers, edge) for edge in edges}
        # Edges are numbered, so that stacks of equal shape share one plan of the cache.
        number = {edge: str(index) for index, edge in enumerate(edges)}
        self._called = tuple((number[edge], edge) for edge in edges)
        self._leaving = tuple(number[edge] for edge in self._outputs)
        self._steps = [
            tuple(
                AxisStep(str(index), number[layer.outputs[0]], _numbered(found, number, axis))
                for index, (layer, found) in enumerate(zip(layers, maps, strict=True))
            )
            for axis in (0, 1)
        ]
        self._sizes = [tuple((number[edge], graph.edges[edge].shape[2 + axis]) for edge in edges) for axis in (0, 1)]
        self._axes: dict[tuple[int, int | None, bool], AxisPlan] = {}

    def plan(self, stack: Stack) -> StackPlan:
        """The plan of a stack of these layers."""
        graph = self._graph
        rows, columns = self._axis(stack, 0), self._axis(stack, 1)
        planes = {edge: prod(graph.edges[edge].shape[:2]) for edge in self._spans}
        tiles = len(rows.tiles) * len(columns.tiles)
        return StackPlan(
            stack=stack,
            batch=self._batch,
            rows=rows,
            columns=columns,
            weights=self._weight_plans(stack, tiles * self._batch),
            edges=tuple(
                _edge_plan(graph.edges[edge].shape[1], edge, span, rows, columns) for edge, span in self._spans.items()
            ),
            loads={edge: rows.loaded[edge] * columns.loaded[edge] * planes[edge] for edge in self._outside},
            stores={edge: rows.stored[edge] * columns.stored[edge] * planes[edge] for edge in self._outputs},
            graph=graph,
        )

    def _axis(self, stack: Stack, axis: int) -> AxisPlan:
        keeps = (stack.overlap.keeps_rows, stack.overlap.keeps_columns)[axis]
        tile = None if stack.tile is None else stack.tile[axis]
        key = (axis, tile, keeps)
        if key not in self._axes:
            self._axes[key] = named_axis(self._steps[axis], self._sizes[axis], self._leaving, tile, keeps, self._called)
        return self._axes[key]

    def _weight_plans(self, stack: Stack, runs: int) -> tuple[WeightPlan, ...]:
        plans, resident = [], set[str]()
        for layer, weights in zip(self._layers, self._weights, strict=True):
            new = weights
            if stack.weights_resident:
                new = {name: words for name, words in weights.items() if name not in resident}
                resident |= weights.keys()
            plans.append(WeightPlan(layer.name, sum(new.values()), 1 if stack.weights_resident else runs))
        return tuple(plans)


def leaving(graph: LayerGraph, layers: tuple[Layer, ...]) -> tuple[str, ...]:
    """The feature maps that ``layers`` produce and something else (a view too) reads, or that leave the network."""
    inside = {layer.name for layer in layers}
    results = []
    for layer in layers:
        for edge in layer.outputs:
            readers = graph.consumers.get(edge, ())
            if graph.edges[edge].kind is TensorKind.OUTPUT or not readers or not inside.issuperset(readers):
                results.append(edge)
    return tuple(results)


def weight_words(graph: LayerGraph, layer: Layer) -> dict[str, int]:
    """Words of each parameter that a layer reads; biases and BatchNorm terms folded into a MAC layer are not moved."""
    names = layer.parameters
    if layer.problem is not None:
        names = tuple(edge for tensor, edge in layer.operands if layer.problem.tensor(tensor).is_parameter)
    return {name: graph.edges[name].words for name in dict.fromkeys(names)}


def _layers(graph: LayerGraph, names: tuple[str, ...]) -> tuple[Layer, ...]:
    positions = {layer.name: index for index, layer in enumerate(graph.layers)}
    for name in names:
        if name not in positions:
            raise NotFoundError(f"no layer {name!r} in {graph.name!r}", hint=did_you_mean(name, positions))
    if not names:
        raise EnergySimError("a stack without layers", hint="name at least one layer of the graph")
    first, last = positions[names[0]], positions[names[-1]]
    between = [layer for layer in graph.layers[first : last + 1] if layer.kind is not LayerKind.VIEW]
    if tuple(layer.name for layer in between) != names:
        raise EnergySimError(
            f"the layers from {names[0]!r} to {names[-1]!r} are no stack",
            hint="a stack names consecutive layers in execution order, views left out",
        )
    produced = {edge for layer in between for edge in layer.outputs}
    for layer in between:
        for edge in layer.inputs:
            if edge not in produced and graph.edges[edge].storage in produced:
                raise EnergySimError(
                    f"layer {layer.name!r} reads a view of a feature map of its own stack",
                    hint="end the stack before the view",
                )
    return tuple(between)


def _maps(layer: Layer, graph: LayerGraph) -> PlaneMaps:
    maps = axis_maps(layer, graph)
    if maps is None:
        raise EnergySimError(
            f"layer {layer.name!r} ({layer.op}) cannot be tiled",
            hint="it is not local in the feature-map plane [N, C, H, W]; run it alone, with no tile",
        )
    return maps


def _numbered(maps: PlaneMaps, number: dict[str, str], axis: int) -> tuple[tuple[str, AxisMap], ...]:
    return tuple((number[edge], pair[axis]) for edge, pair in maps.items())


def _steps_touching(layers: tuple[Layer, ...], edge: str) -> tuple[int, int]:
    """The first and the last step that reads or writes a feature map."""
    steps = [step for step, layer in enumerate(layers) if edge in layer.inputs or edge in layer.outputs]
    return steps[0], steps[-1]


def _edge_plan(channels: int, edge: str, span: tuple[int, int], rows: AxisPlan, columns: AxisPlan) -> EdgePlan:
    """With kept rows, a feature map holds full lines of what it keeps, and the rest of its tile's rows."""
    lines = rows.kept[edge] * columns.span[edge]
    rest = rows.widest[edge] - rows.kept[edge]
    live, kept = lines + rest * columns.widest[edge], lines + rest * columns.kept[edge]
    return EdgePlan(edge, channels * live, channels * kept, *span)


def _span(edge: EdgePlan) -> tuple[int, int]:
    return edge.first, edge.last


def _bytes(words: int, bits: int) -> int:
    return ceil(words * bits / 8)
