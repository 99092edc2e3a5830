"""One layer as a tensor problem: nested loops over dimensions, and tensors indexed by affine ranks.

A 2-d convolution has the dimensions G (groups), N (batch), K (output channels of a group), C (input channels of a
group), P and Q (ofmap rows and columns), R and S (kernel rows and columns). A fully connected layer is one with
P = Q = R = S = 1, a matmul has a batch G, rows N, columns K and the reduced dimension C; a 3-d convolution adds
D (ofmap depth) and T (kernel depth). Nothing here is tied to these names: Timeloop problems bring their own.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from math import prod


class Role(StrEnum):
    """The part that a tensor plays in a problem (and so which memory keeps it)."""

    WEIGHTS = "weights"
    IFMAP = "ifmap"
    OFMAP = "ofmap"


@dataclass(frozen=True, slots=True)
class Rank:
    """One axis of a tensor: coordinate = offset + sum(coefficient * dim) over ``terms``.

    ``offset`` is minus the leading padding. ``extent`` is the tensor's real size along the axis: a coordinate outside
    ``[0, extent)`` is padding and holds no word (used by the `exact` footprint). ``extent=None`` means that every
    coordinate the loops reach exists.
    """

    terms: tuple[tuple[str, int], ...]
    offset: int = 0
    extent: int | None = None


@dataclass(frozen=True, slots=True)
class Tensor:
    """One operand or the result. ``is_parameter``: trained weights (false for an activation in their slot).
    ``is_quantized``: the network itself fixes ``bits``, so that they are not the simulation's to choose."""

    name: str
    role: Role
    ranks: tuple[Rank, ...]
    bits: int = 8
    is_parameter: bool = False
    is_quantized: bool = False

    @property
    def is_output(self) -> bool:
        return self.role is Role.OFMAP

    @property
    def dims(self) -> frozenset[str]:
        """The dimensions that move through this tensor ("relevant" dimensions)."""
        return frozenset(dim for rank in self.ranks for dim, _ in rank.terms)


@dataclass(frozen=True)
class TensorProblem:
    """Dimensions with their bounds, and the tensors; one multiply-accumulate per point of the iteration space.

    Hashable, and free of names of layers: two layers of equal shape are the same problem.
    """

    dims: tuple[tuple[str, int], ...]
    tensors: tuple[Tensor, ...]

    @cached_property
    def bounds(self) -> dict[str, int]:
        return dict(self.dims)

    @cached_property
    def macs(self) -> int:
        """Points of the iteration space."""
        return prod(bound for _, bound in self.dims)

    @cached_property
    def output(self) -> Tensor:
        return next(tensor for tensor in self.tensors if tensor.is_output)

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """Read-only tensors, in order."""
        return tuple(tensor for tensor in self.tensors if not tensor.is_output)

    def tensor(self, name: str) -> Tensor:
        return next(tensor for tensor in self.tensors if tensor.name == name)

    def with_bits(self, bits: dict[Role, int]) -> TensorProblem:
        """The same problem with the word widths of the given roles replaced."""
        tensors = tuple(dataclasses.replace(t, bits=bits.get(t.role, t.bits)) for t in self.tensors)
        return TensorProblem(self.dims, tensors)

    def with_open_widths(self) -> TensorProblem:
        """The same problem where the network leaves every width open."""
        return TensorProblem(self.dims, tuple(dataclasses.replace(t, is_quantized=False) for t in self.tensors))

    def with_free_bits(self, bits: int) -> TensorProblem:
        """The same problem with words of ``bits`` for every tensor whose width the network leaves open."""
        tensors = tuple(t if t.is_quantized else dataclasses.replace(t, bits=bits) for t in self.tensors)
        return TensorProblem(self.dims, tensors)
