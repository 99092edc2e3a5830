"""A stack whose tiles, kept columns and kept lines live in different memories: what each holds, and what is copied.

The running tile works on regions in one memory. Columns that the next tile needs again, and lines for the next row of
tiles, are copied out of it once, when they are fresh, and back when a tile uses them:

    column store   all rows that the row of tiles uses, of the columns kept for later tiles of that row
    line store     all columns, of the lines kept for later rows of tiles

A tile takes the columns that it inherits from the column store, with all their rows, and of its fresh columns the
inherited lines from the line store. A store in the tile's own memory is no copy. Equations: ``docs/schedules.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from energysim.schedule.along import Extents
from energysim.schedule.live import Content, LiveRange
from energysim.schedule.plan import StackPlan
from energysim.schedule.tiles import AxisPlan


def extents(axis: AxisPlan, edges: Sequence[str]) -> list[Extents]:
    """For each tile along the axis, what it is of every feature map."""
    along = [axis.along[edge] for edge in edges]
    return [tuple(of.of(tile) for of in along) for tile in range(len(axis.tiles))]


@dataclass(frozen=True, slots=True)
class RangesApart:
    """What feature maps need in each of the three memories while a tile runs; step i runs layer i of the stack."""

    tile: tuple[LiveRange, ...]
    columns: tuple[LiveRange, ...]
    lines: tuple[LiveRange, ...]


def ranges_apart(plan: StackPlan, bits: int, rows: Extents, columns: Extents, *, in_place: bool) -> RangesApart:
    """The live ranges of a tile of these extents, with words of ``bits``; a range of no bytes is left out.

    ``in_place``: kept columns stay where the tile has them; else the two have room of their own.
    """
    end = len(plan.weights) - 1
    tile: list[LiveRange] = []
    kept: list[LiveRange] = []
    lines: list[LiveRange] = []
    for edge, row, column in zip(plan.edges, rows, columns, strict=True):

        def part(words: int, first: int, last: int, content: Content = Content.HALO, of: str = edge.edge) -> LiveRange:
            return LiveRange(of, content, ceil(plan.graph.edges[of].shape[1] * words * bits / 8), first, last)

        if in_place:
            tile.append(part(row.used * column.held, edge.first, edge.last, Content.TILE))
            kept.append(part(row.used * column.before, 0, edge.first - 1))
            kept.append(part(row.used * column.after, edge.last + 1, end))
        else:
            tile.append(part(row.used * column.used, edge.first, edge.last, Content.TILE))
            kept.append(part(row.used * max(column.before, column.after), 0, end))
        lines.append(part(max(row.before, row.after) * plan.columns.span[edge.edge], 0, end))
    found = (tuple(r for r in ranges if r.size_bytes and r.first <= r.last) for ranges in (tile, kept, lines))
    return RangesApart(*found)


@dataclass(frozen=True, slots=True)
class NeedsApart:
    """The bytes of :class:`RangesApart` in every step, of all tiles at once: [rows alike, columns alike, step], in the
    order of ``AxisPlan.alike``; ``lines`` is the same for all columns and has one there."""

    tile: NDArray[np.int64]
    columns: NDArray[np.int64]
    lines: NDArray[np.int64]


def needs_apart(plan: StackPlan, bits: int, *, in_place: bool) -> NeedsApart:
    """What :func:`ranges_apart` says of each tile, as sums per step."""
    key = ("needs_apart", bits, in_place)
    if key not in plan.known:
        plan.known[key] = _needs_apart(plan, bits, in_place)
    found: NeedsApart = plan.known[key]
    return found


def _needs_apart(plan: StackPlan, bits: int, in_place: bool) -> NeedsApart:
    channels = np.array([plan.graph.edges[edge.edge].shape[1] for edge in plan.edges])
    step = np.arange(len(plan.weights))
    first, last = (np.array([getattr(edge, name) for edge in plan.edges])[:, None] for name in ("first", "last"))
    before, alive, after = step < first, (first <= step) & (step <= last), step > last
    always = np.ones_like(alive)

    def of(axis: AxisPlan, name: str) -> NDArray[np.int64]:
        tiles = [indices[0] for indices in axis.alike]
        return np.column_stack([getattr(axis.along[edge.edge], name)[tiles] for edge in plan.edges])

    def sums(rows: NDArray[np.int64], columns: NDArray[np.int64], when: NDArray[np.bool_]) -> NDArray[np.int64]:
        bytes_ = -(-channels * rows[:, None, :] * columns[None, :, :] * bits // 8)
        total: NDArray[np.int64] = bytes_ @ when.astype(np.int64)
        return total

    used = of(plan.rows, "used")
    handed, inherited = of(plan.columns, "after"), of(plan.columns, "before")
    if in_place:
        tile = sums(used, of(plan.columns, "held"), alive)
        kept = sums(used, inherited, before) + sums(used, handed, after)
    else:
        tile = sums(used, of(plan.columns, "used"), alive)
        kept = sums(used, np.maximum(inherited, handed), always)
    span = np.array([[plan.columns.span[edge.edge] for edge in plan.edges]])
    lines = sums(np.maximum(of(plan.rows, "before"), of(plan.rows, "after")), span, always)
    return NeedsApart(tile, kept, lines)


@dataclass(frozen=True, slots=True)
class Copies:
    """Words of one feature map, of all images, that cross between the tiles' memory and the two stores.

    Rectangles move whole, with the holes of a stride or dilation in them.
    """

    columns_in: int
    columns_out: int
    lines_in: int
    lines_out: int


@dataclass(frozen=True, slots=True)
class TileSet:
    """Tiles of a stack: all in these rows and columns of tiles."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]


def copies(plan: StackPlan, tiles: TileSet) -> dict[str, Copies]:
    """The copies of each feature map of the stack in these tiles, were both stores in other memories than the tiles."""
    at_rows, at_columns = list(tiles.rows), list(tiles.columns)
    found = {}
    for item in plan.edges:
        row, column = plan.rows.along[item.edge], plan.columns.along[item.edge]
        planes = prod(plan.graph.edges[item.edge].shape[:2])
        lines = planes * int(row.used[at_rows].sum())
        across = planes * int(column.fresh[at_columns].sum())
        found[item.edge] = Copies(
            columns_in=lines * int(column.inherited[at_columns].sum()),
            columns_out=lines * int(column.handed_on[at_columns].sum()),
            lines_in=across * int(row.inherited[at_rows].sum()),
            lines_out=across * int(row.handed_on[at_rows].sum()),
        )
    return found


def sorted_tiles(plan: StackPlan, passes: NDArray[np.bool_]) -> tuple[list[TileSet], list[TileSet]]:
    """The tiles that pass, and the others; ``passes``: [rows alike, columns alike], as in ``AxisPlan.alike``."""
    like = np.empty(len(plan.columns.tiles), np.int64)
    for number, those in enumerate(plan.columns.alike):
        like[list(those)] = number
    by_columns: dict[bytes, tuple[NDArray[np.bool_], list[int]]] = {}
    for passing, rows in zip(passes[:, like], plan.rows.alike, strict=True):
        by_columns.setdefault(passing.tobytes(), (passing, []))[1].extend(rows)
    passed: list[TileSet] = []
    failed: list[TileSet] = []
    for passing, alike in by_columns.values():
        for found, chosen in ((passed, passing), (failed, ~passing)):
            if chosen.any():
                found.append(TileSet(tuple(alike), tuple(np.flatnonzero(chosen).tolist())))
    return passed, failed
