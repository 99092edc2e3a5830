"""torchvision's small classifiers for 32x32 images: the same networks with less striding at their start.

Made for 224x224, they would shrink a 32x32 image to one pixel (or to nothing) long before their last layer. The stem
keeps the plane instead of halving it, and so does the next reduction: planes of 4x4 (8x8 in SqueezeNet) reach the
classifier. Nothing else is changed, so parameters are torchvision's, but for the classifier's width.
"""

from __future__ import annotations

from typing import Any

from torch import nn


def _torchvision(name: str, num_classes: int) -> Any:
    import torchvision

    return torchvision.models.get_model(name, weights=None, num_classes=num_classes)


def _keep_plane(convolution: Any) -> None:
    assert isinstance(convolution, nn.Conv2d)
    convolution.stride = (1, 1)


def mobilenet_v2_cifar(num_classes: int = 100) -> nn.Module:
    """MobileNetV2 (Sandler et al., CVPR 2018) with the strides of the stem and of its first reduction set to 1."""
    model = _torchvision("mobilenet_v2", num_classes)
    _keep_plane(model.features[0][0])
    _keep_plane(model.features[2].conv[1][0])
    return _as_module(model)


def shufflenet_v2_cifar(num_classes: int = 100) -> nn.Module:
    """ShuffleNetV2 1.0x (Ma et al., ECCV 2018) with stride 1 in the stem and no max-pooling."""
    model = _torchvision("shufflenet_v2_x1_0", num_classes)
    _keep_plane(model.conv1[0])
    model.maxpool = nn.Identity()
    return _as_module(model)


def squeezenet_cifar(num_classes: int = 100) -> nn.Module:
    """SqueezeNet 1.1 (Iandola et al., 2016) with stride 1 and padding 1 in the stem, and its first pooling left out."""
    model = _torchvision("squeezenet1_1", num_classes)
    _keep_plane(model.features[0])
    model.features[0].padding = (1, 1)
    model.features[2] = nn.Identity()
    return _as_module(model)


def efficientnet_b0_cifar(num_classes: int = 100) -> nn.Module:
    """EfficientNet-B0 (Tan and Le, ICML 2019) with the strides of the stem and of its first reduction set to 1."""
    model = _torchvision("efficientnet_b0", num_classes)
    _keep_plane(model.features[0][0])
    _keep_plane(model.features[2][0].block[1][0])
    return _as_module(model)


def _as_module(model: Any) -> nn.Module:
    assert isinstance(model, nn.Module)
    return model
