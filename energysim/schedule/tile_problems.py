"""The distinct problems that the tiles of one layer are, and how often each repeats.

Along an axis most tiles are alike: only those at the borders (where padding is clipped) and the remainder differ. Rows
and columns are independent, so the classes of a layer are the products of the classes of its two axes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.problem import Rank, Tensor, TensorProblem
from energysim.schedule.axes import AxisMap
from energysim.schedule.intervals import Pieces
from energysim.schedule.spatial import PlaneMaps
from energysim.schedule.tiles import AxisPlan


@dataclass(frozen=True, slots=True)
class TileClass:
    """Tiles of one layer that are the same work: ``repeats`` of them, all images of the batch counted.

    ``rows`` and ``columns``: computed extent of the ofmap, of one image. ``read_words``: words of each ifmap that the
    computation touches. ``write_words``: words of the ofmap computed. ``problem``: of a MAC layer, with one image; an
    ifmap coordinate outside the tile's own region of the plane is padding and holds no word.
    """

    rows: int
    columns: int
    repeats: int
    read_words: tuple[tuple[str, int], ...]
    write_words: int
    problem: TensorProblem | None

    @property
    def macs(self) -> int:
        return 0 if self.problem is None else self.problem.macs


class Piece(NamedTuple):
    """A tile along one axis. ``size``: of the ofmap; ``bound``, ``offset``, ``extent``: of the windowed rank of a MAC
    layer's problem; ``touched``: coordinates of each ifmap."""

    size: int
    bound: int
    offset: int
    extent: int
    touched: tuple[int, ...]


def tile_classes(
    layer: Layer, graph: LayerGraph, maps: PlaneMaps, rows: AxisPlan, columns: AxisPlan
) -> tuple[TileClass, ...]:
    """The classes of a layer's tiles in the plans of the two axes; tiles in which it computes nothing are left out."""
    batch, channels = graph.edges[layer.outputs[0]].shape[:2]
    down, across = tile_pieces(layer, maps, rows, columns)
    classes = []
    for row, row_count in down.items():
        for column, column_count in across.items():
            reads = tuple(
                (edge, graph.edges[edge].shape[1] * row.touched[index] * column.touched[index])
                for index, edge in enumerate(layer.inputs)
            )
            problem = None if layer.problem is None else tile_problem(layer, layer.problem, row, column)
            repeats = row_count * column_count * batch
            writes = channels * row.size * column.size
            classes.append(TileClass(row.size, column.size, repeats, reads, writes, problem))
    return tuple(classes)


def tile_pieces(
    layer: Layer, maps: PlaneMaps, rows: AxisPlan, columns: AxisPlan
) -> tuple[Mapping[Piece, int], Mapping[Piece, int]]:
    """How many tiles along each axis are the same work; its tiles of one image are the pairs."""
    return _along(layer, maps, rows, 0), _along(layer, maps, columns, 1)


def _along(layer: Layer, maps: PlaneMaps, plan: AxisPlan, axis: int) -> Mapping[Piece, int]:
    key = ("pieces", layer.name)
    if key not in plan.known:
        plan.known[key] = _pieces(plan.fresh[layer.outputs[0]], tuple(maps[edge][axis] for edge in layer.inputs))
    found: Mapping[Piece, int] = plan.known[key]
    return found


@lru_cache(maxsize=1 << 14)
def _pieces(fresh: Pieces, maps: tuple[AxisMap, ...]) -> Counter[Piece]:
    """How many tiles along an axis are the same piece; tiles in which nothing is computed are left out. Shared, not to
    be changed."""
    axis = maps[0]
    sizes, need = fresh.sizes, axis.needs(fresh)
    if axis.transposed:
        # The loops run over ifmap pixels; what they add to pixels of other tiles is dropped.
        window = (need.sizes, need.start * axis.stride - axis.before - fresh.start, sizes)
    else:
        window = (sizes, fresh.start * axis.stride - axis.before - need.start, need.sizes)
    columns = np.column_stack((sizes, *window, *(other.counts(fresh) for other in maps)))
    found = Counter(map(tuple, columns[sizes > 0].tolist()))
    return Counter(
        {
            Piece(size, bound, offset, extent, tuple(touched)): count
            for (size, bound, offset, extent, *touched), count in found.items()
        }
    )


def tile_problem(layer: Layer, problem: TensorProblem, row: Piece, column: Piece) -> TensorProblem | None:
    """The layer's problem with one image and the plane of one tile; None where no ifmap pixel reaches the tile."""
    if 0 in (row.bound, column.bound):
        return None
    windowed = problem.tensor("ofmap" if layer.op == "conv_transpose2d" else "ifmap")
    batch = windowed.ranks[0].terms[0][0]
    bounds = {batch: 1}
    ranks: list[Rank] = list(windowed.ranks[:-2])
    for rank, piece in zip(windowed.ranks[-2:], (row, column), strict=True):
        bounds[rank.terms[0][0]] = piece.bound
        ranks.append(Rank(rank.terms, piece.offset, piece.extent))
    dims = tuple((dim, bounds.get(dim, bound)) for dim, bound in problem.dims)
    tensors: tuple[Tensor, ...] = tuple(
        replace(tensor, ranks=tuple(ranks)) if tensor is windowed else tensor for tensor in problem.tensors
    )
    return TensorProblem(dims, tensors)
