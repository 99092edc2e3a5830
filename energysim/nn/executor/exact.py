"""Parameters and inputs for which float64 arithmetic is exact, so that results can be compared bit for bit.

Libraries add the products of a convolution in an order that depends on its size, so the same convolution on a tile and
on the whole plane differs in the last bits. With whole numbers, few of them per output channel, every sum is exact in
any order, and one wrong, missing or repeated word still changes the result.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from energysim.inputs import InputSpec

TAPS = (4, 2, 1)
"""Non-zero weights per output channel, most first: values grow by at most this factor per layer."""

LARGEST = 2.0**40
"""Bound of all values that leaves 12 of float64's 53 bits for the fractions of average pooling."""

FRACTION = 2.0**12
"""Values have to be multiples of 1/FRACTION."""


def is_exact(tensor: Tensor) -> bool:
    """Whether all values are on the grid on which float64 sums are exact."""
    if not tensor.is_floating_point():
        return True
    scaled = tensor * FRACTION
    return bool((tensor.abs() <= LARGEST).all()) and torch.equal(scaled, scaled.round())


def whole_numbers(model: nn.Module, taps: int, seed: int) -> nn.Module:
    """A float64 copy of ``model``: each output channel has ``taps`` weights of -1 or 1 (one in four is negative),
    biases are small whole numbers, and BatchNorm shifts by whole numbers and scales by exactly 1 or -1."""
    made = copy.deepcopy(model).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.copy_(_sparse(parameter.shape, taps, generator))
            else:
                parameter.copy_(torch.randint(-1, 3, parameter.shape, generator=generator).double())
        for module in made.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                _plain_scale(module, generator)
            elif isinstance(module, nn.ConvTranspose2d):
                module.weight.copy_(_sparse(module.weight.transpose(0, 1).shape, taps, generator).transpose(0, 1))
    return made


def _sparse(shape: Sequence[int], taps: int, generator: torch.Generator) -> Tensor:
    rows, columns = shape[0], torch.Size(shape[1:]).numel()
    values = torch.zeros(rows, columns, dtype=torch.float64)
    for _ in range(taps):
        at = torch.randint(columns, (rows, 1), generator=generator)
        signs = 1.0 - 2.0 * (torch.randint(4, (rows, 1), generator=generator) == 0).double()
        values.scatter_(1, at, signs)
    return values.reshape(torch.Size(shape))


def _plain_scale(module: Any, generator: torch.Generator) -> None:
    signs = 1.0 - 2.0 * (torch.randint(4, (module.num_features,), generator=generator) == 0).double()
    if module.weight is not None:
        module.weight.copy_(signs)
    if module.running_mean is not None:
        module.running_mean.copy_(torch.randint(-1, 2, module.running_mean.shape, generator=generator).double())
        module.running_var.copy_(torch.full_like(module.running_var, 1.0) - module.eps)


def inputs_like(specs: Sequence[InputSpec], dtype: torch.dtype, seed: int) -> tuple[Tensor, ...]:
    """Small whole numbers of the given shapes: from -4 to 4 for images, 0 for types that are indices or masks."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for spec in specs:
        kind = getattr(torch, spec.dtype)
        if kind.is_floating_point:
            made.append(torch.randint(-4, 5, spec.shape, generator=generator).to(dtype))
        else:
            made.append(torch.zeros(spec.shape, dtype=kind))
    return tuple(made)
