"""Plane maps against the operators themselves: change one ifmap row or column, see which of the ofmap changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from energysim.graph.layers import LayerKind
from energysim.graph.trace import trace
from energysim.schedule.intervals import Interval
from energysim.schedule.spatial import axis_maps


class Call(nn.Module):
    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


PLANE = (1, 3, 11, 12)
LOCAL: dict[str, tuple[nn.Module, tuple[tuple[int, ...], ...]]] = {
    "conv": (nn.Conv2d(3, 2, (3, 5), stride=(2, 1), padding=(1, 3), dilation=(1, 2)), (PLANE,)),
    "depthwise": (nn.Conv2d(3, 3, 3, padding="same", groups=3), (PLANE,)),
    "pointwise, strided": (nn.Conv2d(3, 2, 1, stride=3), (PLANE,)),
    "transposed": (nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1), (PLANE,)),
    "transposed, dilated": (nn.ConvTranspose2d(3, 2, (2, 3), stride=(3, 1), padding=(0, 2), dilation=2), (PLANE,)),
    "average pool": (nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), (PLANE,)),
    "adaptive pool": (nn.AdaptiveAvgPool2d((11, 4)), (PLANE,)),
    "global pool": (nn.AdaptiveAvgPool2d(1), (PLANE,)),
    "mean": (Call(lambda x: x.mean((2, 3), keepdim=True)), (PLANE,)),
    "mean of columns": (Call(lambda x: x.mean(3, keepdim=True)), (PLANE,)),
    "mean of channels": (Call(lambda x: x.mean(1, keepdim=True)), (PLANE,)),
    "batch norm": (nn.BatchNorm2d(3), (PLANE,)),
    "activation": (nn.SiLU(), (PLANE,)),
    "add": (Call(lambda a, b: a + b), (PLANE, PLANE)),
    "scale": (Call(lambda a, b: a * b), (PLANE, (1, 3, 1, 1))),
    "scale of rows": (Call(lambda a, b: a * b), (PLANE, (1, 1, 11, 1))),
    "channels concatenated": (Call(lambda a, b: torch.cat([a, b], 1)), (PLANE, (1, 5, 11, 12))),
    "nearest": (nn.Upsample(scale_factor=2), (PLANE,)),
}


def changed(model: nn.Module, inputs: list[Tensor], source: int, axis: int, at: int) -> set[int]:
    """Coordinates of the result along ``axis`` that depend on coordinate ``at`` of one input."""
    other = [item.clone() for item in inputs]
    other[source].select(axis, at).add_(1.7)
    moved = (model(*inputs) != model(*other)).movedim(axis, 0).flatten(1).any(1)
    return {index for index, hit in enumerate(moved.tolist()) if hit}


@pytest.mark.parametrize("name", LOCAL)
def test_dependencies_are_those_of_the_operator(name: str) -> None:
    model, shapes = LOCAL[name]
    torch.manual_seed(0)
    inputs = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    graph = trace(model.double().eval(), tuple(inputs))
    (layer,) = graph.layers
    maps = axis_maps(layer, graph)
    assert maps is not None and tuple(maps) == layer.inputs
    with torch.no_grad():
        for source, edge in enumerate(graph.inputs):
            for axis in (0, 1):
                found = maps[edge][axis]
                assert found.size_in == shapes[source][2 + axis]
                for at in range(found.size_in):
                    claimed = {x for x in range(found.size_out) if found.touched(Interval(x, x + 1)) >> at & 1}
                    assert changed(model, inputs, source, 2 + axis, at) == claimed, (edge, axis, at)


BARRIERS: dict[str, tuple[nn.Module, tuple[tuple[int, ...], ...]]] = {
    "softmax": (nn.Softmax(2), (PLANE,)),
    "linear over columns": (nn.Linear(12, 4), (PLANE,)),
    "flatten": (nn.Flatten(), (PLANE,)),
    "layer norm": (nn.LayerNorm([3, 11, 12]), (PLANE,)),
    "group norm": (nn.GroupNorm(1, 3), (PLANE,)),
    "pixel shuffle": (nn.PixelShuffle(2), ((1, 4, 6, 6),)),
    "bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), (PLANE,)),
    "nearest by 1.5": (nn.Upsample(scale_factor=1.5), ((1, 3, 4, 4),)),
    "uneven adaptive pool": (nn.AdaptiveAvgPool2d(5), (PLANE,)),
    "rows concatenated": (Call(lambda a, b: torch.cat([a, b], 2)), (PLANE, PLANE)),
    "images concatenated": (Call(lambda a, b: torch.cat([a, b], 0)), (PLANE, PLANE)),
    "running sum": (Call(lambda a: a.cumsum(2)), (PLANE,)),
    "kernel computed by the network": (Call(lambda a, w: F.conv2d(a, w)), (PLANE, (2, 3, 3, 3))),
    "one image added to several": (Call(lambda a, b: a + b), ((2, 3, 4, 4), (1, 3, 4, 4))),
    "1-d convolution": (nn.Conv1d(3, 4, 3), ((1, 3, 9),)),
    "3-d convolution": (nn.Conv3d(3, 4, 3), ((1, 3, 5, 5, 5),)),
    "no batch axis": (nn.Conv2d(3, 4, 3), ((3, 9, 9),)),
}


@pytest.mark.parametrize("name", BARRIERS)
def test_what_is_not_local_in_the_plane_is_a_barrier(name: str) -> None:
    model, shapes = BARRIERS[name]
    graph = trace(model, tuple(torch.randn(shape) for shape in shapes))
    assert graph.layers
    assert [axis_maps(layer, graph) for layer in graph.layers] == [None] * len(graph.layers)


def test_a_view_that_repeats_words_is_no_plane() -> None:
    model = Call(lambda a, b: a + b.expand(1, 3, 4, 4))
    graph = trace(model, (torch.randn(1, 3, 4, 4), torch.randn(1, 3, 4, 1)))
    kinds = {layer.kind: axis_maps(layer, graph) for layer in graph.layers}
    assert kinds == {LayerKind.VIEW: None, LayerKind.VECTOR: None}


class _StackedRows(nn.Module):
    """Concatenates two maps of one row along the rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        row = x.mean(2, keepdim=True)
        return torch.cat((row, row * 2), dim=2)


def test_concatenation_along_the_plane_is_a_barrier() -> None:
    graph = trace(_StackedRows(), (torch.zeros(1, 3, 4, 1),))
    (layer,) = [layer for layer in graph.layers if layer.op == "cat"]
    assert axis_maps(layer, graph) is None
