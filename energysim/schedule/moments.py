"""What is on chip in each tile of a stack: the tiles that differ, and none that another one exceeds in everything.

:meth:`StackPlan.live_ranges` bounds all tiles at once by the widest region and the most kept lines of every feature
map. These may belong to different tiles: the first tile of an axis has inherited nothing yet, but works on the most.
Here each tile has its own; equations: ``docs/schedules.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from energysim.schedule.live import Content, LiveRange, peak_bytes
from energysim.schedule.plan import StackPlan
from energysim.schedule.tiles import AxisPlan


def moments(plan: StackPlan, bits: int) -> tuple[tuple[LiveRange, ...], ...]:
    """Per tile that differs, what is on chip while it runs, with words of ``bits``; step i runs layer i of the stack.

    A tile that needs no more of any feature map than another one is left out.
    """
    edges = [edge.edge for edge in plan.edges]
    spans = [plan.columns.span[edge] for edge in edges]
    weights = tuple(item for item in plan.live_ranges(bits) if item.content is Content.WEIGHTS)
    end = len(plan.weights) - 1
    found = []
    for rows, columns in product(_most(plan.rows, edges), _most(plan.columns, edges)):
        ranges = list(weights)
        for edge, span, row, column in zip(plan.edges, spans, rows, columns, strict=True):
            channels = plan.graph.edges[edge.edge].shape[1]
            # Full lines of what is kept along the rows, and the rest of the tile's rows.
            kept = max(row.before, row.after)
            before, held, after = (
                ceil(channels * (kept * span + (row.held - kept) * width) * bits / 8)
                for width in (column.before, column.held, column.after)
            )
            parts = (
                LiveRange(edge.edge, Content.HALO, before, 0, edge.first - 1),
                LiveRange(edge.edge, Content.TILE, held, edge.first, edge.last),
                LiveRange(edge.edge, Content.HALO, after, edge.last + 1, end),
            )
            ranges += [part for part in parts if part.size_bytes and part.first <= part.last]
        found.append(tuple(ranges))
    return tuple(found)


def need_bytes(plan: StackPlan, bits: int) -> int:
    """On-chip bytes at the peak of the tile that needs most: never more than ``plan.need_bytes(bits)``."""
    return max(peak_bytes(ranges) for ranges in moments(plan, bits))


class _Extent(NamedTuple):
    """One feature map along one axis in one tile: coordinates held, of them from earlier tiles, and for later ones."""

    held: int
    before: int
    after: int


def _most(axis: AxisPlan, edges: Sequence[str]) -> list[list[_Extent]]:
    """The extents of every feature map in the tiles that no other exceeds in all of them."""
    along = [axis.along[edge] for edge in edges]
    tiles = np.column_stack([values for of in along for values in (of.held, of.before, of.after)])
    found: list[NDArray[np.int64]] = []
    for tile in {tile.tobytes(): tile for tile in tiles}.values():
        if not any((tile <= other).all() for other in found):
            found = [other for other in found if not (other <= tile).all()]
            found.append(tile)
    return [[_Extent(*extent) for extent in tile.reshape(-1, 3).tolist()] for tile in found]
