"""The variants: every layer runs once, nothing exceeds the buffer, and bad requests are refused."""

from __future__ import annotations

from math import ceil, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_nets import Classifier, Residual, UNet, graph_of, plane_graphs

from energysim.errors import EnergySimError, InfeasibleError, NotFoundError
from energysim.graph.layers import LayerGraph, LayerKind, TensorKind
from energysim.nn.zoo import lightweight_cnn, resnet18
from energysim.schedule.allocator import allocate
from energysim.schedule.buffering import candidates, largest_plane_bytes, retain, retained_ranges
from energysim.schedule.intervals import Interval
from energysim.schedule.moments import need_bytes
from energysim.schedule.plan import plan_stack
from energysim.schedule.spatial import axis_maps
from energysim.schedule.values import Overlap, Retained, Schedule, Stack
from energysim.schedule.variants import VARIANTS, make_schedule

GRAPHS = {
    **plane_graphs(),
    "classifier": graph_of(Classifier()),
    "batch": graph_of(Residual(), batch=3),
    "lightweight": graph_of(lightweight_cnn(), (32, 32)),
    "resnet18": graph_of(resnet18(), (32, 32)),
}
names = st.sampled_from(sorted(GRAPHS))
bits = st.sampled_from([4, 8, 16, 32])


def moving(graph: LayerGraph) -> list[str]:
    return [layer.name for layer in graph.layers if layer.kind is not LayerKind.VIEW]


@settings(max_examples=60, deadline=None)
@given(
    names,
    st.sampled_from(VARIANTS),
    st.tuples(st.integers(1, 33), st.integers(1, 33)),
    st.sampled_from(list(Overlap)),
    st.integers(1, 1 << 18),
    bits,
)
def test_every_layer_runs_once_in_order(
    name: str, variant: str, tile: tuple[int, int], overlap: Overlap, buffer: int, width: int
) -> None:
    graph = GRAPHS[name]
    schedule = make_schedule(graph, variant, bits=width, tile=tile, overlap=overlap, buffer_bytes=buffer)
    assert schedule.variant == variant
    assert [layer for stack in schedule.stacks for layer in stack.layers] == moving(graph)
    for stack in schedule.stacks:
        assert not stack.free or len(stack.layers) == 1
        if len(stack.layers) > 1:
            assert need_bytes(plan_stack(graph, stack), width) <= buffer


def test_meanings_of_the_variants_without_a_buffer() -> None:
    graph = GRAPHS["classifier"]
    plain, layerwise = make_schedule(graph, "plain"), make_schedule(graph, "layerwise")
    assert plain == Schedule("plain", tuple(Stack((name,)) for name in moving(graph)))
    assert layerwise == Schedule("layerwise", tuple(Stack((name,), free=True) for name in moving(graph)))
    tiled = make_schedule(graph, "tiled", tile=(4, 2))
    for stack in tiled.stacks:
        cut = axis_maps(graph.layer(stack.layers[0]), graph) is not None
        assert (stack.tile, stack.free, stack.overlap) == ((4, 2) if cut else None, not cut, Overlap.RECOMPUTE)
    assert [stack.layers for stack in tiled.stacks if stack.free] == [("head",)]


def test_full_fuses_everything_up_to_the_barrier_where_it_fits() -> None:
    graph = GRAPHS["classifier"]
    schedule = make_schedule(graph, "full", tile=(1, 1), overlap=Overlap.CACHE, capacity_bytes=1 << 16)
    assert [len(stack.layers) for stack in schedule.stacks] == [len(moving(graph)) - 1, 1]
    assert schedule.stacks[0].weights_resident
    assert schedule.stacks[1] == Stack(("head",), free=True)


def test_full_ends_a_stack_where_one_more_layer_would_not_fit() -> None:
    graph = GRAPHS["pair"]
    fused = Stack(("0", "1"), (1, 1), Overlap.CACHE)
    need = need_bytes(plan_stack(graph, fused), 8)
    fits = make_schedule(graph, "full", tile=(1, 1), overlap=Overlap.CACHE, buffer_bytes=need)
    assert fits.stacks == (fused,)
    # With one byte less, weights fetched for each of the 256 tiles would move more than two layers run alone.
    apart = make_schedule(graph, "full", tile=(1, 1), overlap=Overlap.CACHE, buffer_bytes=need - 1)
    assert apart.stacks == (Stack(("0",), free=True), Stack(("1",), free=True))
    # One tile: weights are fetched once in any case, and need not stay.
    once = make_schedule(graph, "full", tile=(16, 16), buffer_bytes=8 * (400 + 324) + 576)
    assert once.stacks == (Stack(("0", "1"), (16, 16), weights_resident=False),)


@settings(max_examples=60, deadline=None)
@given(names, st.integers(1, 1 << 17), bits)
def test_retained_maps_never_exceed_the_buffer(name: str, buffer: int, width: int) -> None:
    graph = GRAPHS[name]
    schedule = make_schedule(graph, "buffered", buffer_bytes=buffer, bits=width)
    ranges = retained_ranges(graph, schedule.retained, width)
    allocation = allocate(ranges, buffer)
    assert allocation.used_bytes <= buffer
    for keep, live in zip(schedule.retained, ranges, strict=True):
        edge = graph.edges[keep.edge]
        assert edge.kind is TensorKind.ACTIVATION
        share = edge.words if keep.channels is None else edge.words // edge.shape[1] * keep.channels
        assert live.size_bytes == ceil(share * width / 8)
        assert keep.channels is None or 0 < keep.channels < edge.shape[1]


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_everything_is_retained_where_the_buffer_is_large_and_more_in_a_larger_one(name: str) -> None:
    graph = GRAPHS[name]
    found = candidates(graph)
    kept = retain(graph, 1 << 30, 8)
    assert [keep.edge for keep in kept] == [item.edge for item in found]
    assert all(keep.channels is None for keep in kept)

    def saved(buffer: int) -> int:
        known = {item.edge: item for item in found}
        return sum(
            known[keep.edge].accesses * known[keep.edge].channel_words * (keep.channels or known[keep.edge].channels)
            for keep in retain(graph, buffer, 8)
        )

    traffic = [saved(1 << power) for power in range(4, 24)]
    assert traffic == sorted(traffic)
    assert traffic[-1] == sum(item.accesses * item.channel_words * item.channels for item in found)


def test_a_residual_operand_lives_until_its_addition_and_a_view_keeps_its_source() -> None:
    graph = GRAPHS["classifier"]
    position = {layer.name: index for index, layer in enumerate(graph.layers)}
    by_edge = {item.edge: item for item in candidates(graph)}
    joins = [layer.name for layer in graph.layers if layer.op == "add"]
    operand = graph.layer(joins[0]).outputs[0]
    assert (by_edge[operand].first, by_edge[operand].last) == (position[joins[0]], position[joins[1]])
    assert by_edge[operand].accesses == 3
    pooled = graph.layer("pool").outputs[0]
    assert (by_edge[pooled].last, by_edge[pooled].divisible) == (position["head"], False)
    assert not by_edge.keys() & {*graph.inputs, *graph.outputs}


def test_first_channels_of_a_map_that_does_not_fit_whole() -> None:
    graph = graph_of(UNet(), (12, 16))
    assert largest_plane_bytes(graph, 8) == 12 * 16
    schedule = make_schedule(graph, "buffered", buffer_channels=3)
    assert schedule.buffer_bytes == 3 * 12 * 16
    # Layers: down, pool, deep, up, cat, last; maps of 192 and 48 B per channel. In 576 B, pool (192) and deep (288)
    # stay whole; beside deep, 288 B are left for up, and beside that channel 384 B for cat; down (five steps) finds 96.
    assert schedule.retained == (Retained("pool"), Retained("deep"), Retained("up", 1), Retained("cat", 2))


def test_tiled_pooling_reads_its_halo_again() -> None:
    graph = GRAPHS["unet"]
    stack = next(s for s in make_schedule(graph, "tiled", tile=(2, 3)).stacks if s.layers == ("pool",))
    plan = plan_stack(graph, stack)
    rows, columns = axis_maps(graph.layer("pool"), graph)[graph.layer("pool").inputs[0]]  # type: ignore[index]
    expected = prod(
        sum(axis.need(Interval(at, min(at + t, axis.size_out))).size for at in range(0, axis.size_out, t))
        for axis, t in ((rows, 2), (columns, 3))
    )
    assert plan.dram_read_words == 4 * expected


def test_bad_requests() -> None:
    graph = GRAPHS["pair"]
    with pytest.raises(NotFoundError, match=r"unknown variant 'tild'.*'tiled'"):
        make_schedule(graph, "tild")
    with pytest.raises(EnergySimError, match="'tiled' has no tile"):
        make_schedule(graph, "tiled")
    with pytest.raises(EnergySimError, match="'buffered' has no buffer"):
        make_schedule(graph, "buffered", capacity_bytes=1000)
    with pytest.raises(EnergySimError, match="'full' has no buffer"):
        make_schedule(graph, "full", tile=(1, 1))
    with pytest.raises(EnergySimError, match="one of the two"):
        make_schedule(graph, "buffered", buffer_bytes=4, buffer_channels=4)
    with pytest.raises(EnergySimError, match="at least one byte"):
        make_schedule(graph, "buffered", buffer_channels=0)
    with pytest.raises(EnergySimError, match="tile of 0x4"):
        make_schedule(graph, "tiled", tile=(0, 4))
    with pytest.raises(InfeasibleError, match=r"2,000 bytes does not fit in 1,000"):
        make_schedule(graph, "buffered", buffer_bytes=2000, capacity_bytes=1000)
