"""What `optimal` proves with: no way to run a segment costs less than its bound, and the best are found without looking
at every bound."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_optimal import device, setting_on
from torch import Tensor, nn

import energysim
from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec, Memory
from energysim.graph.layers import LayerGraph
from energysim.graph.trace import trace
from energysim.mapping.counts import Convention
from energysim.schedule.optimal import Cost
from energysim.schedule.values import Stack
from energysim.schedule.variants import make_schedule
from energysim.simulation.bounds import Amount
from energysim.simulation.schedules import schedule_costs
from energysim.simulation.setting import Setting
from energysim.simulation.ways import Key, Prices, View, Way, Ways


class Mixed(nn.Module):
    """Every kind of layer that can be in a stack: dense, strided, depthwise, dilated, pooling, addition, transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False)
        self.depth = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4, bias=False)
        self.point = nn.Conv2d(4, 4, 1, bias=False)
        self.up = nn.ConvTranspose2d(4, 3, 1, stride=2, bias=False)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.point(self.depth(x)) + x
        return self.pool(self.up(x))  # type: ignore[no-any-return]


GRAPH = trace(Mixed(), (torch.zeros(2, 2, 9, 11),))
GRAPH = replace(GRAPH, edges={name: replace(edge, density=0.5) for name, edge in GRAPH.edges.items()})


def proto(maps_bytes: int, local_bytes: int) -> ArchSpec:
    """The device with several homes, two of them small: tiles, columns and lines live apart."""
    sizes = {"GB_A": maps_bytes, "LB_IO": local_bytes}
    arch = load_arch("meta_proto_df")
    nodes = (
        replace(node, capacity_bits=8 * sizes[node.name]) if isinstance(node, Memory) and node.name in sizes else node
        for node in arch.nodes
    )
    return replace(arch, nodes=tuple(nodes))


def gated(arch: ArchSpec) -> ArchSpec:
    """Its MACs on zero weights cost nothing."""
    return replace(arch, nodes=(*arch.nodes[:-1], replace(arch.compute, gates_zeros=frozenset({"weights"}))))


def ways_of(graph: LayerGraph, setting: Setting) -> Ways:
    alone = schedule_costs(graph, make_schedule(graph, "layerwise", bits=setting.bits), setting)
    return Ways(graph, setting, alone)


def some_states(ways: Ways, rng: random.Random) -> Iterator[tuple[int, int, frozenset[str]]]:
    """Segments with no map on chip, with some that they touch, and with some that only take room."""
    for start, stops in ways._stops.items():
        for stop in stops:
            touched = sorted(ways._touched(start, stop) & ways._bytes.keys())
            passing = [item.edge for item in ways._maps if item.first < start and item.last >= stop]
            for kept in ([], rng.sample(touched, rng.randint(0, len(touched))), [*touched[:1], *passing[:1]]):
                if ways._room is None or sum(ways._bytes[edge] for edge in set(kept)) <= ways._room:
                    yield start, stop, frozenset(kept)


@pytest.mark.parametrize(
    ("arch", "convention"),
    [
        (gated(device("a2", 300)), Convention.EXACT),
        (device("a2", 900), Convention.TIMELOOP),
        (proto(900, 150), Convention.EXACT),
        (proto(500, 70), Convention.TIMELOOP),
        (load_arch("jetson_nano"), Convention.EXACT),
    ],
    ids=["a2, gated", "a2, boxes", "proto", "proto, boxes", "jetson"],
)
def test_no_way_costs_less_than_its_bound(arch: ArchSpec, convention: Convention) -> None:
    setting, rng = replace(setting_on(arch, "energy"), convention=convention), random.Random(5)
    ways = ways_of(GRAPH, setting)
    compared = reached = 0
    for state in some_states(ways, rng):
        choices = ways.of(*state)[1]
        for way in rng.sample(choices, min(2, len(choices))):
            ways.run(way)
            if way.mapped is None:
                continue
            compared += 1
            bound = way.view.bound
            for name in ("energy_pj", "latency_s", "dram_bytes"):
                quick, least, cost = (getattr(amount, name) for amount in (way.quick, bound, way.mapped))
                assert quick <= least * (1 + 1e-9)
                assert least <= cost * (1 + 1e-9)
            reached += bound.energy_pj >= way.mapped.energy_pj * (1 - 1e-9)
    assert compared > 40
    assert reached > 0


class Fixed:
    """One segment and its ways, as :class:`Prices` asks for them."""

    def __init__(self, ways: Sequence[Way]) -> None:
        self.ways, self.changes = ways, Counter[Key]()

    def of(self, start: int, stop: int, kept: frozenset[str]) -> tuple[Key, Sequence[Way]]:
        return KEY, self.ways


KEY: Key = (0, 1, frozenset(), 0)
FEW = st.integers(0, 6)


def way_of(quick: tuple[int, int], more: tuple[int, int]) -> Way:
    """Few different numbers, so that many are equal."""
    bound = Amount(float(quick[0] + more[0]), float(quick[1] + more[1]), 0.0)
    return Way(Stack(("a",)), frozenset(), KEY, Amount(*map(float, quick), 0.0), lambda: (bound, bound))


def both(view: View) -> Cost:
    amount = view.mapped or view.bound
    return amount.energy_pj, amount.latency_s


@settings(deadline=None)
@given(st.lists(st.builds(way_of, st.tuples(FEW, FEW), st.tuples(FEW, FEW)), max_size=7), st.data())
def test_choices_are_those_of_all_bounds(ways: list[Way], data: st.DataObject) -> None:
    """Bounds that are not looked at could not have been chosen; of equal ones the first is."""
    segment = Fixed(ways)
    single, pairs = (Prices(cast(Ways, segment), both, product=product) for product in (False, True))
    for _ in range(3):
        best, front = single(0, 1, frozenset()), pairs(0, 1, frozenset())
        costs = [(both(View(*way.find(), way.mapped)), way) for way in ways if not way.impossible]
        least = min((cost for cost, _ in costs), default=None)
        assert [(choice.cost, choice.way) for choice in best] == [pair for pair in costs if pair[0] == least][:1]
        all_costs = {cost for cost, _ in costs}
        assert {choice.cost for choice in front} == {
            cost for cost in all_costs if not any(o != cost and o[0] <= cost[0] and o[1] <= cost[1] for o in all_costs)
        }
        if ways:
            way = data.draw(st.sampled_from(ways))
            way.impossible = data.draw(st.booleans())
            way.mapped = way.find()[0] + Amount(float(data.draw(FEW)), float(data.draw(FEW)), 0.0)
            segment.changes[KEY] += 1


def test_few_bounds_are_looked_at() -> None:
    ways = ways_of(GRAPH, setting_on(proto(900, 150), "energy"))
    prices = Prices(ways, both)
    for state in some_states(ways, random.Random(3)):
        prices(*state)
    here = [way for found in ways._ways.values() for way in found]
    assert sum(way.found is None for way in here) > 0.2 * len(here)


def test_the_gap_closes_on_a_whole_network() -> None:
    """Far more settings than are ever mapped."""
    best = energysim.simulate("lightweight_cnn", "meta_proto_df", variant="optimal").variants[0]
    assert best.optimal and best.gap == 0.0
