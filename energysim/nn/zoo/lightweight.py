"""The lightweight CNN for 32x32 images: five 3x3 convolutions, global average pooling, one linear layer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

CHANNELS = (16, 32, 64, 128, 128)
STRIDES = (2, 2, 1, 1, 1)


def conv_bn_relu(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """3x3 convolution without bias, BatchNorm, ReLU; [N, in, H, W] to [N, out, ceil(H / stride), ceil(W / stride)]."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class LightweightCNN(nn.Module):
    """[N, in_channels, H, W] to [N, num_classes] logits."""

    def __init__(
        self,
        num_classes: int = 100,
        channels: Sequence[int] = CHANNELS,
        strides: Sequence[int] = STRIDES,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        widths = (in_channels, *channels)
        self.features = nn.Sequential(
            *(conv_bn_relu(a, b, stride) for a, b, stride in zip(widths, channels, strides, strict=False))
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.pool(self.features(images))
        logits: Tensor = self.classifier(features.flatten(1))
        return logits


def lightweight_cnn(num_classes: int = 100) -> LightweightCNN:
    """258,292 parameters with 100 classes; 15,753,728 MACs on one 3x32x32 image."""
    return LightweightCNN(num_classes)
