"""What every tile of a stack needs, computes and loads, per axis.

The tile grid lies on the ofmap of the stack's last layer. Needs are propagated backwards through the layers; where a
feature map has several consumers, a tile needs the hull of what they read. On an axis whose overlap is kept, a tile
computes and loads only what no earlier tile of the same sweep did.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from energysim.schedule.along import AllAlong, along
from energysim.schedule.axes import AxisMap
from energysim.schedule.intervals import Ints, Pieces, cut, scaled_cut


@dataclass(frozen=True, slots=True)
class AxisStep:
    """One layer along one axis: the map from its ofmap to each of its ifmaps."""

    name: str
    output: str
    inputs: tuple[tuple[str, AxisMap], ...]


@dataclass(frozen=True)
class AxisPlan:
    """One axis of a stack. Lists have one entry per tile, coordinates are those of the edge.

    ``held``: extent on chip while the tile runs, with what is kept for later tiles; ``used``: of it, what the tile
    itself reads, computes or stores; ``fresh``: what is computed in (or loaded for) this tile; ``kept``: the most
    coordinates that stay on chip from one tile to the next; ``loads``: words of an input of the stack that are fetched,
    holes left out; ``stores``: words of an output of the stack that are written, each once.
    """

    tiles: Pieces
    held: dict[str, Pieces]
    used: dict[str, Pieces]
    fresh: dict[str, Pieces]
    kept: dict[str, int]
    loads: dict[str, tuple[int, ...]]
    stores: dict[str, Pieces]

    def renamed(self, names: Mapping[str, str]) -> AxisPlan:
        """The same plan with every edge called ``names[edge]``, in the order of ``names``."""

        def called[T](lists: Mapping[str, T]) -> dict[str, T]:
            return {name: lists[edge] for edge, name in names.items() if edge in lists}

        return AxisPlan(
            self.tiles,
            called(self.held),
            called(self.used),
            called(self.fresh),
            called(self.kept),
            called(self.loads),
            called(self.stores),
        )

    def only(self, tiles: Sequence[int]) -> AxisPlan:
        """The plan of these tiles alone, which keep for and inherit from the others."""

        def those(lists: Mapping[str, Pieces]) -> dict[str, Pieces]:
            return {edge: pieces.at(tiles) for edge, pieces in lists.items()}

        return AxisPlan(
            self.tiles.at(tiles),
            those(self.held),
            those(self.used),
            those(self.fresh),
            self.kept,
            {edge: tuple(counts[i] for i in tiles) for edge, counts in self.loads.items()},
            those(self.stores),
        )

    @cached_property
    def widest(self) -> dict[str, int]:
        """Most coordinates of each edge that a tile holds."""
        return {edge: int(pieces.sizes.max()) for edge, pieces in self.held.items()}

    @cached_property
    def span(self) -> dict[str, int]:
        """Coordinates of each edge from the first to the last that any tile holds."""
        found = {}
        for edge, pieces in self.held.items():
            some = pieces.sizes > 0
            found[edge] = int(pieces.stop[some].max() - pieces.start[some].min()) if some.any() else 0
        return found

    @cached_property
    def loaded(self) -> dict[str, int]:
        """``loads`` of all tiles."""
        return {edge: sum(counts) for edge, counts in self.loads.items()}

    @cached_property
    def stored(self) -> dict[str, int]:
        """Coordinates of ``stores`` of all tiles."""
        return {edge: int(pieces.sizes.sum()) for edge, pieces in self.stores.items()}

    @cached_property
    def made(self) -> dict[str, tuple[int, int]]:
        """Coordinates of each edge that are fresh in some tile, each as often, and the tiles that have any."""
        sizes = {edge: pieces.sizes for edge, pieces in self.fresh.items()}
        return {edge: (int(found.sum()), int((found > 0).sum())) for edge, found in sizes.items()}

    @cached_property
    def along(self) -> dict[str, AllAlong]:
        """What each tile is of every edge."""
        return {
            edge: along(self.used[edge], held, self.fresh[edge], self.kept[edge] > 0)
            for edge, held in self.held.items()
        }

    @cached_property
    def known(self) -> dict[Hashable, Any]:
        """Answers about this plan that are asked for again and again."""
        return {}

    @cached_property
    def alike(self) -> tuple[tuple[int, ...], ...]:
        """Tiles that are the same of every edge, together."""
        groups: dict[bytes, list[int]] = {}
        for index, tile in enumerate(np.column_stack([row for edge in self.along.values() for row in edge])):
            groups.setdefault(tile.tobytes(), []).append(index)
        return tuple(map(tuple, groups.values()))


@lru_cache(maxsize=1 << 12)
def named_axis(
    steps: tuple[AxisStep, ...],
    sizes: tuple[tuple[str, int], ...],
    outputs: tuple[str, ...],
    tile: int | None,
    keeps: bool,
    names: tuple[tuple[str, str], ...],
) -> AxisPlan:
    """:func:`plan_axis` with other names of its edges: one object, so that what is derived from it is so once."""
    return plan_axis(steps, sizes, outputs, tile, keeps).renamed(dict(names))


@lru_cache(maxsize=1 << 12)
def plan_axis(
    steps: tuple[AxisStep, ...],
    sizes: tuple[tuple[str, int], ...],
    outputs: tuple[str, ...],
    tile: int | None,
    keeps: bool,
) -> AxisPlan:
    """Plan one axis. ``steps`` in execution order; ``sizes``: extent of every edge; ``outputs``: edges that leave the
    stack, the last step's among them; ``tile``: None for one tile; ``keeps``: the overlap with earlier tiles stays."""
    extents, last = dict(sizes), steps[-1].output
    grid = cut(extents[last], tile or max(1, extents[last]))
    stores = {edge: grid if edge == last else scaled_cut(grid, extents[last], extents[edge]) for edge in outputs}
    need = _needs(steps, stores, len(grid))
    fresh = {edge: _unseen(pieces) if keeps else pieces for edge, pieces in need.items()}
    kept = dict.fromkeys(need, 0)
    held = used = need
    if keeps:
        held, used = {}, _uses(steps, stores, fresh)
        for edge, pieces in used.items():
            held[edge], kept[edge] = _kept(pieces)
    return AxisPlan(grid, held, used, fresh, kept, _loads(steps, fresh, keeps), stores)


def _needs(steps: Sequence[AxisStep], stores: dict[str, Pieces], tiles: int) -> dict[str, Pieces]:
    """Per edge and tile, the hull of everything that the tile's results depend on, were nothing kept."""
    need = dict(stores)
    for step in reversed(steps):
        here = need.setdefault(step.output, Pieces.none(tiles))
        for edge, axis in step.inputs:
            wanted = axis.needs(here)
            need[edge] = need[edge].hull(wanted) if edge in need else wanted
    return need


def _lowest_to_come(pieces: Pieces) -> Ints:
    """For each tile, the first coordinate that it or a later tile wants (the end where none wants any)."""
    end = pieces.stop.max(initial=0)
    wanted = np.where(pieces.sizes > 0, np.minimum(pieces.start, end), end)
    return np.minimum.accumulate(wanted[::-1])[::-1]


def _done(pieces: Pieces) -> Ints:
    """The end of what each tile and those before it have; [tile + 1], nothing at first."""
    ends = np.where(pieces.sizes > 0, pieces.stop, 0)
    return np.maximum.accumulate(np.concatenate((np.zeros(1, np.int64), ends)))


def _unseen(need: Pieces) -> Pieces:
    """What each tile adds to what the tiles before it computed; coordinates that no tile wants are left out."""
    start = np.maximum(_done(need)[:-1], _lowest_to_come(need))
    return Pieces.between(start, need.stop, (need.sizes > 0) & (start < need.stop))


def _uses(steps: Sequence[AxisStep], stores: dict[str, Pieces], fresh: dict[str, Pieces]) -> dict[str, Pieces]:
    """Per edge and tile, the hull of what is computed, stored, and read to compute what is fresh downstream."""
    uses = dict(fresh)
    for edge, pieces in stores.items():
        uses[edge] = uses[edge].hull(pieces)
    for step in steps:
        for edge, axis in step.inputs:
            uses[edge] = uses[edge].hull(axis.needs(fresh[step.output]))
    return uses


def _kept(uses: Pieces) -> tuple[Pieces, int]:
    """What is on chip in each tile (all that was seen and is still wanted, and what is used now), and the most of it
    that came from earlier tiles."""
    low, done = _lowest_to_come(uses), _done(uses)
    most = int((done[:-1] - low).max(initial=0))
    return Pieces.between(low, done[1:], low < done[1:]), most


def _loads(steps: Sequence[AxisStep], fresh: dict[str, Pieces], keeps: bool) -> dict[str, tuple[int, ...]]:
    """Coordinates of each edge from outside the stack that each tile fetches."""
    produced = {step.output for step in steps}
    readers: dict[str, list[tuple[str, AxisMap]]] = {}
    for step in steps:
        for edge, axis in step.inputs:
            if edge not in produced:
                readers.setdefault(edge, []).append((step.output, axis))
    loads: dict[str, tuple[int, ...]] = {}
    for edge, maps in readers.items():
        if not keeps and len(maps) == 1:
            ((output, axis),) = maps
            loads[edge] = tuple(axis.counts(fresh[output]).tolist())
            continue
        masks = [0] * len(fresh[edge])
        for output, axis in maps:
            masks = [mask | axis.touched(piece) for mask, piece in zip(masks, fresh[output], strict=True)]
        seen, counts = 0, []
        for mask in masks:
            counts.append((mask & ~seen).bit_count())
            seen = seen | mask if keeps else 0
        loads[edge] = tuple(counts)
    return loads
