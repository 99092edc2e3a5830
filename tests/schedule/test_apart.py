"""Tiles, kept columns and kept lines in memories of their own: walked on sets of words, knowing the future."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_nets import plane_graphs, valid_pair

from energysim.graph.layers import LayerGraph
from energysim.schedule.apart import Copies, RangesApart, copies, extents, needs_apart, ranges_apart, sorted_tiles
from energysim.schedule.intervals import EMPTY, Interval
from energysim.schedule.live import live_at
from energysim.schedule.plan import StackPlan, plan_stack
from energysim.schedule.spatial import axis_maps
from energysim.schedule.values import Overlap, Stack

GRAPHS = plane_graphs()
Words = set[tuple[int, int]]
Tile = tuple[int, int]


class Walk:
    """One feature map of a plan, of one image and channel, tile by tile.

    A tile has a rectangle of the map: the hull of what it makes, loads, stores and reads. What of it is not new comes
    from the column store, or else from the line store. After each tile the column store has what was seen in this row
    of tiles and the rest of the row still takes; the line store what was made and other tiles still take from it.
    """

    def __init__(self, graph: LayerGraph, plan: StackPlan, edge: str) -> None:
        self.graph, self.plan, self.edge = graph, plan, edge
        self.grid = list(product(range(len(plan.rows.tiles)), range(len(plan.columns.tiles))))
        self.region, self.fresh = {}, {}
        for i, j in self.grid:
            self.region[i, j] = _words(self._side(0, i), self._side(1, j))
            self.fresh[i, j] = _words(plan.rows.fresh[edge][i], plan.columns.fresh[edge][j])
        self.moved: dict[Tile, Counter[str]] = {at: Counter() for at in self.grid}
        self.stored: dict[Tile, tuple[int, int, int, int]] = {}
        self._walk()

    def _side(self, axis: int, tile: int) -> Interval:
        plan = (self.plan.rows, self.plan.columns)[axis]
        side = plan.fresh[self.edge][tile].hull(plan.stores.get(self.edge, [EMPTY] * (tile + 1))[tile])
        for name in self.plan.stack.layers:
            layer = self.graph.layer(name)
            if self.edge in layer.inputs:
                maps = axis_maps(layer, self.graph) or {}
                side = side.hull(maps[self.edge][axis].need(plan.fresh[layer.outputs[0]][tile]))
        return side

    def _taken(self, tiles: list[Tile]) -> Words:
        """What these tiles use and do not make themselves, each by itself."""
        return set().union(*(self.region[at] - self.fresh[at] for at in tiles))

    def _row(self, i: int) -> list[Tile]:
        return [at for at in self.grid if at[0] == i]

    def _from_above(self, tiles: list[Tile]) -> Words:
        """What these tiles of one row use and none of them makes."""
        return self._taken(tiles) - set().union(*(self.fresh[at] for at in tiles))

    def _walk(self) -> None:
        columns: Words = set()
        lines: Words = set()
        made: Words = set()
        for at in self.grid:
            before = len(columns), len(lines)
            moved, old = self.moved[at], self.region[at] - self.fresh[at]
            moved["columns_in"] = len(old & columns)
            moved["lines_in"] = len(old - columns)
            assert old - columns <= lines, "a word is used that no store has"
            made |= self.fresh[at]
            done, rest = self._row(at[0])[: at[1] + 1], self._row(at[0])[at[1] + 1 :]
            seen = set().union(*(self.region[other] for other in done))
            below = set().union(*(self._from_above(self._row(i)) for i in range(at[0] + 1, len(self.plan.rows.tiles))))
            new_columns, new_lines = self._taken(rest) & seen, made & (below | self._from_above(rest) - seen)
            for name, store, new in (("columns", columns, new_columns), ("lines", lines, new_lines)):
                assert new - store <= self.region[at], "a word is kept that the tile does not have"
                moved[f"{name}_out"] = len(new - store)
            columns, lines = new_columns, new_lines
            self.stored[at] = (*before, len(columns), len(lines))


def _words(rows: Interval, columns: Interval) -> Words:
    return set(product(range(*rows), range(*columns)))


def _sizes(ranges: RangesApart, edge: str, step: int) -> tuple[int, int, int]:
    tile, columns, lines = (
        sum(item.size_bytes for item in live_at(kind, step) if item.name == edge)
        for kind in (ranges.tile, ranges.columns, ranges.lines)
    )
    return tile, columns, lines


def _check(graph: LayerGraph, plan: StackPlan, some: int) -> None:
    edges = [edge.edge for edge in plan.edges]
    rows, columns = extents(plan.rows, edges), extents(plan.columns, edges)

    alike = [[of[tiles[0]] for tiles in axis.alike] for of, axis in ((rows, plan.rows), (columns, plan.columns))]
    passes = np.array([[hash((row, column)) % 3 < some for column in alike[1]] for row in alike[0]])
    sets = [item for found in sorted_tiles(plan, passes) for item in found]
    members = [[(i, j) for i in item.rows for j in item.columns] for item in sets]
    counted = [copies(plan, item) for item in sets]
    for number, edge in enumerate(plan.edges):
        walk, planes = Walk(graph, plan, edge.edge), graph.edges[edge.edge].shape[1]
        assert sorted(at for tiles in members for at in tiles) == walk.grid
        for tiles, found in zip(members, counted, strict=True):
            moved = sum((walk.moved[at] for at in tiles), Counter())
            assert found[edge.edge] == Copies(
                *(planes * moved[kind] for kind in ("columns_in", "columns_out", "lines_in", "lines_out"))
            )
        for i, j in walk.grid:
            columns_before, lines_before, columns_after, lines_after = (planes * n for n in walk.stored[i, j])
            apart = ranges_apart(plan, 8, rows[i], columns[j], in_place=False)
            in_place = ranges_apart(plan, 8, rows[i], columns[j], in_place=True)
            region = planes * len(walk.region[i, j])
            for step in range(len(plan.weights)):
                lives, early = edge.first <= step <= edge.last, step < edge.first
                tile, kept, lines = _sizes(apart, edge.edge, step)
                assert tile == region * lives
                assert kept >= max(columns_before, columns_after)
                assert lines >= max(lines_before, lines_after)
                tile, kept, _ = _sizes(in_place, edge.edge, step)
                assert tile >= region * lives
                assert tile + kept >= (max(columns_before, columns_after) if lives else 0)
                assert tile + kept >= (columns_before if early else columns_after)
        assert rows[0][number].before == rows[-1][number].after == 0
    for in_place in (False, True):
        needs = needs_apart(plan, 8, in_place=in_place)
        for (i, row), (j, column) in product(enumerate(alike[0]), enumerate(alike[1])):
            ranges = ranges_apart(plan, 8, row, column, in_place=in_place)
            for kind, found in (
                ("tile", needs.tile[i, j]),
                ("columns", needs.columns[i, j]),
                ("lines", needs.lines[i, 0]),
            ):
                live = [live_at(getattr(ranges, kind), step) for step in range(len(plan.weights))]
                assert list(found) == [sum(entry.size_bytes for entry in entries) for entries in live]


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["residual", "unet", "squeeze"]),
    st.integers(2, 9),
    st.integers(2, 9),
    st.sampled_from(list(Overlap)),
    st.integers(0, 3),
)
def test_copies_and_stores_are_those_of_a_walk(name: str, rows: int, columns: int, overlap: Overlap, some: int) -> None:
    graph = GRAPHS[name]
    stack = Stack(tuple(layer.name for layer in graph.layers), (rows, columns), overlap)
    _check(graph, plan_stack(graph, stack), some)


def test_line_buffers_of_two_convolutions_by_hand() -> None:
    graph = valid_pair()  # 20x20 -> 18x18 -> 16x16, 8 channels each
    first, second = graph.layers
    plan = plan_stack(graph, Stack((first.name, second.name), (4, 4), Overlap.CACHE))
    (every,), _ = sorted_tiles(plan, np.ones((len(plan.rows.alike), len(plan.columns.alike)), np.bool_))
    found = copies(plan, every)
    # Of the map between, rows of tiles use 6, 6, 6 and 6 rows, of which the later three inherit 2; so do columns.
    assert found[first.outputs[0]] == Copies(
        columns_in=8 * 24 * 6, columns_out=8 * 24 * 6, lines_in=8 * 18 * 6, lines_out=8 * 18 * 6
    )
    assert found[second.outputs[0]] == Copies(0, 0, 0, 0)
