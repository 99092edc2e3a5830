"""Plans of stacks: counts against sets of words walked tile by tile, and what must hold for any network."""

from __future__ import annotations

from itertools import pairwise, product
from math import ceil, prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_nets import Classifier, graph_of, plane_graphs, valid_pair
from torch import nn

from energysim.errors import EnergySimError, NotFoundError
from energysim.graph.layers import LayerGraph, LayerKind
from energysim.graph.problem import Tensor, TensorProblem
from energysim.graph.trace import trace
from energysim.schedule.live import Content, live_at
from energysim.schedule.moments import moments, need_bytes
from energysim.schedule.plan import StackPlan, plan_stack, weight_words
from energysim.schedule.spatial import axis_maps
from energysim.schedule.values import Overlap, Stack

GRAPHS = plane_graphs()
Word = tuple[int, int]


def whole(graph: LayerGraph, tile: tuple[int, int] | None, overlap: Overlap, resident: bool = True) -> Stack:
    return Stack(tuple(layer.name for layer in graph.layers), tile, overlap, resident)


def floor_words(graph: LayerGraph) -> int:
    """Weights, network inputs and network outputs, once each (every word of these inputs is needed)."""
    weights = {name: words for layer in graph.layers for name, words in weight_words(graph, layer).items()}
    return sum(weights.values()) + sum(graph.edges[name].words for name in (*graph.inputs, *graph.outputs))


stacks = st.builds(
    lambda name, rows, columns, overlap: (GRAPHS[name], whole(GRAPHS[name], (rows, columns), overlap)),
    st.sampled_from(sorted(GRAPHS)),
    st.integers(1, 17),
    st.integers(1, 17),
    st.sampled_from(list(Overlap)),
)


def test_two_convolutions_run_through_line_buffers_without_recomputing() -> None:
    graph = valid_pair()
    plan = plan_stack(graph, whole(graph, (1, 1), Overlap.CACHE))
    assert plan.dram_words == 20 * 20 * 8 + 16 * 16 * 8 + 2 * 8 * 8 * 9 == 6400
    assert plan.need_bytes(8) <= 2064
    assert plan.macs_executed == graph.macs == (18 * 18 + 16 * 16) * 8 * 8 * 9


def test_need_of_a_recomputing_tile_by_hand() -> None:
    graph = valid_pair()
    plan = plan_stack(graph, whole(graph, (2, 4), Overlap.RECOMPUTE))
    # While the first layer runs: 6x8 of the ifmap, 4x6 of the map between, all weights.
    assert plan.need_bytes(8) == 8 * (6 * 8 + 4 * 6) + 2 * 576
    assert plan.need_bytes(16) == 2 * plan.need_bytes(8)
    assert {item.content for item in plan.need_at_peak(8)} == {Content.TILE, Content.WEIGHTS}
    streamed = plan_stack(graph, whole(graph, (2, 4), Overlap.RECOMPUTE, resident=False))
    assert streamed.need_bytes(8) == 8 * (6 * 8 + 4 * 6) + 576
    assert streamed.weight_load_words == 8 * 4 * 2 * 576
    assert plan.weight_load_words == 2 * 576


def test_residual_operand_stays_until_the_addition() -> None:
    graph = GRAPHS["residual"]
    plan = plan_stack(graph, whole(graph, None, Overlap.RECOMPUTE))
    operand = next(edge for edge in plan.edges if edge.edge == graph.layer("add.1").inputs[1])
    names = [layer.name for layer in graph.layers]
    assert graph.edges[operand.edge].shape == (1, 8, 7, 8)
    assert (operand.live_words, operand.last) == (8 * 7 * 8, names.index("add.1"))
    live = {(item.name, item.content) for item in live_at(plan.live_ranges(8), names.index("c"))}
    assert (operand.edge, Content.TILE) in live


@settings(max_examples=60, deadline=None)
@given(stacks)
def test_what_holds_for_every_tile_and_overlap(case: tuple[LayerGraph, Stack]) -> None:
    graph, stack = case
    plan = plan_stack(graph, stack)
    once = plan_stack(graph, whole(graph, None, Overlap.RECOMPUTE))
    assert plan.dram_words >= once.dram_words == floor_words(graph)
    assert once.macs_executed == graph.macs
    assert plan.stores == {name: graph.edges[name].words for name in graph.outputs}
    for layer in plan.layers:
        ofmap = graph.edges[graph.layer(layer.name).outputs[0]]
        assert sum(t.write_words * t.repeats for t in layer.tiles) >= (ofmap.words if layer.name != "pool" else 0)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(GRAPHS)), st.integers(1, 17), st.integers(1, 17))
def test_caching_more_computes_and_moves_less(name: str, rows: int, columns: int) -> None:
    graph = GRAPHS[name]
    plans = [plan_stack(graph, whole(graph, (rows, columns), overlap)) for overlap in Overlap]
    for more, less in pairwise(plans):
        assert more.macs_executed >= less.macs_executed
        assert more.dram_words >= less.dram_words
    # A transposed convolution's ifmap pixel adds to several tiles, and so is multiplied again in each.
    transposed = [layer.name for layer in graph.layers if layer.op.startswith("conv_transpose")]
    for layer in plans[-1].layers:
        if layer.name not in transposed:
            assert layer.macs_executed == graph.layer(layer.name).macs


class Walk:
    """Executes a plan on sets of (row, column), one channel of each feature map; knows the future, so that it holds
    exactly the words that some later step still reads."""

    def __init__(self, graph: LayerGraph, plan: StackPlan) -> None:
        self.graph, self.plan = graph, plan
        self.maps = [axis_maps(graph.layer(name), graph) or {} for name in plan.stack.layers]
        self.produced = {graph.layer(name).outputs[0] for name in plan.stack.layers}
        self.sweep: list[list[tuple[str, set[Word]]]] = []
        for i, j in product(range(len(plan.rows.tiles)), range(len(plan.columns.tiles))):
            self.sweep += self.tile(i, j)

    def tile(self, i: int, j: int) -> list[list[tuple[str, set[Word]]]]:
        steps = []
        for name, maps in zip(self.plan.stack.layers, self.maps, strict=True):
            output = self.graph.layer(name).outputs[0]
            rows, columns = self.plan.rows.fresh[output][i], self.plan.columns.fresh[output][j]
            used = [
                (edge, set(product(ones(row.touched(rows)), ones(column.touched(columns)))))
                for edge, (row, column) in maps.items()
            ]
            steps.append([*used, (output, set(product(range(*rows), range(*columns))))])
        return steps

    def check(self) -> None:
        """DRAM words and on-chip words of the walk against those of the plan."""
        layers, columns = len(self.plan.stack.layers), len(self.plan.columns.tiles)
        overlap = self.plan.stack.overlap
        limits = {edge.edge: edge for edge in self.plan.edges}
        most = [
            max(
                sum(i.size_bytes for i in live_at(m, step) if i.content is not Content.WEIGHTS)
                for m in moments(self.plan, 8)
            )
            for step in range(layers)
        ]
        loads = dict.fromkeys(self.plan.loads, 0)
        on_chip: dict[str, set[Word]] = {edge: set() for edge in limits}
        for time, step in enumerate(self.sweep):
            tile, position = divmod(time, layers)
            fresh_start = overlap is Overlap.RECOMPUTE or (overlap is Overlap.CACHE_COLUMNS and tile % columns == 0)
            horizon = (tile + 1) * layers
            if overlap is Overlap.CACHE_COLUMNS:
                horizon = (tile // columns + 1) * columns * layers
            elif overlap is Overlap.CACHE:
                horizon = len(self.sweep)
            if position == 0 and fresh_start:
                on_chip = {edge: set() for edge in limits}
            for edge, words in step[:-1]:
                missing = words - on_chip[edge]
                assert edge not in self.produced or not missing, "a word is read that was never computed"
                if missing:
                    loads[edge] += len(missing)
                    on_chip[edge] |= missing
            on_chip[step[-1][0]] |= step[-1][1]
            total = 0
            for edge, limit in limits.items():
                channels = self.graph.edges[edge].shape[1]
                bound = limit.live_words if limit.first <= position <= limit.last else limit.kept_words
                own = step[-1][1] if step[-1][0] == edge else set()
                future = {
                    w for later in self.sweep[time:horizon] for e, words in later[:-1] if e == edge for w in words
                }
                words_here = channels * len(on_chip[edge] & (future | own))
                assert words_here <= bound, (edge, position)
                total += words_here
            assert total <= most[position], "a tile holds more than any moment of the plan"
        for edge, words in loads.items():
            assert words * prod(self.graph.edges[edge].shape[:2]) == self.plan.loads[edge]


@settings(max_examples=60, deadline=None)
@given(stacks)
def test_the_tile_that_needs_most_needs_no_more_than_the_bound(case: tuple[LayerGraph, Stack]) -> None:
    graph, stack = case
    plan = plan_stack(graph, stack)
    assert need_bytes(plan, 8) <= plan.need_bytes(8)


def ones(mask: int) -> list[int]:
    return [x for x in range(mask.bit_length()) if mask >> x & 1]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["residual", "unet", "squeeze"]),
    st.integers(2, 9),
    st.integers(2, 9),
    st.sampled_from(list(Overlap)),
)
def test_walk_over_sets_of_words(name: str, rows: int, columns: int, overlap: Overlap) -> None:
    graph = GRAPHS[name]
    Walk(graph, plan_stack(graph, whole(graph, (rows, columns), overlap))).check()


def words_of(problem: TensorProblem, tensor: Tensor) -> int:
    """Existing words that the iteration space touches, by enumeration per rank."""
    words = 1
    for rank in tensor.ranks:
        reach = {rank.offset}
        for dim, coefficient in rank.terms:
            reach = {at + coefficient * step for at in reach for step in range(problem.bounds[dim])}
        words *= len([at for at in reach if rank.extent is None or 0 <= at < rank.extent])
    return words


@settings(max_examples=40, deadline=None)
@given(stacks)
def test_tile_problems_touch_the_words_of_their_tile(case: tuple[LayerGraph, Stack]) -> None:
    graph, stack = case
    for layer in plan_stack(graph, stack).layers:
        for tile in layer.tiles:
            if tile.problem is None:
                continue
            assert graph.layer(layer.name).kind is LayerKind.MAC
            assert words_of(tile.problem, tile.problem.tensor("ifmap")) == tile.read_words[0][1]
            assert words_of(tile.problem, tile.problem.tensor("ofmap")) == tile.write_words
            assert words_of(tile.problem, tile.problem.tensor("weights")) == layer.weights.words


def test_interior_tiles_are_one_class() -> None:
    graph = graph_of(nn.Conv2d(3, 4, 3, padding=1, bias=False), (34, 34))
    (layer,) = plan_stack(graph, whole(graph, (8, 8), Overlap.RECOMPUTE)).layers
    # Per axis: the first tile, three interior ones, the remainder of 2.
    assert sorted((t.rows, t.columns, t.repeats) for t in layer.tiles) == sorted(
        (r, c, m * n) for r, m in ((8, 1), (8, 3), (2, 1)) for c, n in ((8, 1), (8, 3), (2, 1))
    )


def test_images_of_a_batch_repeat_the_tiles_and_share_resident_weights() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Conv2d(4, 4, 3, bias=False))
    one, five = graph_of(model), graph_of(model, batch=5)
    stack = whole(one, (4, 4), Overlap.CACHE)
    single, batch = plan_stack(one, stack), plan_stack(five, stack)
    weights = 3 * 4 * 9 + 4 * 4 * 9
    assert batch.macs_executed == 5 * single.macs_executed
    assert batch.dram_words - weights == 5 * (single.dram_words - weights)
    assert batch.need_bytes(8) == single.need_bytes(8)
    assert plan_stack(five, whole(one, (4, 4), Overlap.CACHE, False)).weight_load_words == 5 * single.tiles * weights


def test_shared_weights_come_once_while_they_stay() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.conv(self.conv(x))
            return result

    graph = graph_of(Twice())
    assert plan_stack(graph, whole(graph, (4, 4), Overlap.CACHE)).weight_load_words == 81
    streamed = plan_stack(graph, whole(graph, (4, 4), Overlap.CACHE, resident=False))
    assert streamed.weight_load_words == 2 * 81 * streamed.tiles


def test_bytes_round_up_for_narrow_words() -> None:
    graph = graph_of(nn.Conv2d(1, 1, 1, bias=False), (1, 3), channels=1)
    sizes = [item.size_bytes for item in plan_stack(graph, whole(graph, None, Overlap.CACHE)).live_ranges(4)]
    assert sizes == [ceil(3 / 2), ceil(3 / 2), 1]


def test_bad_stacks_say_what_is_wrong() -> None:
    graph = graph_of(Classifier())
    with pytest.raises(NotFoundError, match=r"no layer 'body\.stemm'.*body\.stem"):
        plan_stack(graph, Stack(("body.stemm",)))
    with pytest.raises(EnergySimError, match="without layers"):
        plan_stack(graph, Stack(()))
    with pytest.raises(EnergySimError, match="consecutive"):
        plan_stack(graph, Stack(("body.stem", "body.b")))
    with pytest.raises(EnergySimError, match=r"'head' \(linear\) cannot be tiled"):
        plan_stack(graph, Stack(("head",)))


def test_a_view_inside_a_stack_is_refused() -> None:
    class Shuffled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.b(self.a(x).flip(1))
            return result

    graph = trace(Shuffled(), (torch.zeros(1, 4, 6, 6),))
    with pytest.raises(EnergySimError, match="end the stack before the view"):
        plan_stack(graph, Stack(("a", "b"), (2, 2)))
