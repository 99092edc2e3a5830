"""What is on chip in each tile of a stack: the tiles that differ, and none that another one exceeds in everything.

:meth:`StackPlan.live_ranges` bounds all tiles at once by the widest region and the most kept lines of every feature
map. These may belong to different tiles: the first tile of an axis has inherited nothing yet, but works on the most.
Here each tile has its own; equations: ``docs/schedules.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil

from energysim.schedule.live import Content, LiveRange, peak_bytes
from energysim.schedule.plan import StackPlan
from energysim.schedule.tiles import AxisPlan


@dataclass(frozen=True, slots=True)
class _Extent:
    """One feature map along one axis in one tile: coordinates held, of them from earlier tiles, and for later ones."""

    held: int
    before: int
    after: int

    def within(self, other: _Extent) -> bool:
        return self.held <= other.held and self.before <= other.before and self.after <= other.after


Extents = tuple[_Extent, ...]


def moments(plan: StackPlan, bits: int) -> tuple[tuple[LiveRange, ...], ...]:
    """Per tile that differs, what is on chip while it runs, with words of ``bits``; step i runs layer i of the stack.

    A tile that needs no more of any feature map than another one is left out.
    """
    edges = [edge.edge for edge in plan.edges]
    spans = [plan.columns.span[edge] for edge in edges]
    weights = tuple(item for item in plan.live_ranges(bits) if item.content is Content.WEIGHTS)
    end = len(plan.weights) - 1
    found = []
    for rows, columns in product(_most(_extents(plan.rows, edges)), _most(_extents(plan.columns, edges))):
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


def _extents(axis: AxisPlan, edges: Sequence[str]) -> list[Extents]:
    """Per tile along the axis, the extents of every feature map."""
    along = []
    for edge in edges:
        held = axis.held[edge]
        inherited = [0] * (len(held) + 1)
        if axis.kept[edge]:
            for index in range(1, len(held)):
                inherited[index] = max(0, held[index - 1].stop - held[index].start) if held[index].size else 0
        along.append([_Extent(held[i].size, inherited[i], inherited[i + 1]) for i in range(len(held))])
    return list(zip(*along, strict=True))


def _most(tiles: Sequence[Extents]) -> list[Extents]:
    """The tiles that no other exceeds in the extents of all feature maps."""
    found: list[Extents] = []
    for tile in dict.fromkeys(tiles):
        if not any(_within(tile, other) for other in found):
            found = [other for other in found if not _within(other, tile)]
            found.append(tile)
    return found


def _within(tile: Extents, other: Extents) -> bool:
    return all(one.within(two) for one, two in zip(tile, other, strict=True))
