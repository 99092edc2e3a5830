"""The lightweight CNN on a memory-limited device: a conv stem, then convolutions that work on tiles and buffer maps.

Same parameters, same state dict and, with exact overlap, same results as ``lightweight_cnn``: a checkpoint of one is
one of the other.
"""

from __future__ import annotations

from torch import nn

from energysim.errors import EnergySimError, did_you_mean
from energysim.nn.memory_optimized import MemoryOptimizedConv2d
from energysim.nn.zoo.lightweight import LightweightCNN

FORMS = ("tiled", "buffered", "full")
UNCUT = 1 << 30
"""A tile larger than any plane: the convolution works on the whole of it."""


class FormError(EnergySimError):
    """A form of the memory-optimized CNN that does not exist."""


def memory_optimized_cnn(
    num_classes: int = 100,
    form: str = "full",
    tile_size: int = 32,
    buffer_size: int = 64,
    overlap: int | None = None,
) -> LightweightCNN:
    """258,292 parameters and 15,753,728 MACs, as ``lightweight_cnn``.

    ``form``: ``tiled`` (``tile_size`` rows and columns of each ofmap at a time, nothing kept on chip), ``buffered``
    (``buffer_size`` channels kept, planes uncut) or ``full`` (both). ``overlap``: ifmap rows and columns that two tiles
    share; None is exact, less approximates (see MemoryOptimizedConv2d); a layer that needs less takes what it needs.
    Raises FormError for an unknown form.
    """
    if form not in FORMS:
        raise FormError(f"unknown form {form!r}", hint=did_you_mean(form, FORMS) or f"one of {', '.join(FORMS)}")
    model = LightweightCNN(num_classes)
    for block in list(model.features)[1:]:
        assert isinstance(block, nn.Sequential)
        plain = block[0]
        assert isinstance(plain, nn.Conv2d)
        block[0] = optimized(
            plain,
            UNCUT if form == "buffered" else tile_size,
            0 if form == "tiled" else buffer_size,
            overlap,
        )
    return model


def optimized(
    plain: nn.Conv2d, tile_size: int, buffer_size: int = 0, overlap: int | None = None
) -> MemoryOptimizedConv2d:
    """The tiled form of a convolution, with the same weights (shared, not copied)."""
    exact = MemoryOptimizedConv2d(
        plain.in_channels,
        plain.out_channels,
        _pair(plain.kernel_size),
        _pair(plain.stride),
        _padding(plain) if isinstance(plain.padding, str) else _pair(plain.padding),
        plain.bias is not None,
        tile_size,
        buffer_size,
        dilation=_pair(plain.dilation),
        groups=plain.groups,
    )
    if overlap is not None:
        rows, columns = (min(overlap, needed) for needed in exact.needed_overlap)
        exact.overlap = (rows, columns)
    exact.weight, exact.bias = plain.weight, plain.bias
    return exact.train(plain.training)


def _padding(plain: nn.Conv2d) -> tuple[int, int]:
    """Padding given by name, as numbers; an even kernel's ``same`` is not the same on both sides."""
    totals = [(size - 1) * hole for size, hole in zip(plain.kernel_size, plain.dilation, strict=True)]
    if plain.padding == "same" and any(total % 2 for total in totals):
        raise FormError(f"padding 'same' of a {plain.kernel_size} kernel pads its sides differently")
    rows, columns = (total // 2 if plain.padding == "same" else 0 for total in totals)
    return rows, columns


def _pair(sizes: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = sizes
    return rows, columns
