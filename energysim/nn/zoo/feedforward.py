"""The three-layer feed-forward network, the other side of the ResNet comparison."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

HIDDEN = (512, 256)


class FeedForward(nn.Module):
    """[N, ...] images, flattened to ``in_features`` numbers each, to [N, num_classes] logits."""

    def __init__(self, in_features: int, hidden: Sequence[int], num_classes: int) -> None:
        super().__init__()
        widths = (in_features, *hidden)
        layers: list[nn.Module] = []
        for width_in, width_out in zip(widths, hidden, strict=False):
            layers += [nn.Linear(width_in, width_out), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], num_classes))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images.flatten(1))
        return logits


def ffnn(num_classes: int = 100, in_features: int = 3072, hidden: Sequence[int] = HIDDEN) -> FeedForward:
    """Three linear layers, 3072-512-256-classes: 1,730,404 parameters, 1,729,536 MACs with 100 classes."""
    return FeedForward(in_features, hidden, num_classes)
