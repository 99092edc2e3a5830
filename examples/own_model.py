"""A model of your own: `energysim simulate examples/own_model.py:build --input 1x3x96x96 --arch gemmini`."""

from __future__ import annotations

import torch
from torch import nn


class Block(nn.Module):
    """A depthwise-separable convolution with a residual connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.norm(self.pointwise(self.depthwise(x))))


def build() -> nn.Module:
    """Called by energysim without arguments; any nn.Module will do."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        Block(32),
        Block(32),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    )
