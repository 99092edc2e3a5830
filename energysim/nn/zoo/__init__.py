"""Models of the reproduced systems, each a factory without required arguments."""

from energysim.nn.zoo.fsrcnn import FSRCNN, fsrcnn
from energysim.nn.zoo.lightweight import LightweightCNN, lightweight_cnn
from energysim.nn.zoo.resnet import BasicBlock, CifarResNet, resnet18

__all__ = ["FSRCNN", "BasicBlock", "CifarResNet", "LightweightCNN", "fsrcnn", "lightweight_cnn", "resnet18"]
