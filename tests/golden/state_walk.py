"""Timeloop's walk of one tensor's tiles at one boundary, step by step, with its state machine of strides.

With ``truncate`` it visits only iterations 0 and 1 of every loop and scales the second, as Timeloop does by default
("temporal extrapolation"); without, every iteration. Perfect factors and bounding boxes only.
"""

from __future__ import annotations

from math import prod

from energysim.graph.problem import Tensor
from energysim.mapping.nest import Mapping


def words_per_instance(tensor: Tensor, dims: dict[str, int], mapping: Mapping, child: int, truncate: bool) -> int:
    """Words that one instance of node ``child`` receives in the whole run."""
    inside = dict.fromkeys(dims, 1)
    steps: list[tuple[int, tuple[int, ...]]] = []  # innermost first: bound, move of the tile
    for loop in reversed(mapping.loops):
        if loop.node < child and loop.axis is None:
            move = tuple(sum(c * inside[d] for d, c in rank.terms if d == loop.dim) for rank in tensor.ranks)
            steps.append((loop.bound, move))
        inside[loop.dim] *= loop.bound
    tile = dict.fromkeys(dims, 1)
    for loop in mapping.loops:
        if loop.node >= child:
            tile[loop.dim] *= loop.bound
    size = [1 + sum(c * (tile[d] - 1) for d, c in rank.terms) for rank in tensor.ranks]
    full = prod(size)
    steps.reverse()
    total = 0
    held: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None

    def visit(depth: int, at: tuple[int, ...], weight: int) -> None:
        nonlocal total, held, stride
        if depth < len(steps):
            bound, move = steps[depth]
            for iteration in range(min(bound, 2) if truncate else bound):
                scale = bound - 1 if truncate and iteration else 1
                visit(depth + 1, tuple(a + iteration * m for a, m in zip(at, move, strict=True)), weight * scale)
            return
        moved = None if held is None else tuple(a - h for a, h in zip(at, held, strict=True))
        held = at
        if moved is None:
            total += weight * full
        elif not any(moved):
            return
        elif stride is None or moved == stride:
            stride = moved
            total += weight * (full - prod(max(0, s - abs(m)) for s, m in zip(size, moved, strict=True)))
        else:
            stride = None
            total += weight * full

    visit(0, (0,) * len(size), 1)
    return total
