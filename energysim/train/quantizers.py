"""Modules that round: a feature map's quantizer, a weight's, and the layers that use them."""

from __future__ import annotations

from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from energysim.errors import EnergySimError

Observing = Literal["extremes", "average"]
_AVERAGE = 0.1  # of a new batch's extremes in the moving average
_SMALLEST = 1e-30  # scale of a tensor that is zero everywhere


class BitsError(EnergySimError):
    """A word width that fake quantization has no levels for."""


def check_bits(bits: int) -> None:
    if not 2 <= bits <= 16:
        raise BitsError(f"words of {bits} bits cannot be quantized to", hint="2 to 16 bits")


class Quantizer(nn.Module):
    """Rounds a feature map to 2^bits levels between the extremes observed.

    In training mode the extremes are moving averages over the batches; in evaluation mode they stay.
    """

    low: Tensor
    high: Tensor
    scale: Tensor
    zero_point: Tensor
    seen: Tensor

    def __init__(self, bits: int) -> None:
        super().__init__()
        check_bits(bits)
        self.top = 2**bits - 1
        self._observing: Observing | None = None
        for name in ("low", "high"):
            self.register_buffer(name, torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("zero_point", torch.zeros((), dtype=torch.int32))
        self.register_buffer("seen", torch.zeros((), dtype=torch.bool))

    def observe(self, how: Observing | None) -> None:
        """Learn the range from what passes, in evaluation mode too; None: no longer. "extremes" starts anew."""
        self._observing = how
        if how == "extremes":
            self.seen.fill_(False)

    def forward(self, x: Tensor) -> Tensor:
        how = self._observing or ("average" if self.training else None)
        if how is not None:
            self._learn(x.detach(), how)
        return torch.fake_quantize_per_tensor_affine(x, self.scale.float(), self.zero_point, 0, self.top)

    def _learn(self, x: Tensor, how: Observing) -> None:
        low, high = x.amin().float().clamp(max=0.0), x.amax().float().clamp(min=0.0)
        if how == "average":
            learned_low, learned_high = torch.lerp(self.low, low, _AVERAGE), torch.lerp(self.high, high, _AVERAGE)
        else:
            learned_low, learned_high = torch.minimum(self.low, low), torch.maximum(self.high, high)
        self.low.copy_(torch.where(self.seen, learned_low, low))
        self.high.copy_(torch.where(self.seen, learned_high, high))
        self.seen.fill_(True)
        self.scale.copy_(((self.high - self.low) / self.top).clamp(min=_SMALLEST))
        self.zero_point.copy_((-self.low / self.scale).round().clamp(0, self.top))


class WeightQuantizer(nn.Module):
    """Rounds weights [K, ...] to 2^bits - 1 levels around zero, each output channel by its own largest magnitude."""

    scale: Tensor
    zero_point: Tensor

    def __init__(self, bits: int, channels: int) -> None:
        super().__init__()
        check_bits(bits)
        self.top = 2 ** (bits - 1) - 1
        self._observing: Observing | None = None
        self.register_buffer("scale", torch.ones(channels))
        self.register_buffer("zero_point", torch.zeros(channels, dtype=torch.int32))

    def observe(self, how: Observing | None) -> None:
        self._observing = how

    def forward(self, weight: Tensor) -> Tensor:
        if self.training or self._observing is not None:
            largest = weight.detach().float().flatten(1).abs().amax(1)
            self.scale.copy_((largest / self.top).clamp(min=_SMALLEST))
        scale = self.scale.float()  # the operator takes no other, whatever the model was converted to
        return torch.fake_quantize_per_channel_affine(weight, scale, self.zero_point, 0, -self.top, self.top)


class QuantizedConv2d(nn.Conv2d):
    """A convolution whose weights are rounded; parameters as ``nn.Conv2d``."""

    weight_quantizer: WeightQuantizer

    @classmethod
    def of(cls, plain: nn.Conv2d, bits: int) -> Self:
        """The same convolution, sharing its weights."""
        made = cls(
            plain.in_channels,
            plain.out_channels,
            plain.kernel_size,  # type: ignore[arg-type]
            plain.stride,  # type: ignore[arg-type]
            plain.padding,  # type: ignore[arg-type]
            plain.dilation,  # type: ignore[arg-type]
            plain.groups,
            plain.bias is not None,
            plain.padding_mode,
            device="meta",
        )
        made.weight, made.bias = plain.weight, plain.bias
        made.weight_quantizer = WeightQuantizer(bits, plain.out_channels)
        return made

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self._conv_forward(input, self.weight_quantizer(self.weight), self.bias)
        return result


class QuantizedLinear(nn.Linear):
    """A linear layer whose weights are rounded; parameters as ``nn.Linear``."""

    weight_quantizer: WeightQuantizer

    @classmethod
    def of(cls, plain: nn.Linear, bits: int) -> Self:
        """The same layer, sharing its weights."""
        made = cls(plain.in_features, plain.out_features, plain.bias is not None, device="meta")
        made.weight, made.bias = plain.weight, plain.bias
        made.weight_quantizer = WeightQuantizer(bits, plain.out_features)
        return made

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight_quantizer(self.weight), self.bias)
