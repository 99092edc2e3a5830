"""A convolution that works on overlapping tiles of its feature maps, as a memory-limited device would.

Each tile reads its part of the ifmap with the halo that its window needs, so cutting changes no result: the same words
meet the same weights. With a smaller overlap a tile sees zeros where its neighbour's pixels would be, and the result
is an approximation whose cost in accuracy can be measured by training and evaluating it.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.common_types import _size_2_t

from energysim.errors import EnergySimError
from energysim.schedule.axes import AxisMap
from energysim.schedule.intervals import Interval, cut


class TileError(EnergySimError):
    """A tile size, buffer size or overlap that makes no sense for its convolution."""


@dataclass(frozen=True, slots=True)
class TileTraffic:
    """Words between DRAM and chip for one forward pass; weights are fetched once."""

    ifmap_words: int
    weight_words: int
    ofmap_words: int

    @property
    def words(self) -> int:
        return self.ifmap_words + self.weight_words + self.ofmap_words


class MemoryOptimizedConv2d(nn.Conv2d):
    """[N, in, H, W] to [N, out, H', W'] like ``nn.Conv2d`` (same parameters, same state dict), tile by tile.

    ``tile_size``: rows and columns of the ofmap tile (a number, or rows and columns). ``overlap``: how many ifmap rows
    (columns) two neighbouring tiles share; None shares all that the window needs, ``(kernel - 1) * dilation + 1 -
    stride``, and is exact; less is an approximation (the trailing half of what is missing is taken from the earlier
    tile, the leading half, with the odd one, from the later). ``buffer_size``: how many of the ofmap's channels stay on
    chip for the next layer, the first ones; that changes where words live (:meth:`traffic`), never their values.

    Compiled, exported or traced, the exact form is one plain convolution. What ``nn.Conv2d`` refuses is refused in its
    words.

    Raises TileError for a tile, kernel, stride or dilation below 1, negative padding, a negative buffer, an overlap
    outside 0 ... what the window needs, or a size that is no whole number.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _size_2_t = 3,
        stride: _size_2_t = 1,
        padding: _size_2_t = 1,
        bias: bool = False,
        tile_size: int | tuple[int, int] = 32,
        buffer_size: int = 64,
        overlap: int | tuple[int, int] | None = None,
        *,
        dilation: _size_2_t = 1,
        groups: int = 1,
    ) -> None:
        if isinstance(padding, str):
            raise TileError(f"padding {padding!r} is given by name", hint="a number, or one for rows and columns")
        super().__init__(
            in_channels,
            out_channels,
            _pair("kernel_size", kernel_size, least=1),
            _pair("stride", stride, least=1),
            _pair("padding", padding),
            _pair("dilation", dilation, least=1),
            groups,
            bias,
        )
        self.tile_size = _pair("tile_size", tile_size, least=1)
        self.buffer_size = _count("buffer_size", buffer_size)
        needed = self.needed_overlap
        self.overlap = needed if overlap is None else _pair("overlap", overlap)
        if any(share > most for share, most in zip(self.overlap, needed, strict=True)):
            raise TileError(
                f"overlap {overlap} of a convolution whose neighbouring tiles share {needed[0]} rows and "
                f"{needed[1]} columns",
                hint="None is exact; less than needed is approximate; more has no use",
            )

    @property
    def needed_overlap(self) -> tuple[int, int]:
        """Ifmap rows and columns that neighbouring tiles share in an exact convolution."""
        rows, columns = (
            max(0, (kernel - 1) * hole + 1 - step)
            for kernel, hole, step in zip(self.kernel_size, self.dilation, self.stride, strict=True)
        )
        return rows, columns

    @property
    def is_exact(self) -> bool:
        """Whether cutting into tiles changes no result."""
        return self.overlap == self.needed_overlap

    def forward(self, input: Tensor) -> Tensor:
        # The name is nn.Conv2d's. A captured graph shows one convolution: tiles are the schedule's matter.
        if self.is_exact and (torch.compiler.is_compiling() or isinstance(input, torch.fx.Proxy)):
            return super().forward(input)
        if input.dim() not in (3, 4) or input.shape[-3] != self.in_channels:
            return super().forward(input)  # which says what is wrong
        batched = input if input.dim() == 4 else input.unsqueeze(0)
        result = self._tiled(batched)
        return result if input.dim() == 4 else result.squeeze(0)

    def _tiled(self, ifmap: Tensor) -> Tensor:
        """All tiles as one batch: each is cut out with its halo, and the convolution pads nothing itself."""
        rows, columns = self._axes(ifmap.shape[-2], ifmap.shape[-1])
        if min(rows.size_out, columns.size_out) < 1:
            return super().forward(ifmap)  # which says that the kernel is larger than the plane
        tall, wide = (min(tile, axis.size_out) for tile, axis in zip(self.tile_size, (rows, columns), strict=True))
        down, across = -(-rows.size_out // tall), -(-columns.size_out // wide)
        if down == across == 1:
            return super().forward(ifmap)
        (top, bottom, high, step_down), (left, right, broad, step_across) = (
            _framing(rows, tall, down),
            _framing(columns, wide, across),
        )
        padded = F.pad(ifmap, (left, right, top, bottom))
        tiles = padded.unfold(2, high, step_down).unfold(3, broad, step_across)  # [N, C, down, across, high, broad]
        if not self.is_exact:
            tiles = tiles.masked_fill(self._unseen(down, across, high, broad).to(tiles.device), 0.0)
        batch = tiles.permute(0, 2, 3, 1, 4, 5).reshape(-1, self.in_channels, high, broad)
        result = F.conv2d(batch, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)
        grid = result.reshape(-1, down, across, self.out_channels, tall, wide).permute(0, 3, 1, 4, 2, 5)
        plane = grid.reshape(-1, self.out_channels, down * tall, across * wide)
        return plane[..., : rows.size_out, : columns.size_out].contiguous(memory_format=_like(ifmap, self.weight))

    def _unseen(self, down: int, across: int, high: int, broad: int) -> Tensor:
        """Mask [down, across, high, broad] of the halo pixels that an overlap smaller than needed leaves out."""
        masks = []
        for count, extent, missing in zip((down, across), (high, broad), self._missing, strict=True):
            mask = torch.zeros(count, extent, dtype=torch.bool)
            leading, trailing = missing - missing // 2, missing // 2
            mask[1:, :leading] = True
            mask[:-1, extent - trailing :] = True
            masks.append(mask)
        return masks[0][:, None, :, None] | masks[1][None, :, None, :]

    @property
    def _missing(self) -> tuple[int, int]:
        rows, columns = (most - share for most, share in zip(self.needed_overlap, self.overlap, strict=True))
        return rows, columns

    def _axes(self, height: int, width: int) -> tuple[AxisMap, AxisMap]:
        assert not isinstance(self.padding, str)
        rows, columns = (
            AxisMap(
                size_in=size,
                size_out=(size + 2 * before - (kernel - 1) * hole - 1) // step + 1,
                kernel=kernel,
                stride=step,
                before=before,
                dilation=hole,
            )
            for size, before, kernel, hole, step in zip(
                (height, width), self.padding, self.kernel_size, self.dilation, self.stride, strict=True
            )
        )
        return rows, columns

    def traffic(self, height: int, width: int, *, batch: int = 1, buffered_channels: int = 0) -> TileTraffic:
        """Words between DRAM and chip for an ifmap of ``height`` x ``width``.

        Every tile fetches its ifmap pixels with halo, padding and the holes of a stride left out. The first
        ``buffered_channels`` of the ifmap are on chip already (the producer's ``buffer_size``); the first
        ``buffer_size`` channels of the ofmap stay there. Raises TileError for a number below 0.
        """
        height, width = _count("height", height), _count("width", width)
        batch, buffered_channels = _count("batch", batch), _count("buffered_channels", buffered_channels)
        pixels = outputs = 1
        for axis, tile, missing in zip(self._axes(height, width), self.tile_size, self._missing, strict=True):
            pieces = cut(axis.size_out, tile)
            pixels *= sum(_seen(axis, piece, missing, piece == pieces[0], piece == pieces[-1]) for piece in pieces)
            outputs *= axis.size_out
        return TileTraffic(
            ifmap_words=batch * max(0, self.in_channels - buffered_channels) * pixels,
            weight_words=self.weight.numel(),
            ofmap_words=batch * max(0, self.out_channels - self.buffer_size) * outputs,
        )

    def extra_repr(self) -> str:
        plain: str = super().extra_repr()  # type: ignore[no-untyped-call]
        share = "" if self.is_exact else f", overlap={self.overlap}"
        return f"{plain}, tile_size={self.tile_size}, buffer_size={self.buffer_size}{share}"


def _pair(name: str, setting: object, least: int = 0) -> tuple[int, int]:
    pair = setting if isinstance(setting, tuple | list) else (setting, setting)
    if len(pair) != 2 or not all(_is_count(item, least) for item in pair):
        raise TileError(
            f"{name} {setting!r} is no size",
            hint=f"a whole number from {least} on, or one for rows and one for columns",
        )
    return int(pair[0]), int(pair[1])


def _count(name: str, setting: object, least: int = 0) -> int:
    if not _is_count(setting, least):
        raise TileError(f"{name} {setting!r} is no number", hint=f"a whole number from {least} on")
    return int(setting)


def _is_count(value: object, least: int) -> TypeGuard[Integral]:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _like(source: Tensor, weight: Tensor) -> torch.memory_format:
    """The memory format that a convolution gives its result."""
    last = torch.channels_last
    if any(t.is_contiguous(memory_format=last) and not t.is_contiguous() for t in (source, weight)):
        return last
    return torch.contiguous_format


def _framing(axis: AxisMap, tile: int, count: int) -> tuple[int, int, int, int]:
    """Along one axis: padding before and after (negative crops) so that ``count`` equal tiles fit, extent, step."""
    extent = (tile - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1
    step = tile * axis.stride
    after = (count - 1) * step + extent - axis.before - axis.size_in
    return axis.before, after, extent, step


def _seen(axis: AxisMap, piece: Interval, missing: int, first: bool, last: bool) -> int:
    """Ifmap coordinates that one tile fetches."""
    start = piece.start * axis.stride - axis.before
    stop = (piece.stop - 1) * axis.stride - axis.before + (axis.kernel - 1) * axis.dilation + 1
    start = max(0, start + (0 if first else missing - missing // 2))
    stop = min(axis.size_in, stop - (0 if last else missing // 2))
    reads = {
        x * axis.stride - axis.before + tap * axis.dilation
        for x in range(piece.start, piece.stop)
        for tap in range(axis.kernel)
    }
    return sum(start <= at < stop for at in reads)
