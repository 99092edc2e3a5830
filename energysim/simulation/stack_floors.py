"""What the layers of a stack cost on chip at least in one place: every tile by the floor of its own problem.

Exact are the copies between memories, what is filled from DRAM, and layers without MACs; for the tiles of the others
no mapping is below :mod:`energysim.mapping.least`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from energysim.arch.spec import ArchSpec, Memory
from energysim.cost.layers import touched_words
from energysim.cost.model import access_cost
from energysim.engines.registry import NativeEngine
from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.problem import Role, TensorProblem
from energysim.mapping.least import LeastCost
from energysim.schedule.apart import copies
from energysim.schedule.homes import Homes
from energysim.schedule.plan import StackPlan
from energysim.schedule.spatial import PlaneMaps, axis_maps
from energysim.schedule.tile_problems import Piece, tile_pieces, tile_problem
from energysim.simulation.apart_energy import copies_pj
from energysim.simulation.home_energy import HomePj, home_pj
from energysim.simulation.places import Place
from energysim.simulation.setting import Setting


class Inside(NamedTuple):
    """One layer of a stack. ``energy_pj``: of all accesses on chip but what DRAM fills, and of DRAM's reads of weights
    that have no home. ``cycles``: of the compute units. ``macs``, ``runs``: MACs and the tiles that have any, of all
    images."""

    energy_pj: float
    cycles: float
    macs: int
    runs: int

    def plus(self, other: Inside, more_pj: float) -> Inside:
        return Inside(
            self.energy_pj + other.energy_pj + more_pj,
            self.cycles + other.cycles,
            self.macs + other.macs,
            self.runs + other.runs,
        )


@dataclass(frozen=True, slots=True)
class Placed:
    """A stack in one place. ``fills_pj``: of each map that it loads, pJ that its words cost in their home; the same
    ``weight_fill_pj`` per word of the weights."""

    layers: tuple[Inside, ...]
    fills_pj: Mapping[str, float]
    weight_fill_pj: float


@dataclass(frozen=True, slots=True)
class _Shape:
    """What layers whose tiles are the same problems have in common; ``problem`` has the setting's word widths."""

    number: int
    problem: TensorProblem | None
    maps: PlaneMaps


@dataclass(frozen=True, slots=True)
class _Tiles:
    """Tiles in one pair of homes: their floor (None: another engine's), and what is known of them by their shape's
    number."""

    home: HomePj
    least: LeastCost | None
    known: dict[int, dict[tuple[Piece, Piece], Inside]]


class StackFloors:
    """Of all stacks of a network in one setting."""

    def __init__(self, graph: LayerGraph, setting: Setting) -> None:
        self._graph, self._setting = graph, setting
        self._layers = {layer.name: layer for layer in graph.layers}
        self._peak = setting.arch.instances(len(setting.arch.nodes) - 1) * setting.arch.compute.throughput(setting.bits)
        self._shapes: dict[str, _Shape] = {}
        self._numbers: dict[tuple[str, TensorProblem | None], int] = {}
        self._tiles: dict[tuple[str, str | None], _Tiles] = {}

    def placed(self, plan: StackPlan, place: Place) -> Placed:
        """The stack of ``plan`` where it lives in ``place``."""
        if not place.apart:
            return self._together(plan, self._tiles_in(place.tiles[0][0]))
        energies, bits = self._setting.energies, self._setting.bits
        layers = [Inside(0.0, 0.0, 0, 0)] * len(plan.weights)
        fills = dict.fromkeys(plan.loads, 0.0)
        weight_fill_pj = 0.0
        for home, tiles in place.tiles:
            found = self._together(plan.only(tiles.rows, tiles.columns), self._tiles_in(home))
            moved, copied_pj = copies(plan, tiles), [0.0] * len(layers)
            for edge in plan.edges:
                copied_pj[edge.first] += copies_pj(moved[edge.edge], home.maps, place, energies, bits)
            layers = [a.plus(b, pj) for a, b, pj in zip(layers, found.layers, copied_pj, strict=True)]
            for name, fill_pj in found.fills_pj.items():
                fills[name] += fill_pj
            weight_fill_pj = found.weight_fill_pj  # one memory in all parts
        return Placed(tuple(layers), fills, weight_fill_pj)

    def _tiles_in(self, home: Homes) -> _Tiles:
        key = (home.maps.name, None if home.weights is None else home.weights.name)
        if key not in self._tiles:
            setting = self._setting
            native = isinstance(setting.engine, NativeEngine)
            self._tiles[key] = _Tiles(
                home_pj(home, setting.arch.memories[0], setting.energies, setting.bits),
                least_cost(setting, home.arch, None) if native else None,
                {},
            )
        return self._tiles[key]

    def _together(self, plan: StackPlan, tiles: _Tiles) -> Placed:
        """All tiles of ``plan`` in one pair of homes."""
        layers = tuple(self._inside(self._layers[item.layer], plan, tiles) for item in plan.weights)
        fills = {edge: words * tiles.home.map_fill for edge, words in plan.loads.items()}
        return Placed(layers, fills, tiles.home.weight_fill)

    def _inside(self, layer: Layer, plan: StackPlan, tiles: _Tiles) -> Inside:
        shape = self._shape_of(layer)
        down, across = tile_pieces(layer, shape.maps, plan.rows, plan.columns)
        batch = self._graph.edges[layer.outputs[0]].shape[0]
        if layer.problem is None:
            return Inside(batch * self._streamed_pj(layer, tiles.home, down, across), 0.0, 0, 0)
        energy_pj = cycles = 0.0
        macs = runs = 0
        known = tiles.known.setdefault(shape.number, {})
        for row, rows in down.items():
            for column, columns in across.items():
                one = known.get((row, column))
                if one is None:
                    one = known[row, column] = self._one(layer, shape, tiles, row, column)
                count = rows * columns
                energy_pj += one.energy_pj * count
                cycles += one.cycles * count
                macs += one.macs * count
                runs += one.runs * count
        return Inside(energy_pj * batch, cycles * batch, macs * batch, runs * batch)

    def _one(self, layer: Layer, shape: _Shape, tiles: _Tiles, row: Piece, column: Piece) -> Inside:
        """One tile of a layer with MACs."""
        assert shape.problem is not None
        problem = tile_problem(layer, shape.problem, row, column)
        if problem is None:
            return Inside(self._streamed_pj(layer, tiles.home, {row: 1}, {column: 1}), 0.0, 0, 0)
        if tiles.least is None:
            return Inside(_once_pj(problem, tiles.home), problem.macs / self._peak, problem.macs, 1)
        least = tiles.least.of(problem)
        return Inside(least.accesses_pj, least.cycles, problem.macs, 1)

    def _streamed_pj(self, layer: Layer, home: HomePj, down: Mapping[Piece, int], across: Mapping[Piece, int]) -> float:
        """What a layer reads from its home and writes there where it does not multiply; of one image."""
        edges, reads = self._graph.edges, 0
        for index, edge in enumerate(layer.inputs):
            rows, columns = (sum(p.touched[index] * n for p, n in pieces.items()) for pieces in (down, across))
            reads += edges[edge].shape[1] * rows * columns
        rows, columns = (sum(p.size * n for p, n in pieces.items()) for pieces in (down, across))
        written = edges[layer.outputs[0]].shape[1] * rows * columns
        return reads * home.map_read + written * home.map_update

    def _shape_of(self, layer: Layer) -> _Shape:
        if layer.name not in self._shapes:
            maps = axis_maps(layer, self._graph)
            assert maps is not None
            problem = None if layer.problem is None else self._setting.words_of(layer.problem)
            number = self._numbers.setdefault((layer.op, problem), len(self._numbers))
            self._shapes[layer.name] = _Shape(number, problem, maps)
        return self._shapes[layer.name]


def _once_pj(problem: TensorProblem, home: HomePj) -> float:
    """Every weight read from its home and every result written to its home once, whatever the engine counts."""
    pj = touched_words(problem, problem.output.name) * home.map_update
    for tensor in problem.inputs:
        if tensor.role is Role.WEIGHTS:
            pj += touched_words(problem, tensor.name) * home.weight_read
    return pj


def least_cost(setting: Setting, arch: ArchSpec, home: Memory | None) -> LeastCost:
    """The floor of the native engine's mappings onto a form of the setting's device."""
    assert isinstance(setting.engine, NativeEngine)
    return LeastCost(
        arch,
        partial(access_cost, energies=setting.energies),
        setting.arch.memories[0].name,
        None if home is None else home.name,
        perfect=not setting.engine.imperfect,
        convention=setting.convention,
    )
