"""The enhanced CNN: depthwise-separable residual blocks with attention, and a 1x1 convolution as head."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from energysim.errors import EnergySimError, did_you_mean
from energysim.nn.zoo.attention import CBAMLite, SqueezeExcitation
from energysim.nn.zoo.stochastic_depth import StochasticDepth

STEM = 32
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1))
"""Channels and stride of every block."""
ATTENTION = {"se": SqueezeExcitation, "cbam_lite": CBAMLite, "none": nn.Identity}


class AttentionError(EnergySimError):
    """An attention that does not exist."""


class SeparableBlock(nn.Module):
    """relu(attention(1x1(relu(depthwise 3x3(x)))) + shortcut(x)), BatchNorm after each convolution of the branch.

    Without ``residual`` there is no shortcut.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, attention: str = "se", residual: bool = True
    ) -> None:
        super().__init__()
        self.depthwise = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 3, stride=stride, padding=1, groups=in_channels, bias=False),
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
        )
        self.pointwise = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
        )
        self.attention: nn.Module = ATTENTION[attention](out_channels)
        self.drop = StochasticDepth()
        same = stride == 1 and in_channels == out_channels
        self.shortcut: nn.Module | None = None
        if residual and same:
            self.shortcut = nn.Identity()
        elif residual:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.attention(self.pointwise(self.depthwise(x)))
        return F.relu(branch if self.shortcut is None else self.drop(branch) + self.shortcut(x))


class EnhancedCNN(nn.Module):
    """[N, 3, H, W] to [N, num_classes] logits."""

    def __init__(
        self, num_classes: int = 10, dropout: float = 0.5, attention: str = "se", residual: bool = True
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, STEM, 3, padding=1, bias=False), nn.BatchNorm2d(STEM), nn.ReLU(inplace=True)
        )
        widths = (STEM, *(width for width, _ in BLOCKS))
        self.blocks = nn.Sequential(
            *(SeparableBlock(a, b, stride, attention, residual) for a, (b, stride) in zip(widths, BLOCKS, strict=False))
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(widths[-1], num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.pool(self.blocks(self.stem(images)))))
        return logits.flatten(1)


def enhanced_cnn(
    num_classes: int = 10, dropout: float = 0.5, attention: str = "se", residual: bool = True
) -> EnhancedCNN:
    """Depthwise-separable, residual, with squeeze-and-excitation (``se``, a reduction of 16) or ``cbam_lite``.

    What they add shows without them: ``attention`` may be ``none``, ``residual`` false. Raises AttentionError for an
    attention that does not exist.
    """
    if attention not in ATTENTION:
        hint = did_you_mean(attention, ATTENTION) or f"one of {', '.join(ATTENTION)}"
        raise AttentionError(f"unknown attention {attention!r}", hint=hint)
    return EnhancedCNN(num_classes, dropout, attention, residual)
