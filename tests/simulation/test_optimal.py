"""`optimal` end to end: against all partitions of small networks, against the other variants, and growing buffers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations

import pytest
import torch
from torch import Tensor, nn

import energysim
from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec, Memory
from energysim.energy import estimate
from energysim.engines.registry import get_engine
from energysim.errors import EnergySimError
from energysim.graph.layers import LayerGraph, LayerKind
from energysim.graph.trace import trace
from energysim.mapping.counts import Convention
from energysim.mapping.search import Objective
from energysim.schedule.values import Overlap, Retained, Schedule, Stack
from energysim.simulation.optimal import Line, least_product
from energysim.simulation.schedules import schedule_costs
from energysim.simulation.setting import Setting

OTHERS = ("plain", "layerwise", "tiled", "buffered", "full")


class Chain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.b = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        self.c = nn.Conv2d(4, 3, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.b(self.a(x)))  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.a = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.b = nn.Conv2d(4, 4, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.b(self.a(x)) + x  # type: ignore[no-any-return]


class Fork(nn.Module):
    """Two layers read the input; both results leave the network."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(2, 3, 1, bias=False)
        self.b = nn.Conv2d(2, 4, 1, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.a(x), self.b(x)


class Shortcut(nn.Module):
    """Between the two readers of a map no stack can end unless the whole map is on chip."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(2, 8, 1, bias=False)
        self.b = nn.Conv2d(8, 2, 1, stride=4, bias=False)
        self.c = nn.Conv2d(8, 2, 1, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.a(x)
        return self.b(x), self.c(x)


GRAPHS = {
    "chain": trace(Chain(), (torch.zeros(1, 2, 4, 4),)),
    "block": trace(Block(), (torch.zeros(1, 2, 4, 4),)),
}
TILES = ((4, 4), (2, 4), (1, 4), (2, 2), (1, 2), (1, 1))


def device(name: str, capacity_bytes: int) -> ArchSpec:
    """The device with its outermost on-chip memory of another size."""
    arch = load_arch(name)
    memory = arch.memories[1]
    smaller = replace(memory, capacity_bits=capacity_bytes * 8)
    return replace(arch, nodes=tuple(smaller if node is memory else node for node in arch.nodes))


def setting_on(arch: ArchSpec, objective: str) -> Setting:
    return Setting(
        arch,
        estimate(arch, "table"),
        get_engine("native"),
        Objective.parse(objective),
        Convention.EXACT,
        arch.default_bits,
        None,
    )


def cuts(names: tuple[str, ...]) -> Iterator[list[tuple[str, ...]]]:
    if not names:
        yield []
    for count in range(1, len(names) + 1):
        for rest in cuts(names[count:]):
            yield [names[:count], *rest]


def ways(names: tuple[str, ...]) -> Iterator[Stack]:
    if len(names) == 1:
        yield Stack(names, free=True)
    for tile in TILES:
        for overlap in Overlap:
            for resident in (True, False):
                yield Stack(names, tile, overlap, resident)


def totals(graph: LayerGraph, schedule: Schedule, setting: Setting) -> tuple[float, float, float]:
    costs = schedule_costs(graph, schedule, setting)
    return (
        sum(cost.energy.value for cost in costs),
        sum(cost.latency_s for cost in costs),
        sum(cost.dram_read_bytes + cost.dram_write_bytes for cost in costs),
    )


def least_by_enumeration(graph: LayerGraph, setting: Setting) -> float:
    """All cuts, all sets of retained maps, all settings of every stack; the stacks of one schedule are independent."""
    names = tuple(layer.name for layer in graph.layers if layer.kind is not LayerKind.VIEW)
    between = [edge for edge in graph.producers if edge in graph.consumers]
    position = {name: index for index, name in enumerate(names)}
    life = {
        edge: (position[graph.producers[edge]], max(position[name] for name in graph.consumers[edge]))
        for edge in between
    }
    metric = setting.objective.primary.value
    known: dict[object, list[tuple[float, float, float]]] = {}
    best = float("inf")
    for kept in chain.from_iterable(combinations(between, count) for count in range(len(between) + 1)):
        for stacks in cuts(names):
            spans = [(position[stack[0]], position[stack[-1]]) for stack in stacks]
            if any(first <= life[edge][0] and life[edge][1] <= last for edge in kept for first, last in spans):
                continue
            sums = [(0.0, 0.0, 0.0)]
            for stack, (first, last) in zip(stacks, spans, strict=True):
                live = tuple(edge for edge in kept if life[edge][0] <= last and first <= life[edge][1])
                if (stack, live) not in known:
                    known[stack, live] = list(_costs(graph, stack, live, setting))
                added = {(a + d, b + e, c + f) for a, b, c in sums for d, e, f in known[stack, live]}
                sums = _undominated(added) if metric == "edp" else [_least(added, metric)] if added else []
            for total in sums:
                best = min(best, _value(total, metric))
    return best


def _costs(
    graph: LayerGraph, stack: tuple[str, ...], live: tuple[str, ...], setting: Setting
) -> Iterator[tuple[float, float, float]]:
    retained = tuple(Retained(edge) for edge in live)
    for way in ways(stack):
        try:
            yield totals(graph, Schedule("any", (way,), retained), setting)
        except EnergySimError:
            continue


def _value(total: tuple[float, float, float], metric: str) -> float:
    energy, latency, dram = total
    return {"energy": energy, "latency": latency, "dram": dram, "edp": energy * 1e-12 * latency}[metric]


def _least(sums: set[tuple[float, float, float]], metric: str) -> tuple[float, float, float]:
    return min(sums, key=lambda total: _value(total, metric))


def _undominated(sums: set[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    front: list[tuple[float, float, float]] = []
    for total in sorted(sums):
        if not front or total[1] < front[-1][1]:
            front.append(total)
    return front


@pytest.mark.parametrize("objective", ["dram", "energy", "latency", "edp"])
@pytest.mark.parametrize("capacity", [120, 300])
@pytest.mark.parametrize("name", GRAPHS)
def test_optimal_is_the_least_of_all_schedules(name: str, capacity: int, objective: str) -> None:
    arch = device("a2", capacity)
    graph = GRAPHS[name]
    best = energysim.simulate(graph, arch, variant="optimal", objective=objective).variants[0]
    found = _value((best.energy.value, best.latency_s, best.dram_bytes), objective)
    assert best.optimal and best.gap == 0.0
    assert found == pytest.approx(least_by_enumeration(graph, setting_on(arch, objective)), rel=1e-9)


@pytest.mark.parametrize("capacity", [120, 140])
def test_a_stack_may_fit_although_a_shorter_one_does_not(capacity: int) -> None:
    graph, arch = trace(Shortcut(), (torch.zeros(1, 2, 4, 4),)), device("a2", capacity)
    best = energysim.simulate(graph, arch, variant="optimal", objective="dram", buffer_bytes=8).variants[0]
    assert best.optimal
    assert best.dram_bytes == least_by_enumeration(graph, setting_on(arch, "dram"))


def test_with_weights_that_stream_fewer_tiles_move_less() -> None:
    """Eyeriss' weights have no home on chip and come with every tile, so the most economical tile is no small one."""
    graph, arch = trace(Fork(), (torch.zeros(1, 2, 4, 4),)), device("eyeriss", 800)
    best = energysim.simulate(graph, arch, variant="optimal", objective="dram", buffer_bytes=8).variants[0]
    assert best.optimal
    assert best.dram_bytes == least_by_enumeration(graph, setting_on(arch, "dram"))


@pytest.mark.parametrize("objective", ["dram", "energy", "latency", "edp"])
@pytest.mark.parametrize("device_name", ["a2", "meta_proto_df", "jetson_nano", "eyeriss"])
def test_optimal_is_no_worse_than_any_other_and_not_below_the_floor(device_name: str, objective: str) -> None:
    graph = trace(Block(), (torch.zeros(2, 2, 9, 12),))
    result = energysim.simulate(graph, device_name, variant="all", objective=objective, tile=(4, 5), buffer_channels=2)
    *others, best = result.variants
    assert best.variant == "optimal"
    assert {cost.variant for cost in others} <= set(OTHERS)
    for cost in others:
        mine, theirs = (_value((v.energy.value, v.latency_s, v.dram_bytes), objective) for v in (best, cost))
        assert mine <= theirs * (1 + 1e-9)
    assert best.dram_bytes >= best.dram_floor_bytes
    totals_of = result.to_dict()["variants"][-1]["totals"]
    assert totals_of["optimal"] is best.optimal and totals_of["gap"] == best.gap


@pytest.mark.parametrize("name", GRAPHS)
def test_a_larger_buffer_never_moves_more(name: str) -> None:
    moved = [
        energysim.simulate(GRAPHS[name], device("a2", capacity), variant="optimal", objective="dram", buffer_bytes=32)
        .variants[0]
        .dram_bytes
        for capacity in (64, 96, 128, 160, 224, 288, 352, 416, 512)
    ]
    assert moved == sorted(moved, reverse=True)
    assert moved[0] > moved[-1]


def test_a_large_buffer_reaches_the_floor() -> None:
    best = energysim.simulate(GRAPHS["block"], "a2", variant="optimal", objective="dram").variants[0]
    assert best.dram_bytes == best.dram_floor_bytes
    assert best.optimal


def test_a_device_without_a_map_buffer_runs_layer_by_layer() -> None:
    arch = load_arch("a2")
    apart = tuple(
        replace(node, keep=frozenset({"weights", "ifmap"})) if isinstance(node, Memory) and node.name == "BUF" else node
        for node in arch.nodes
    )
    result = energysim.simulate(GRAPHS["chain"], replace(arch, nodes=apart), variant="all", tile=(2, 2))
    by_name = {cost.variant: cost for cost in result.variants}
    assert by_name["optimal"].energy.value <= by_name["layerwise"].energy.value
    assert "full" not in by_name


def test_least_product_of_lines() -> None:
    # energy >= 2, latency >= 1, energy + 2 latency >= 6: corners (4, 1) and (2, 2), both with product 4.
    lines = [Line(1.0, 0.0, 2.0), Line(0.0, 1.0, 1.0), Line(1.0, 2.0, 6.0)]
    assert least_product(lines) == pytest.approx(4.0)
    assert least_product(lines[:2]) == pytest.approx(2.0)
