"""Tiles with too little overlap: what changes, and what is moved."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from energysim.nn.zoo import lightweight_cnn
from energysim.schedule.variants import make_schedule
from energysim.train.overlap import OverlapError, OverlapPoint, overlap_study
from energysim.workload import workload_of

SHAPE = (3, 16, 16)


@pytest.fixture(scope="module")
def batches() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(32, *SHAPE, generator=generator), torch.randint(0, 10, (32,), generator=generator))]


@pytest.fixture(scope="module")
def points(batches: list[tuple[Tensor, Tensor]]) -> dict[tuple[int | None, int | None], OverlapPoint]:
    torch.manual_seed(0)
    model = lightweight_cnn(10).eval()
    return {(point.tile, point.overlap): point for point in overlap_study(model, batches, SHAPE, (1, 2, 4, 8, 16))}


def test_exact_overlap_changes_no_answer(points: dict[tuple[int | None, int | None], OverlapPoint]) -> None:
    uncut = points[None, None]
    for (_, overlap), point in points.items():
        if overlap is None:
            assert point.changed == 0 and point.top1 == uncut.top1
            assert point.deviation < 1e-5  # of float32's sums in another order


def test_less_overlap_deviates_more(points: dict[tuple[int | None, int | None], OverlapPoint]) -> None:
    """The planes are 8x8 and 4x4: smaller tiles lose more pixels, and so does an overlap of 0 than of 1."""
    assert points[2, 0].deviation > points[2, 1].deviation > 1e-3
    assert min(points[1, 0].deviation, points[1, 1].deviation) > points[4, 0].deviation > 1e-3
    assert points[4, 1].deviation < 1e-5  # only the first layer is cut, and its stride of 2 needs no more than 1
    assert points[8, 0].deviation < 1e-5  # nothing is cut: no overlap to lose
    assert {overlap for tile, overlap in points if tile == 4} == {None, 0, 1}


def test_less_overlap_moves_less(points: dict[tuple[int | None, int | None], OverlapPoint]) -> None:
    for tile in (1, 2):
        assert points[tile, None].words > points[tile, 1].words > points[tile, 0].words
    assert points[4, None].words == points[4, 1].words > points[4, 0].words
    assert points[1, None].words > points[2, None].words > points[4, None].words > points[8, None].words
    assert points[8, None].words == points[16, None].words == points[None, None].words


def test_words_are_those_of_the_tiled_schedule(points: dict[tuple[int | None, int | None], OverlapPoint]) -> None:
    """What the convolutions move, exact, equals what the schedule `tiled` plans for them."""
    from energysim.schedule.plan import plan_stack

    graph = workload_of(lightweight_cnn(10).eval(), "1x3x16x16").trace()
    for tile in (1, 2, 4):
        total = 0
        for stack in make_schedule(graph, "tiled", tile=(tile, tile)).stacks:
            layer = graph.layer(stack.layers[0])
            if layer.op == "conv2d":
                plan = plan_stack(graph, stack)
                total += sum(plan.loads.values()) + sum(plan.stores.values())
                total += sum(item.weights.words for item in plan.layers)
        assert points[tile, None].words == total


def test_nothing_to_cut(batches: list[tuple[Tensor, Tensor]]) -> None:
    with pytest.raises(OverlapError, match="no convolution"):
        list(overlap_study(nn.Sequential(nn.Flatten(), nn.Linear(768, 10)), batches, SHAPE, (2,)))
