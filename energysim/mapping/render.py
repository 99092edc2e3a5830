"""A mapping as text, outermost level first, and as plain values for JSON."""

from __future__ import annotations

from math import prod
from typing import Any

from energysim.arch.spec import ArchSpec, Array, Compute, Memory
from energysim.graph.problem import Tensor, TensorProblem
from energysim.mapping.nest import Loop, Mapping
from energysim.units import format_bits

_INDENT = "  "


def loop_nest_text(problem: TensorProblem, arch: ArchSpec, mapping: Mapping) -> str:
    """Every level with the tiles that one instance keeps (the largest, in words, as bounding boxes), then its loops:
    ``for`` steps in time, ``par`` in space along the axis named; ``[0:4,3)`` has 3 rounds at the very end.
    """
    lines: list[str] = []
    depth = 0
    for index, node in enumerate(arch.nodes):
        loops = [loop for loop in mapping.loops if loop.node == index]
        if isinstance(node, Memory):
            lines.append(f"{node.name}: {_held(problem, mapping, index, node)}")
        elif isinstance(node, Array):
            used = {axis: prod(loop.bound for loop in loops if loop.axis == axis) for axis in ("x", "y")}
            lines.append(f"{node.name}: {used['x']} x {used['y']} of {node.x} x {node.y} in use")
        elif isinstance(node, Compute):
            lines.append(f"{node.name}: multiply-accumulate")
        for loop in loops:
            depth += 1
            lines.append(_INDENT * depth + _loop_text(loop))
    return "\n".join(lines)


def _held(problem: TensorProblem, mapping: Mapping, index: int, memory: Memory) -> str:
    tiles = [
        f"{tensor.name} {tile_words(problem, mapping, tensor, index):,}"
        for tensor in problem.tensors
        if tensor.name in mapping.kept[index]
    ]
    if not tiles:
        return "keeps nothing"
    held = f"{', '.join(tiles)} words"
    if memory.capacity_bits is None:
        return held
    if memory.word_bits is None:
        return f"{held} (capacity {format_bits(memory.capacity_bits)})"
    return f"{held} (capacity {memory.capacity_bits // memory.word_bits:,} words)"


def loop_nest_json(arch: ArchSpec, mapping: Mapping) -> list[dict[str, Any]]:
    """The loops outermost first: level, dim, bound, last (rounds at the very end), spatial (None, "X" or "Y")."""
    return [
        {
            "level": arch.nodes[loop.node].name,
            "dim": loop.dim,
            "bound": loop.bound,
            "last": loop.last,
            "spatial": None if loop.axis is None else loop.axis.upper(),
        }
        for loop in mapping.loops
    ]


def tile_words(problem: TensorProblem, mapping: Mapping, tensor: Tensor, node: int) -> int:
    """Words of the bounding box of a tensor that one instance of ``node`` keeps."""
    return prod(tile_shape(problem, mapping, tensor, node))


def tile_shape(problem: TensorProblem, mapping: Mapping, tensor: Tensor, node: int) -> tuple[int, ...]:
    """The bounding box of a tensor, rank by rank, that one instance of ``node`` keeps: everything that its own loops
    and those inside touch."""
    extents = {dim: _extent(mapping, dim, node) for dim in problem.bounds}
    return tuple(1 + sum(coefficient * (extents[dim] - 1) for dim, coefficient in rank.terms) for rank in tensor.ranks)


def _extent(mapping: Mapping, dim: str, node: int) -> int:
    """Largest number of values of ``dim`` inside ``node``. An outer loop's rounds before the last are full; without
    one, the residuals apply."""
    outer = any(loop.dim == dim and loop.node < node for loop in mapping.loops)
    extent = 1
    for loop in mapping.loops:
        if loop.dim == dim and loop.node >= node:
            extent = extent * loop.bound if outer else (extent - 1) * loop.bound + loop.last
    return extent


def _loop_text(loop: Loop) -> str:
    interval = f"[0:{loop.bound})" if loop.last == loop.bound else f"[0:{loop.bound},{loop.last})"
    return f"{'for' if loop.axis is None else 'par'} {loop.dim} in {interval}" + (
        "" if loop.axis is None else f" along {loop.axis.upper()}"
    )
