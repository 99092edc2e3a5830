"""Tensor problems of the operator classes, from plain numbers.

The dimension names and the meaning of ranks are those of :mod:`energysim.graph.problem`. Convolutions in 2-d, linear
layers and matmuls share one set of dimensions (G N K C P Q R S), so that constraints written for one apply to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from energysim.graph.problem import Rank, Role, Tensor, TensorProblem

_PLANE = {1: "Q", 2: "PQ", 3: "DPQ"}
_KERNEL = {1: "S", 2: "RS", 3: "TRS"}


@dataclass(frozen=True, slots=True)
class Operand:
    """What a problem has to know about one tensor's words."""

    bits: int
    is_parameter: bool = False


def _tensors(
    ranks: tuple[Sequence[Rank], Sequence[Rank], Sequence[Rank]], weights: Operand, ifmap: Operand, ofmap: Operand
) -> tuple[Tensor, ...]:
    return (
        Tensor("weights", Role.WEIGHTS, tuple(ranks[0]), weights.bits, weights.is_parameter),
        Tensor("ifmap", Role.IFMAP, tuple(ranks[1]), ifmap.bits, ifmap.is_parameter),
        Tensor("ofmap", Role.OFMAP, tuple(ranks[2]), ofmap.bits),
    )


def _axes(names: str) -> list[Rank]:
    return [Rank(((name, 1),)) for name in names]


def convolution_problem(
    *,
    batch: int,
    groups: int,
    out_channels: int,
    in_channels: int,
    in_size: Sequence[int],
    out_size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding_before: Sequence[int],
    dilation: Sequence[int],
    weights: Operand,
    ifmap: Operand,
    ofmap: Operand,
) -> TensorProblem:
    """A 1-, 2- or 3-d convolution; channel counts are totals over all ``groups``, sizes exclude padding.

    MACs = G N K C x output pixels x kernel elements (padding counts as work).
    """
    plane, window = _PLANE[len(kernel)], _KERNEL[len(kernel)]
    channels = (("G", groups), ("N", batch), ("K", out_channels // groups), ("C", in_channels // groups))
    dims = (*channels, *zip(plane, out_size, strict=True), *zip(window, kernel, strict=True))
    pixels = [
        Rank(((p, step), (r, hole)), offset=-before, extent=size)
        for p, r, step, hole, before, size in zip(plane, window, stride, dilation, padding_before, in_size, strict=True)
    ]
    ranks = (_axes("GKC" + window), _axes("NGC") + pixels, _axes("NGK" + plane))
    return TensorProblem(dims, _tensors(ranks, weights, ifmap, ofmap))


def transposed_convolution_problem(
    *,
    batch: int,
    groups: int,
    out_channels: int,
    in_channels: int,
    in_size: Sequence[int],
    out_size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding_before: Sequence[int],
    dilation: Sequence[int],
    weights: Operand,
    ifmap: Operand,
    ofmap: Operand,
) -> TensorProblem:
    """A transposed convolution as a scatter: the loops run over *input* pixels.

    Input pixel p adds to output pixel p * stride + r * dilation - padding; what falls outside ``out_size`` is dropped.
    MACs = G N K C x input pixels x kernel elements.
    """
    plane, window = _PLANE[len(kernel)], _KERNEL[len(kernel)]
    channels = (("G", groups), ("N", batch), ("K", out_channels // groups), ("C", in_channels // groups))
    dims = (*channels, *zip(plane, in_size, strict=True), *zip(window, kernel, strict=True))
    pixels = [
        Rank(((p, step), (r, hole)), offset=-before, extent=size)
        for p, r, step, hole, before, size in zip(
            plane, window, stride, dilation, padding_before, out_size, strict=True
        )
    ]
    ranks = (_axes("GKC" + window), _axes("NGC" + plane), _axes("NGK") + pixels)
    return TensorProblem(dims, _tensors(ranks, weights, ifmap, ofmap))


def matmul_problem(
    *, batch: int, rows: int, columns: int, reduced: int, weights: Operand, ifmap: Operand, ofmap: Operand
) -> TensorProblem:
    """``batch`` products of [rows, reduced] (the ifmap) by [reduced, columns] (in the weights' slot).

    A linear layer is ``batch=1`` with every leading axis in ``rows``: a 1x1 convolution of 1x1 planes.
    """
    one = (1, 1)
    return convolution_problem(
        batch=rows,
        groups=batch,
        out_channels=batch * columns,
        in_channels=batch * reduced,
        in_size=one,
        out_size=one,
        kernel=one,
        stride=one,
        padding_before=(0, 0),
        dilation=one,
        weights=weights,
        ifmap=ifmap,
        ofmap=ofmap,
    )
