"""What every memory keeps of every tensor, and how much of it that fills."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.arch.spec import ArchSpec, Memory
from energysim.graph.problem import TensorProblem
from energysim.mapping.counts import Counts
from energysim.mapping.nest import Mapping
from energysim.mapping.render import tile_shape
from energysim.mapping.validate import word_bits


@dataclass(frozen=True, slots=True)
class Tile:
    """The largest tile of a tensor that one instance of a memory (``ArchSpec.nodes[node]``) keeps.

    ``shape``: its bounding box, rank by rank, padding included. ``words``: as the counts' convention sizes it.
    ``share`` of the capacity, copies for multiple buffering counted; None where it is unbounded.
    """

    node: int
    level: str
    tensor: str
    shape: tuple[int, ...]
    words: int
    bits: int
    share: float | None


def tiles_of(problem: TensorProblem, arch: ArchSpec, mapping: Mapping, counts: Counts) -> tuple[Tile, ...]:
    """All tiles of a mapping and its counts; outermost memory first, tensors in the order of the problem."""
    tiles: list[Tile] = []
    for index, memory in enumerate(arch.nodes):
        if not isinstance(memory, Memory):
            continue
        for tensor in problem.tensors:
            access = counts.at(memory.name, tensor.name)
            if access is None:
                continue
            bits = access.tile_words * word_bits(memory, tensor)
            capacity = memory.capacity_bits
            share = None if capacity is None else bits * memory.multiple_buffering / capacity
            shape = tile_shape(problem, mapping, tensor, index)
            tiles.append(Tile(index, memory.name, tensor.name, shape, access.tile_words, bits, share))
    return tuple(tiles)
