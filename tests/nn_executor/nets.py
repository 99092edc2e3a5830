"""Small networks with every kind of layer that the executor cuts, and random schedules for any network."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from energysim.errors import EnergySimError
from energysim.graph.layers import LayerGraph, LayerKind, TensorKind
from energysim.schedule.plan import plan_stack
from energysim.schedule.spatial import axis_maps
from energysim.schedule.values import Overlap, Retained, Schedule, Stack


def _conv_bn_relu(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """Two scales down and up again; skips are concatenated, one upsampling is transposed, one nearest."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.down = nn.ModuleList([_conv_bn_relu(3, width), _conv_bn_relu(width, 2 * width)])
        self.bottom = _conv_bn_relu(2 * width, 4 * width)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.merge = nn.ModuleList([_conv_bn_relu(4 * width, 2 * width), _conv_bn_relu(2 * width, width)])
        self.nearest = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(2 * width, width, 1))
        self.head = nn.Conv2d(width, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        high = self.down[0](images)
        middle = self.down[1](self.pool(high))
        low = self.bottom(self.pool(middle))
        middle = self.merge[0](torch.cat([self.up(low), middle], 1))
        high = self.merge[1](torch.cat([self.nearest(middle), high], 1))
        return self.head(high)


class Fsrcnn(nn.Module):
    """Valid convolutions, PReLU, and a transposed convolution whose windows overlap."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((1, 8, 5), (8, 4, 1), (4, 4, 3), (4, 4, 3), (4, 8, 1))
        self.body = nn.Sequential(*(m for a, b, k in widths for m in (nn.Conv2d(a, b, k), nn.PReLU(b))))
        self.enlarge = nn.ConvTranspose2d(8, 1, 9, stride=3, padding=4, output_padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.enlarge(self.body(images))


class Oddities(nn.Module):
    """Strides beyond the kernel, dilation, groups, kernels that are not square, averages at borders, gates, views."""

    def __init__(self) -> None:
        super().__init__()
        self.holes = nn.Conv2d(4, 8, 1, stride=2)
        self.wide = nn.Conv2d(4, 8, (3, 5), stride=2, padding=(1, 2), dilation=(1, 1), groups=2)
        self.atrous = nn.Conv2d(8, 8, 3, dilation=2, groups=8)
        self.average = nn.AvgPool2d(2, stride=1, padding=1, count_include_pad=False)
        self.ceiling = nn.AvgPool2d(2, stride=2, ceil_mode=True)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.ReLU())
        self.spread = nn.ConvTranspose2d(8, 4, 3, stride=4, padding=1)
        self.head = nn.Linear(4, 3)
        self.bias = nn.Parameter(torch.zeros(1, 8, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        both = self.holes(images) + self.wide(images)
        both = torch.relu(self.atrous(both) + self.bias)
        both = both * self.gate(both)
        both = self.ceiling(self.average(both))
        left, right = both.chunk(2, dim=1)
        large = self.spread(torch.cat([right, left], 1))
        return self.head(large.amax((2, 3)))


class Borders(nn.Module):
    """Even kernels padded on one side, dilation and strides that differ by axis, grouped transposed convolutions, a
    map concatenated with itself and read by several layers, averages that count padding, windows cut by ceil_mode."""

    def __init__(self) -> None:
        super().__init__()
        self.even = nn.Conv2d(3, 4, (2, 4), padding="same")
        self.wide = nn.Conv2d(4, 6, (1, 7), stride=(1, 2), padding=(0, 3))
        self.atrous = nn.Conv2d(6, 6, (3, 2), padding=(2, 1), dilation=(2, 3), groups=3)
        self.deep = nn.Conv2d(6, 12, 3, stride=(2, 1), padding=(1, 0), groups=6)
        self.up = nn.ConvTranspose2d(
            24, 6, (3, 4), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=3, dilation=(1, 2)
        )
        self.maximum = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.mean = nn.AvgPool2d((3, 2), (2, 1), padding=(1, 1), count_include_pad=True, ceil_mode=True)
        self.quarter = nn.AvgPool2d(3, 1, 1, divisor_override=4)
        self.skipping = nn.MaxPool2d(1, 3)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        deep = self.deep(self.atrous(self.wide(torch.relu(self.even(images)))))
        up = self.up(torch.cat([deep, deep], 1))
        both = torch.cat([up, self.quarter(up)], 1)
        return self.maximum(both), self.mean(both), both + both, self.skipping(both)


class Attention(nn.Module):
    """Fused attention over picked rows, with and without a mask: layers that are parts of one operator."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.order = nn.Buffer(torch.tensor([2, 0, 1, 3]))
        self.mask = nn.Buffer(torch.ones(4, 4).triu(1) * -2)

    def forward(self, rows: Tensor) -> Tensor:
        rows = rows[:, self.order]
        plain, _ = self.attend(rows, rows, rows, need_weights=False)
        masked, _ = self.attend(rows, rows, rows, need_weights=False, attn_mask=self.mask)
        return plain + masked


@st.composite
def schedules(draw: st.DrawFn, graph: LayerGraph, most_tiles: int = 10) -> Schedule:
    """Consecutive layers joined at random, each stack with its own tile, overlap mode and place of its weights, and
    feature maps retained at random."""
    stacks: list[Stack] = []
    current: list[str] = []
    room = draw(st.integers(1, 14))
    for layer in graph.layers:
        if layer.kind is LayerKind.VIEW:
            continue
        if not current or len(current) >= room or not _joins(graph, (*current, layer.name)):
            if current:
                stacks.append(draw(_cut(graph, tuple(current), most_tiles)))
            current, room = [], draw(st.integers(1, 14))
        current.append(layer.name)
    stacks.append(draw(_cut(graph, tuple(current), most_tiles)))
    return Schedule("full", tuple(stacks), draw(_retained(graph)))


def _joins(graph: LayerGraph, names: tuple[str, ...]) -> bool:
    if any(axis_maps(graph.layer(name), graph) is None for name in names):
        return False
    try:
        plan_stack(graph, Stack(names))
    except EnergySimError:
        return False
    return True


@st.composite
def _cut(draw: st.DrawFn, graph: LayerGraph, names: tuple[str, ...], most_tiles: int) -> Stack:
    last = graph.layer(names[-1])
    if axis_maps(last, graph) is None:
        return Stack(names)
    sides = graph.edges[last.outputs[0]].shape[2:]
    rows, columns = (draw(st.integers(-(-side // most_tiles), side + 1)) for side in sides)
    tile = draw(st.sampled_from([None, (rows, columns), (rows, columns), (rows, columns)]))
    return Stack(names, tile, draw(st.sampled_from(Overlap)), draw(st.booleans()))


@st.composite
def _retained(draw: st.DrawFn, graph: LayerGraph) -> tuple[Retained, ...]:
    found = []
    for edge in graph.edges.values():
        if edge.kind is TensorKind.ACTIVATION and edge.storage == edge.name and edge.name in graph.producers:
            viewed = any(graph.layer(name).kind is LayerKind.VIEW for name in graph.consumers.get(edge.name, ()))
            if draw(st.integers(0, 4)) == 0:
                part = None if viewed or len(edge.shape) != 4 else draw(st.integers(1, edge.shape[1]))
                found.append(Retained(edge.name, draw(st.sampled_from([None, part]))))
    return tuple(found)
