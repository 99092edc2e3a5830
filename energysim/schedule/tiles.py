"""What every tile of a stack needs, computes and loads, per axis.

The tile grid lies on the ofmap of the stack's last layer. Needs are propagated backwards through the layers; where a
feature map has several consumers, a tile needs the hull of what they read. On an axis whose overlap is kept, a tile
computes and loads only what no earlier tile of the same sweep did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeVar

from energysim.schedule.along import Along, Extents, along
from energysim.schedule.axes import EMPTY, AxisMap, Interval, cut, scaled_cut

_T = TypeVar("_T")


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

    tiles: tuple[Interval, ...]
    held: dict[str, tuple[Interval, ...]]
    used: dict[str, tuple[Interval, ...]]
    fresh: dict[str, tuple[Interval, ...]]
    kept: dict[str, int]
    loads: dict[str, tuple[int, ...]]
    stores: dict[str, tuple[Interval, ...]]

    def renamed(self, names: Mapping[str, str]) -> AxisPlan:
        """The same plan with every edge called ``names[edge]``, in the order of ``names``."""

        def called(lists: Mapping[str, _T]) -> dict[str, _T]:
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

        def those(lists: Mapping[str, tuple[_T, ...]]) -> dict[str, tuple[_T, ...]]:
            return {edge: tuple(entries[i] for i in tiles) for edge, entries in lists.items()}

        return AxisPlan(
            tuple(self.tiles[i] for i in tiles),
            those(self.held),
            those(self.used),
            those(self.fresh),
            self.kept,
            those(self.loads),
            those(self.stores),
        )

    @cached_property
    def widest(self) -> dict[str, int]:
        """Most coordinates of each edge that a tile holds."""
        return {edge: max(piece.size for piece in pieces) for edge, pieces in self.held.items()}

    @cached_property
    def span(self) -> dict[str, int]:
        """Coordinates of each edge from the first to the last that any tile holds."""
        found = {edge: [piece for piece in pieces if piece.size] for edge, pieces in self.held.items()}
        return {
            edge: max((i.stop for i in pieces), default=0) - min((i.start for i in pieces), default=0)
            for edge, pieces in found.items()
        }

    @cached_property
    def loaded(self) -> dict[str, int]:
        """``loads`` of all tiles."""
        return {edge: sum(counts) for edge, counts in self.loads.items()}

    @cached_property
    def stored(self) -> dict[str, int]:
        """Coordinates of ``stores`` of all tiles."""
        return {edge: sum(piece.size for piece in pieces) for edge, pieces in self.stores.items()}

    @cached_property
    def made(self) -> dict[str, tuple[int, int]]:
        """Coordinates of each edge that are fresh in some tile, each as often, and the tiles that have any."""
        sizes = {edge: [piece.size for piece in pieces] for edge, pieces in self.fresh.items()}
        return {edge: (sum(found), sum(size > 0 for size in found)) for edge, found in sizes.items()}

    @cached_property
    def along(self) -> dict[str, tuple[Along, ...]]:
        """What each tile is of every edge."""
        return {
            edge: along(self.used[edge], held, self.fresh[edge], self.kept[edge] > 0)
            for edge, held in self.held.items()
        }

    @cached_property
    def alike(self) -> dict[Extents, list[int]]:
        """Tiles that are the same of every edge."""
        groups: dict[Extents, list[int]] = {}
        for index, tile in enumerate(zip(*self.along.values(), strict=True)):
            groups.setdefault(tile, []).append(index)
        return groups


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


Pieces = tuple[Interval, ...]


def _needs(steps: Sequence[AxisStep], stores: dict[str, Pieces], tiles: int) -> dict[str, Pieces]:
    """Per edge and tile, the hull of everything that the tile's results depend on, were nothing kept."""
    need: dict[str, Sequence[Interval]] = dict(stores)
    for step in reversed(steps):
        here = need.setdefault(step.output, (EMPTY,) * tiles)
        for edge, axis in step.inputs:
            wanted = axis.needs(here)
            need[edge] = [a.hull(b) for a, b in zip(need[edge], wanted, strict=True)] if edge in need else wanted
    return {edge: tuple(pieces) for edge, pieces in need.items()}


def _lowest_to_come(pieces: Sequence[Interval]) -> list[int]:
    """For each tile, the first coordinate that it or a later tile wants (the end where none wants any)."""
    lows, low = [], max((piece.stop for piece in pieces), default=0)
    for piece in reversed(pieces):
        low = min(low, piece.start) if piece.size else low
        lows.append(low)
    return lows[::-1]


def _unseen(need: Pieces) -> Pieces:
    """What each tile adds to what the tiles before it computed; coordinates that no tile wants are left out."""
    done, fresh = 0, []
    for piece, low in zip(need, _lowest_to_come(need), strict=True):
        start = max(done, low)
        fresh.append(Interval(start, piece.stop) if piece.size and start < piece.stop else EMPTY)
        done = max(done, piece.stop) if piece.size else done
    return tuple(fresh)


def _uses(steps: Sequence[AxisStep], stores: dict[str, Pieces], fresh: dict[str, Pieces]) -> dict[str, Pieces]:
    """Per edge and tile, the hull of what is computed, stored, and read to compute what is fresh downstream."""
    uses: dict[str, list[Interval]] = {edge: list(pieces) for edge, pieces in fresh.items()}
    for edge, pieces in stores.items():
        uses[edge] = [a.hull(b) for a, b in zip(uses[edge], pieces, strict=True)]
    for step in steps:
        for edge, axis in step.inputs:
            needs = axis.needs(fresh[step.output])
            uses[edge] = [a.hull(b) for a, b in zip(uses[edge], needs, strict=True)]
    return {edge: tuple(pieces) for edge, pieces in uses.items()}


def _kept(uses: Pieces) -> tuple[Pieces, int]:
    """What is on chip in each tile (all that was seen and is still wanted, and what is used now), and the most of it
    that came from earlier tiles."""
    done, most, held = 0, 0, []
    for piece, low in zip(uses, _lowest_to_come(uses), strict=True):
        most = max(most, done - low)
        done = max(done, piece.stop) if piece.size else done
        held.append(Interval(low, done) if low < done else EMPTY)
    return tuple(held), most


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
            loads[edge] = tuple(axis.count(piece) for piece in fresh[output])
            continue
        seen, counts = 0, []
        for index in range(len(fresh[edge])):
            mask = 0
            for output, axis in maps:
                mask |= axis.touched(fresh[output][index])
            counts.append((mask & ~seen).bit_count())
            seen = seen | mask if keeps else 0
        loads[edge] = tuple(counts)
    return loads
