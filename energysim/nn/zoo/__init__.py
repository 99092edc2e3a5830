"""Models of the reproduced systems, each a factory without required arguments."""

from energysim.nn.zoo.attention import CBAMLite, SqueezeExcitation
from energysim.nn.zoo.dual import DualCNN, SubCNN, dual_cnn, sub_cnn
from energysim.nn.zoo.enhanced import EnhancedCNN, enhanced_cnn
from energysim.nn.zoo.feedforward import FeedForward, ffnn
from energysim.nn.zoo.fsrcnn import FSRCNN, fsrcnn
from energysim.nn.zoo.lightweight import LightweightCNN, lightweight_cnn
from energysim.nn.zoo.memory_optimized import memory_optimized_cnn
from energysim.nn.zoo.resnet import BasicBlock, CifarResNet, cifar_resnet, resnet18, resnet34
from energysim.nn.zoo.stochastic_depth import StochasticDepth
from energysim.nn.zoo.torchvision_cifar import (
    efficientnet_b0_cifar,
    mobilenet_v2_cifar,
    shufflenet_v2_cifar,
    squeezenet_cifar,
)

__all__ = [
    "FSRCNN",
    "BasicBlock",
    "CBAMLite",
    "CifarResNet",
    "DualCNN",
    "EnhancedCNN",
    "FeedForward",
    "LightweightCNN",
    "SqueezeExcitation",
    "StochasticDepth",
    "SubCNN",
    "cifar_resnet",
    "dual_cnn",
    "efficientnet_b0_cifar",
    "enhanced_cnn",
    "ffnn",
    "fsrcnn",
    "lightweight_cnn",
    "memory_optimized_cnn",
    "mobilenet_v2_cifar",
    "resnet18",
    "resnet34",
    "shufflenet_v2_cifar",
    "squeezenet_cifar",
    "sub_cnn",
]
