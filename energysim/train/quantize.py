"""Quantized networks: words of few bits in every convolution, linear layer and feature map, by fake quantization.

Values stay floating-point numbers, rounded to the levels that the words can hold; gradients pass straight through the
rounding (Jacob et al., CVPR 2018). Traced, such a network carries its word widths into a simulation.

- weights: symmetric, one scale per output channel, levels -(2^(b-1) - 1) ... 2^(b-1) - 1
- feature maps: asymmetric, one scale per map, levels 0 ... 2^b - 1, zero exactly representable; the network's input and
  output are quantized too. Ranges: extremes seen in calibration, or their moving average while training.
- BatchNorm is folded into the layer before it first. Activations are inside their producer: one rounding, behind them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from energysim.train.checkpoint import read_checkpoint
from energysim.train.hooks import Hook
from energysim.train.quantizers import QuantizedConv2d, QuantizedLinear, Quantizer, WeightQuantizer
from energysim.train.rewrite import folded_and_quantized


def quantized_network(model: nn.Module, image_shape: tuple[int, ...], bits: int = 8) -> nn.Module:
    """A copy with quantizers whose ranges are not known yet: calibrate or train it.

    Raises RewriteError where the network's graph cannot be taken apart.
    """
    return folded_and_quantized(copy.deepcopy(model).eval(), image_shape, bits)


def calibrate(model: nn.Module, batches: Iterable[tuple[Tensor, Any]]) -> nn.Module:
    """Post-training quantization: set every range to the extremes seen on ``batches`` of images; returns the model."""
    device = next(model.parameters()).device
    quantizers = [module for module in model.modules() if isinstance(module, Quantizer | WeightQuantizer)]
    model.eval()
    for quantizer in quantizers:
        quantizer.observe("extremes")
    with torch.no_grad():
        for images, _ in batches:
            model(images.to(device))
    for quantizer in quantizers:
        quantizer.observe(None)
    return model


class QuantizationAware(Hook):
    """Trains the quantized network, from the weights of a finished run (its final.pt) or from fresh ones."""

    name = "quantization-aware training"

    def __init__(self, image_shape: tuple[int, ...], bits: int = 8, start: Path | None = None) -> None:
        self.image_shape, self.bits, self.start = image_shape, bits, start

    def prepare(self, model: nn.Module, saved: dict[str, Any] | None) -> nn.Module:
        if saved is None and self.start is not None:
            model.load_state_dict(read_checkpoint(self.start)["model"])
        return quantized_network(model, self.image_shape, self.bits).train()

    @classmethod
    def rebuilt(cls, model: nn.Module, saved: dict[str, Any]) -> nn.Module:
        return quantized_network(model, tuple(saved["image_shape"]), saved["bits"])

    def state_dict(self) -> dict[str, Any]:
        return {"image_shape": list(self.image_shape), "bits": self.bits}


__all__ = [
    "QuantizationAware",
    "QuantizedConv2d",
    "QuantizedLinear",
    "Quantizer",
    "WeightQuantizer",
    "calibrate",
    "quantized_network",
]
