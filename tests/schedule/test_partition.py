"""The best partition, compared with all partitions one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_nets import Classifier, graph_of, plane_graphs
from torch import nn

from energysim.errors import EnergySimError
from energysim.graph.layers import LayerGraph
from energysim.schedule.live import Content
from energysim.schedule.optimal import Choice, Crossing, Limits, best_partition, crossings, moving_layers
from energysim.schedule.options import extensible, stack_options, tile_grid
from energysim.schedule.plan import plan_stack
from energysim.schedule.values import Overlap, Stack

GRAPHS = plane_graphs()
# Of the last layer's ifmap one row and one column reach no pixel, and two of three ofmap rows get no product.
GRAPHS["cropped"] = graph_of(
    nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ConvTranspose2d(4, 2, (1, 2), (3, 2), padding=(1, 3))), (6, 7)
)


@st.composite
def networks(draw: st.DrawFn) -> tuple[int, dict[int, list[int]], list[Crossing], int]:
    layers = draw(st.integers(1, 5))
    stops = {
        start: [start + 1, *(stop for stop in range(start + 2, layers + 1) if draw(st.booleans()))]
        for start in range(layers)
    }
    maps = []
    for index in range(draw(st.integers(0, 3)) if layers > 1 else 0):
        first = draw(st.integers(0, layers - 2))
        maps.append(Crossing(f"m{index}", first, draw(st.integers(first + 1, layers - 1)), draw(st.integers(1, 4))))
    return layers, stops, maps, draw(st.integers(0, 8))


def partitions(layers: int, stops: dict[int, list[int]], start: int = 0) -> Iterator[list[tuple[int, int]]]:
    if start == layers:
        yield []
    for stop in stops.get(start, ()):
        for rest in partitions(layers, stops, stop):
            yield [(start, stop), *rest]


@settings(max_examples=150, deadline=None)
@given(networks(), st.randoms(use_true_random=False), st.booleans())
def test_no_partition_is_better(
    network: tuple[int, dict[int, list[int]], list[Crossing], int], random: object, product: bool
) -> None:
    layers, stops, maps, capacity = network
    prices: dict[tuple[int, int, frozenset[str]], list[Choice]] = {}

    def price(start: int, stop: int, kept: frozenset[str]) -> list[Choice]:
        key = (start, stop, kept)
        if key not in prices:
            draw = random.randint  # type: ignore[attr-defined]
            prices[key] = [Choice((draw(1, 20), draw(1, 20)), None) for _ in range(draw(0, 2))]
        return prices[key]

    found = best_partition(layers, stops, maps, price, Limits(capacity, maps=3, states=10**6), product=product)
    best: list[tuple[float, float]] = []
    for segments in partitions(layers, stops):
        for stays in chain.from_iterable(combinations(maps, count) for count in range(len(maps) + 1)):
            # A map that is written and last read in one segment does not cross a cut.
            if any(start <= item.first and item.last < stop for item in stays for start, stop in segments):
                continue
            totals = {(0.0, 0.0)}
            for start, stop in segments:
                live = [item for item in stays if item.first < stop and start <= item.last]
                if sum(item.size_bytes for item in live) > capacity:
                    totals = set()
                    break
                ways = price(start, stop, frozenset(item.edge for item in live))
                totals = {(a + way.cost[0], b + way.cost[1]) for a, b in totals for way in ways}
            best += [(a * b, a) if product else (a, b) for a, b in totals]
    if found is None:
        assert not best
        return
    assert found.complete
    value = (found.cost[0] * found.cost[1], found.cost[0]) if product else found.cost
    assert value[0] == min(best)[0]
    assert product or value == min(best)
    assert [part.start for part in found.parts] == [0, *(part.stop for part in found.parts[:-1])]
    assert sum(part.choice.cost[0] for part in found.parts) == found.cost[0]


def test_states_are_dropped_only_beyond_the_limit() -> None:
    maps = [Crossing(f"m{index}", index, 5, 1) for index in range(4)]
    stops = {start: [start + 1] for start in range(6)}

    def price(start: int, stop: int, kept: frozenset[str]) -> list[Choice]:
        return [Choice((float(10 - len(kept)), 0.0), None)]

    exact = best_partition(6, stops, maps, price, Limits())
    few = best_partition(6, stops, maps, price, Limits(states=2))
    assert exact is not None and few is not None
    assert exact.complete and not few.complete
    assert few.cost >= exact.cost


@pytest.mark.parametrize("name", GRAPHS)
def test_crossings_are_the_maps_between_layers(name: str) -> None:
    graph = GRAPHS[name]
    layers = moving_layers(graph)
    for item in crossings(graph, 8):
        assert item.edge in layers[item.first].outputs
        readers = [i for i, layer in enumerate(layers) if item.edge in [graph.edges[e].storage for e in layer.inputs]]
        assert item.last == max(readers) > item.first
        assert item.size_bytes == graph.edges[item.edge].words


def test_a_barrier_ends_the_stacks() -> None:
    graph = graph_of(Classifier())
    layers = moving_layers(graph)
    count = extensible(graph, layers)
    names = tuple(layer.name for layer in layers)
    plan_stack(graph, Stack(names[:count]))
    assert layers[count].op == "linear"
    with pytest.raises(EnergySimError):
        plan_stack(graph, Stack(names[: count + 1]))


def test_tiles_of_the_grid() -> None:
    grid = tile_grid(12, 7)
    assert {(12, 7), (6, 7), (1, 7), (1, 1), (6, 4), (1, 2)} <= set(grid)
    assert all(1 <= rows <= 12 and 1 <= columns <= 7 for rows, columns in grid)


def _all_settings(graph: LayerGraph, names: tuple[str, ...]) -> Iterator[tuple[int, int, int]]:
    """(bytes of maps, bytes with weights, DRAM words) of every setting, from its plan."""
    shape = graph.edges[graph.layer(names[-1]).outputs[0]].shape
    for tile in tile_grid(*shape[2:]):
        for overlap in Overlap:
            for resident in (True, False):
                plan = plan_stack(graph, Stack(names, tile, overlap, resident))
                yield plan.need_bytes(8), plan.dram_words, plan.macs_executed


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("words_only", [True, False])
def test_options_leave_out_no_setting_with_fewer_words(name: str, share: float, words_only: bool) -> None:
    graph = GRAPHS[name]
    layers = moving_layers(graph)
    layers = layers[: extensible(graph, layers)]
    names = tuple(layer.name for layer in layers)
    every = list(_all_settings(graph, names))
    capacity = int(share * max(need for need, _, _ in every))
    expected = [(words, macs) for need, words, macs in every if need <= capacity]

    def fits(option: object) -> bool:
        return plan_stack(graph, option.stack).need_bytes(8) <= capacity  # type: ignore[attr-defined]

    options = stack_options(graph, layers, 8, fits, words_only=words_only, shared=True)
    found = [plan_stack(graph, option.stack) for option in options]
    assert min((plan.dram_words for plan in found), default=None) == min((w for w, _ in expected), default=None)
    if not words_only:
        assert min((plan.macs_executed for plan in found), default=None) == min((m for _, m in expected), default=None)
    for option, plan in zip(options, found, strict=True):
        words = sum(n for work in option.work for _, n in (*work.loads, *work.stores))
        assert words + sum(work.weight_words * work.weight_fetches for work in option.work) == plan.dram_words
        assert option.macs == plan.macs_executed
        for work, layer in zip(option.work, plan.layers, strict=True):
            of_macs = graph.layer(layer.name).problem is not None
            assert work.runs == sum(tile.repeats for tile in layer.tiles if tile.macs or not of_macs)
            assert work.out_words == sum(tile.repeats * tile.write_words for tile in layer.tiles)
        assert any(item.content is Content.WEIGHTS for item in option.ranges)
