"""Gates that weigh what a block computed: by channel, and by place."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

REDUCTION = 16
SPATIAL_KERNEL = 7


class SqueezeExcitation(nn.Module):
    """[N, C, H, W] times one number per channel, from the channels' means (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, reduction: int = REDUCTION) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.expand = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.expand(F.relu(self.reduce(self.squeeze(x)))).sigmoid()
        return x * gate


class SpatialGate(nn.Module):
    """[N, C, H, W] times one number per place, from the mean and the largest of its channels (Woo et al., ECCV 2018).

    2 x 7 x 7 weights, no bias.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2, 1, SPATIAL_KERNEL, padding=SPATIAL_KERNEL // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.cat((x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)), dim=1)
        gate: Tensor = self.mix(seen).sigmoid()
        return x * gate


class CBAMLite(nn.Sequential):
    """The convolutional block attention module, lighter: channels first, then places, as there; but the channels'
    gate sees their means only (it is squeeze-and-excitation), and the places' has no BatchNorm.

    The write-up that asks for "CBAM-lite" does not say what is left out.
    """

    def __init__(self, channels: int, reduction: int = REDUCTION) -> None:
        super().__init__(SqueezeExcitation(channels, reduction), SpatialGate())
