"""ResNets for 32x32 images: a 3x3 stem without max-pooling and four stages (He et al., CVPR 2016)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (64, 128, 256, 512)


def _conv_bn(in_channels: int, out_channels: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class BasicBlock(nn.Module):
    """relu(conv3x3(relu(conv3x3(x))) + shortcut(x)); the shortcut is a 1x1 convolution where shapes differ."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.first = _conv_bn(in_channels, out_channels, 3, stride)
        self.second = _conv_bn(out_channels, out_channels, 3, 1)
        same = stride == 1 and in_channels == out_channels
        self.shortcut: nn.Module = nn.Identity() if same else _conv_bn(in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.second(F.relu(self.first(x), inplace=True))
        return F.relu(residual + self.shortcut(x), inplace=True)


class CifarResNet(nn.Module):
    """[N, 3, H, W] to [N, num_classes] logits; stages after the first halve the plane."""

    def __init__(self, blocks: Sequence[int], num_classes: int = 100, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.stem = _conv_bn(3, widths[0], 3, 1)
        stages, in_channels = [], widths[0]
        for index, (count, width) in enumerate(zip(blocks, widths, strict=True)):
            first = BasicBlock(in_channels, width, 1 if index == 0 else 2)
            stages.append(nn.Sequential(first, *(BasicBlock(width, width, 1) for _ in range(count - 1))))
            in_channels = width
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.pool(self.stages(F.relu(self.stem(images), inplace=True)))
        logits: Tensor = self.classifier(features.flatten(1))
        return logits


def resnet18(num_classes: int = 100) -> CifarResNet:
    """11,220,132 parameters with 100 classes; 555,468,800 MACs on one 3x32x32 image."""
    return CifarResNet((2, 2, 2, 2), num_classes)
