"""Small networks for schedules, traced."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from energysim.graph.layers import LayerGraph
from energysim.graph.trace import trace


class Residual(nn.Module):
    """A strided block with a 1x1 shortcut, then a block whose shortcut is the map itself."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.a = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=False)
        self.b = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, bias=False)
        self.short = nn.Conv2d(channels, 2 * channels, 1, stride=2, bias=False)
        self.c = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        x = (self.b(self.a(x).relu()) + self.short(x)).relu()
        result: Tensor = self.c(x) + x
        return result


class UNet(nn.Module):
    """One level down and up, by a transposed convolution, with a skip concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.deep = nn.Conv2d(4, 6, 3, padding=1)
        self.up = nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1)
        self.last = nn.Conv2d(8, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        skip = self.down(x).relu()
        deep = self.up(self.deep(self.pool(skip)).relu())
        result: Tensor = self.last(torch.cat([skip, deep], 1))
        return result


class Squeeze(nn.Module):
    """Depthwise, with a dilated asymmetric kernel, and a squeeze-and-excitation scale."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(3, 6, (3, 5), stride=(2, 1), padding=(1, 4), dilation=(1, 2))
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.scale = nn.Conv2d(6, 6, 1)
        self.out = nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(self.wide(x))
        result: Tensor = self.out(x * self.scale(self.pool(x)).sigmoid())
        return result


class Classifier(nn.Module):
    """A barrier at the end: pooling, flatten, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Residual()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.pool(self.body(x)).flatten(1))
        return result


def graph_of(model: nn.Module, size: tuple[int, int] = (13, 16), channels: int = 3, batch: int = 1) -> LayerGraph:
    return trace(model, (torch.zeros(batch, channels, *size),))


def valid_pair() -> LayerGraph:
    """Two valid 3x3 convolutions 8-8-8 with a 16x16 ofmap."""
    model = nn.Sequential(nn.Conv2d(8, 8, 3, bias=False), nn.Conv2d(8, 8, 3, bias=False))
    return graph_of(model, (20, 20), 8)


def plane_graphs() -> dict[str, LayerGraph]:
    """Graphs without a barrier, by name."""
    return {
        "residual": graph_of(Residual()),
        "unet": graph_of(UNet(), (12, 16)),
        "squeeze": graph_of(Squeeze()),
        "pair": valid_pair(),
    }
