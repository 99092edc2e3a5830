"""ResNets for 32x32 images, by depth and width, with or without shortcuts (He et al., CVPR 2016).

Depths 10, 18 and 34 are the four-stage networks of the paper's table 1 with a 3x3 stem instead of 7x7 and max-pooling;
depth 6n + 2 is its section 4.2: three stages of n blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from energysim.errors import EnergySimError, did_you_mean
from energysim.nn.zoo.stochastic_depth import StochasticDepth

WIDTHS = (64, 128, 256, 512)
FOUR_STAGES = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
INITS = ("default", "xavier")


class DepthError(EnergySimError):
    """A depth, width or initialization that no ResNet of this family has."""


def _conv_bn(in_channels: int, out_channels: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class BasicBlock(nn.Module):
    """relu(conv3x3(relu(conv3x3(x))) + shortcut(x)); the shortcut is a 1x1 convolution where shapes differ.

    Without ``has_shortcut`` nothing is added: the plain network that the paper compares with.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, has_shortcut: bool = True) -> None:
        super().__init__()
        self.first = _conv_bn(in_channels, out_channels, 3, stride)
        self.second = _conv_bn(out_channels, out_channels, 3, 1)
        same = stride == 1 and in_channels == out_channels
        self.shortcut: nn.Module | None = None
        if has_shortcut:
            self.drop = StochasticDepth()
            self.shortcut = nn.Identity() if same else _conv_bn(in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.second(F.relu(self.first(x), inplace=True))
        if self.shortcut is not None:
            residual = self.drop(residual) + self.shortcut(x)
        return F.relu(residual, inplace=True)


class CifarResNet(nn.Module):
    """[N, 3, H, W] to [N, num_classes] logits; stages after the first halve the plane."""

    def __init__(
        self,
        blocks: Sequence[int],
        num_classes: int = 100,
        widths: Sequence[int] = WIDTHS,
        shortcut: bool = True,
    ) -> None:
        super().__init__()
        self.stem = _conv_bn(3, widths[0], 3, 1)
        stages, in_channels = [], widths[0]
        for index, (count, width) in enumerate(zip(blocks, widths, strict=True)):
            first = BasicBlock(in_channels, width, 1 if index == 0 else 2, shortcut)
            stages.append(nn.Sequential(first, *(BasicBlock(width, width, 1, shortcut) for _ in range(count - 1))))
            in_channels = width
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.pool(self.stages(F.relu(self.stem(images), inplace=True)))
        logits: Tensor = self.classifier(features.flatten(1))
        return logits


def cifar_resnet(
    depth: int = 34,
    width: int | None = None,
    shortcut: bool = True,
    init: str = "default",
    num_classes: int = 100,
) -> CifarResNet:
    """A ResNet by depth (10, 18, 34 or 6n + 2), channels of its first stage (64, or 16 for 6n + 2; each stage doubles
    them), shortcuts on or off, and initialization (PyTorch's default, or Xavier's uniform one of convolutions and
    linear layers).

    Raises DepthError naming the next depths that exist, or for a width below 1 or an unknown initialization.
    """
    if init not in INITS:
        raise DepthError(f"unknown initialization {init!r}", hint=did_you_mean(init, INITS) or " or ".join(INITS))
    blocks = _blocks(depth)
    base = width if width is not None else (64 if len(blocks) == 4 else 16)
    if base < 1:
        raise DepthError(f"a width of {base} channels is no network", hint="1 or more")
    model = CifarResNet(blocks, num_classes, [base * 2**stage for stage in range(len(blocks))], shortcut)
    if init == "xavier":
        xavier(model)
    return model


def xavier(model: nn.Module) -> None:
    """Xavier's uniform initialization of every convolution and linear layer; biases become zero."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _blocks(depth: int) -> tuple[int, ...]:
    if depth in FOUR_STAGES:
        return FOUR_STAGES[depth]
    count, rest = divmod(depth - 2, 6)
    if count >= 1 and rest == 0:
        return (count,) * 3
    near = sorted({*FOUR_STAGES, *(6 * n + 2 for n in range(1, depth // 6 + 3))}, key=lambda known: abs(known - depth))
    nearest = ", ".join(str(known) for known in sorted(near[:4]))
    raise DepthError(f"no ResNet of depth {depth}", hint=f"10, 18, 34 or 6n + 2; the next are {nearest}")


def resnet18(num_classes: int = 100) -> CifarResNet:
    """11,220,132 parameters with 100 classes; 555,468,800 MACs on one 3x32x32 image."""
    return cifar_resnet(18, num_classes=num_classes)


def resnet34(num_classes: int = 100) -> CifarResNet:
    """21,328,292 parameters with 100 classes; 1,159,448,576 MACs on one 3x32x32 image."""
    return cifar_resnet(34, num_classes=num_classes)
