"""The distinct problems that the tiles of one layer are, and how often each repeats.

Along an axis most tiles are alike: only those at the borders (where padding is clipped) and the remainder differ. Rows
and columns are independent, so the classes of a layer are the products of the classes of its two axes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.problem import Rank, Tensor, TensorProblem
from energysim.schedule.axes import AxisMap, Interval
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


class _Piece(NamedTuple):
    """A tile along one axis. ``bound``, ``offset``, ``extent``: of the windowed rank of a MAC layer's problem."""

    size: int
    touched: tuple[int, ...]
    bound: int
    offset: int
    extent: int


def tile_classes(
    layer: Layer, graph: LayerGraph, maps: PlaneMaps, rows: AxisPlan, columns: AxisPlan
) -> tuple[TileClass, ...]:
    """The classes of a layer's tiles in the plans of the two axes; tiles in which it computes nothing are left out."""
    output = layer.outputs[0]
    batch, channels = graph.edges[output].shape[:2]
    across = _pieces(columns.fresh[output], tuple(maps[edge][1] for edge in layer.inputs))
    classes = []
    for row, row_count in _pieces(rows.fresh[output], tuple(maps[edge][0] for edge in layer.inputs)).items():
        for column, column_count in across.items():
            reads = tuple(
                (edge, graph.edges[edge].shape[1] * row.touched[index] * column.touched[index])
                for index, edge in enumerate(layer.inputs)
            )
            problem = None if layer.problem is None else _tile_problem(layer, layer.problem, row, column)
            repeats = row_count * column_count * batch
            writes = channels * row.size * column.size
            classes.append(TileClass(row.size, column.size, repeats, reads, writes, problem))
    return tuple(classes)


@lru_cache(maxsize=1 << 10)
def _pieces(fresh: tuple[Interval, ...], maps: tuple[AxisMap, ...]) -> Counter[_Piece]:
    """How many tiles along an axis are the same piece; shared, not to be changed."""
    found: Counter[_Piece] = Counter()
    for interval, count in Counter(fresh).items():
        if interval.size:
            found[_piece(interval, maps)] += count
    return found


def _piece(out: Interval, maps: tuple[AxisMap, ...]) -> _Piece:
    touched = tuple(axis.count(out) for axis in maps)
    axis = maps[0]
    need = axis.need(out)
    if axis.transposed:
        # The loops run over ifmap pixels; what they add to pixels of other tiles is dropped.
        return _Piece(out.size, touched, need.size, need.start * axis.stride - axis.before - out.start, out.size)
    return _Piece(out.size, touched, out.size, out.start * axis.stride - axis.before - need.start, need.size)


def _tile_problem(layer: Layer, problem: TensorProblem, row: _Piece, column: _Piece) -> TensorProblem | None:
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
