"""The dual CNN: two equal small networks, one trained on raw and one on augmented images, whose features are joined.

Sub-model: conv 10 - pool - conv 20 - pool - dense 128 - dropout 0.3 - softmax (the loss has the softmax: the network
ends in logits). The size of its pooling is not given where the network comes from. With 2x2 windows the dense layer
alone has 1280 x 128 weights and the dual network 334,706 parameters; with 4x4 windows it has 27,506, inside the range
of 20,000 to 30,000 that is stated for it. So 4x4 is the default; :func:`dual_parameters` computes the others.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS = (10, 20)
FEATURES = 128
DROPOUT = 0.3
IMAGE = 32
UNFREEZE_STEPS = ("classifier", "dense", "second", "first")
"""What becomes trainable, one step after the other."""


class SubFeatures(nn.Module):
    """[N, 3, 32, 32] to [N, 128] features."""

    def __init__(self, pool: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, CHANNELS[0], 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(pool))
        self.second = nn.Sequential(nn.Conv2d(*CHANNELS, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(pool))
        self.dense = nn.Sequential(
            nn.Linear(CHANNELS[1] * (IMAGE // pool // pool) ** 2, FEATURES), nn.ReLU(inplace=True), nn.Dropout(DROPOUT)
        )

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.dense(self.second(self.first(images)).flatten(1))
        return features


class SubCNN(nn.Module):
    """One of the two networks with a classifier of its own, as stage 1 trains it."""

    def __init__(self, num_classes: int = 10, pool: int = 4) -> None:
        super().__init__()
        self.features = SubFeatures(pool)
        self.classifier = nn.Linear(FEATURES, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits


class DualCNN(nn.Module):
    """[N, 3, 32, 32] to [N, num_classes] logits from the joined features of both branches."""

    def __init__(self, num_classes: int = 10, pool: int = 4) -> None:
        super().__init__()
        self.branches = nn.ModuleList([SubFeatures(pool), SubFeatures(pool)])
        self.classifier = nn.Linear(2 * FEATURES, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(torch.cat([branch(images) for branch in self.branches], dim=1))
        return logits

    def join(self, raw: SubCNN, augmented: SubCNN) -> None:
        """Take over the features that stage 1 trained; the classifier starts anew."""
        for branch, trained in zip(self.branches, (raw, augmented), strict=True):
            branch.load_state_dict(trained.features.state_dict())

    def unfreeze(self, steps: int) -> None:
        """Make the last ``steps`` of (classifier, dense, second, first) trainable and freeze what is before them."""
        open_parts = UNFREEZE_STEPS[:steps]
        for parameter in self.classifier.parameters():
            parameter.requires_grad_("classifier" in open_parts)
        for branch in self.branches:
            for name, part in branch.named_children():
                for parameter in part.parameters():
                    parameter.requires_grad_(name in open_parts)


def dual_parameters(pool: int, num_classes: int = 10) -> int:
    """Parameters of the dual network with ``pool`` x ``pool`` windows, in closed form (0 pixels left: no network)."""
    side = IMAGE // pool // pool
    convolutions = (3 * 9 + 1) * CHANNELS[0] + (CHANNELS[0] * 9 + 1) * CHANNELS[1]
    dense = (CHANNELS[1] * side**2 + 1) * FEATURES
    return 2 * (convolutions + dense) + (2 * FEATURES + 1) * num_classes


def sub_cnn(num_classes: int = 10, pool: int = 4) -> SubCNN:
    """13,758 parameters with 10 classes and 4x4 pooling."""
    return SubCNN(num_classes, pool)


def dual_cnn(num_classes: int = 10, pool: int = 4) -> DualCNN:
    """27,506 parameters with 10 classes and 4x4 pooling (334,706 with 2x2)."""
    return DualCNN(num_classes, pool)
