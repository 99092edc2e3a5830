"""Small networks that compute, DRAM or launches limit."""

from __future__ import annotations

from torch import nn


def convolutions() -> nn.Module:
    return nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1))


def layers_many() -> nn.Module:
    return nn.Sequential(*(nn.Conv2d(8, 8, 1, bias=False) for _ in range(12)))


def linear_wide() -> nn.Module:
    return nn.Sequential(nn.Linear(512, 512, bias=False), nn.ReLU(), nn.Linear(512, 256, bias=False))
