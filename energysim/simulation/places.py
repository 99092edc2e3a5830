"""Where a stack can live on chip: everything in one pair of homes, or its tiles further in than what they keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from energysim.arch.spec import ArchSpec, Memory
from energysim.errors import InfeasibleError
from energysim.schedule.along import Extents
from energysim.schedule.apart import Copies, TileSet, copies, extents, needs_apart, ranges_apart, sorted_tiles
from energysim.schedule.homes import Homes, capacity_bytes, homes, homes_inwards, reserving
from energysim.schedule.live import Content, LiveRange, peak_bytes
from energysim.schedule.moments import moments
from energysim.schedule.plan import StackPlan


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stack lives. ``tiles``: sets of tiles (every tile in one), each with the homes in which they run.

    ``columns``, ``lines``: where kept columns and lines live; all in ``tiles``' memory where nothing is apart.
    """

    tiles: tuple[tuple[Homes, TileSet], ...]
    columns: Memory
    lines: Memory

    @property
    def apart(self) -> bool:
        """Whether not everything of the feature maps is in one memory."""
        return len({self.columns.name, self.lines.name, *(home.maps.name for home, _ in self.tiles)}) > 1

    @property
    def weights(self) -> Memory | None:
        return self.tiles[0][0].weights

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """What lives where: tiles (and those with no room there), columns, lines and, unless they stream, weights."""
        maps = dict.fromkeys(home.maps.name for home, _ in self.tiles)
        found = [*zip(("tiles", "larger tiles"), maps, strict=False)]
        found += [("columns", self.columns.name), ("lines", self.lines.name)]
        return (*found, *([] if self.weights is None else [("weights", self.weights.name)]))


@dataclass(frozen=True, slots=True)
class Part:
    """Tiles of a stack that run in the same homes: their share of its plan, and of each feature map what they copy."""

    home: Homes
    plan: StackPlan
    copies: dict[str, Copies]


def parts_of(plan: StackPlan, place: Place) -> list[Part]:
    """The parts of a stack that lives in ``place``."""
    if not place.apart:
        return [Part(place.tiles[0][0], plan, {})]
    return [Part(home, plan.only(tiles.rows, tiles.columns), copies(plan, tiles)) for home, tiles in place.tiles]


def fits_on_chip(
    ranges: tuple[LiveRange, ...], place: Homes, staying: Set[str] = frozenset(), reserved_bytes: int = 0
) -> bool:
    """Whether everything that a stack's tiles need at once (``ranges``) has room in its homes, where nothing is apart.

    ``staying``: feature maps that are on chip whole anyway; with others they take ``reserved_bytes`` all the time.
    """
    weights = [r for r in ranges if r.content is Content.WEIGHTS]
    maps = [r for r in ranges if r.content is not Content.WEIGHTS and r.name not in staying]
    if place.shared:
        maps, weights = maps + weights, []
    for memory, here, taken in ((place.maps, maps, reserved_bytes), (place.weights, weights, 0)):
        room = None if memory is None else capacity_bytes(memory)
        if room is not None and peak_bytes(here) + taken > room:
            return False
    return True


def stack_fits(
    plan: StackPlan, bits: int, place: Homes, staying: Set[str] = frozenset(), reserved_bytes: int = 0
) -> bool:
    """Whether every tile of a stack has room, with words of ``bits``; see :func:`fits_on_chip`."""
    if fits_on_chip(plan.live_ranges(bits), place, staying, reserved_bytes):
        return True  # the bound of all tiles at once
    return all(fits_on_chip(ranges, place, staying, reserved_bytes) for ranges in moments(plan, bits))


def place_of(
    plan: StackPlan, arch: ArchSpec, bits: int, staying: Set[str] = frozenset(), reserved_bytes: int = 0
) -> Homes | None:
    """The innermost homes with room for all of a stack; beside retained feature maps, which are in the outermost ones,
    those. None where it does not fit."""
    if not reserved_bytes:
        inner = inner_place(plan.live_ranges(bits), arch)
        if inner is not None:
            return inner
    outermost = homes(arch)
    return outermost if stack_fits(plan, bits, outermost, staying, reserved_bytes) else None


def inner_place(ranges: tuple[LiveRange, ...], arch: ArchSpec) -> Homes | None:
    """The innermost homes with room for ``ranges``; None where only the outermost could have it."""
    *inner, _ = homes_inwards(arch)
    return next((place for place in inner if fits_on_chip(ranges, place)), None)


def together(plan: StackPlan, place: Homes) -> Place:
    """Everything in one pair of homes."""
    tiles = TileSet(tuple(range(len(plan.rows.tiles))), tuple(range(len(plan.columns.tiles))))
    return Place(((place, tiles),), place.maps, place.maps)


def places_apart(plan: StackPlan, arch: ArchSpec, bits: int, outer: Homes) -> Iterator[Place]:
    """Places in which the tiles that have room further in than ``outer``, a home of all, live there.

    One for each memory that tiles, columns and lines can live in, tiles nowhere further out than columns, and those
    nowhere further out than lines; weights are in the innermost of their homes that has room.
    """
    inwards = homes_inwards(arch)
    maps = list({place.maps.name: place.maps for place in inwards}.values())
    maps = maps[: [memory.name for memory in maps].index(outer.maps.name) + 1]
    weights = tuple(item for item in plan.live_ranges(bits) if item.content is Content.WEIGHTS)
    for index, inner in enumerate(maps[:-1]):
        pairs = [[p for p in inwards if p.maps.name == memory.name] for memory in (inner, maps[-1])]
        inside, outside = next(
            (pair for pair in zip(*pairs, strict=True) if fits_on_chip(weights, pair[0])), (None, None)
        )
        if inside is None or outside is None:
            continue
        for columns in range(index, len(maps)):
            for lines in range(columns, len(maps)):
                place = _split(plan, bits, (inside, outside), maps[columns], maps[lines])
                if place is not None:
                    yield place


def _split(plan: StackPlan, bits: int, homes: tuple[Homes, Homes], columns: Memory, lines: Memory) -> Place | None:
    """As many tiles as have room in the first homes, the others in the second; None where none or not all have room."""
    here, there = (_rooms(plan, bits, home, columns, lines) for home in homes)
    if not here.any() or not (here | there).all():
        return None
    inside, outside = sorted_tiles(plan, here)
    first, second = homes
    if outside:
        # The mappings of these tiles pass the inner memories, in which what is kept takes its room.
        try:
            second = _beside_stores(plan, bits, second, columns, lines)
        except InfeasibleError:
            return None
    tiles = ((home, item) for home, found in ((first, inside), (second, outside)) for item in found)
    return Place(tuple(tiles), columns, lines)


def _rooms(plan: StackPlan, bits: int, home: Homes, columns: Memory, lines: Memory) -> NDArray[np.bool_]:
    """Whether each tile has room in ``home`` beside what is kept: [rows alike, columns alike]."""
    needs = needs_apart(plan, bits, in_place=columns.name == home.maps.name)
    parts = [(home.maps, needs.tile), (columns, needs.columns), (lines, needs.lines)]
    if home.weights is not None:
        weights = np.zeros(len(plan.weights), np.int64)
        for item in plan.live_ranges(bits):
            if item.content is Content.WEIGHTS:
                weights[item.first : item.last + 1] += item.size_bytes
        parts.append((home.weights, weights))
    passes = np.ones(needs.tile.shape[:2], np.bool_)
    for memory in {memory.name: memory for memory, _ in parts}.values():
        room = capacity_bytes(memory)
        if room is not None:
            held = sum((need for of, need in parts if of.name == memory.name), np.zeros_like(needs.tile))
            passes &= (held <= room).all(axis=-1)
    return passes


def _beside_stores(plan: StackPlan, bits: int, home: Homes, columns: Memory, lines: Memory) -> Homes:
    """``home`` for tiles that find less room further in, where kept columns or lines are. Raises InfeasibleError."""
    needs = needs_apart(plan, bits, in_place=False)
    arch = home.arch
    for memory in {columns.name: columns, lines.name: lines}.values():
        here = next((node for node in home.arch.memories if node.name == memory.name), None)
        if here is not None and memory.name != home.maps.name:
            kept = np.zeros(1, np.int64)
            kept = kept + (needs.columns if memory.name == columns.name else 0)
            kept = kept + (needs.lines if memory.name == lines.name else 0)
            arch = reserving(arch, here, int(kept.max()))
    return replace(home, arch=arch)


def most_held(plan: StackPlan, bits: int, place: Place) -> dict[str, tuple[LiveRange, ...]]:
    """What each memory of a place in which not everything is together holds, for the tile that needs most of it."""
    edges = [edge.edge for edge in plan.edges]
    rows, columns = extents(plan.rows, edges), extents(plan.columns, edges)
    found: dict[str, tuple[LiveRange, ...]] = {}
    for home, tiles in place.tiles:
        alone = replace(place, tiles=((home, tiles),))
        pairs = product({rows[i] for i in tiles.rows}, {columns[j] for j in tiles.columns})
        for memory, ranges in (held for pair in pairs for held in held_apart(plan, bits, *pair, alone)):
            if peak_bytes(ranges) > peak_bytes(found.get(memory.name, ())):
                found[memory.name] = tuple(ranges)
    return found


def held_apart(
    plan: StackPlan, bits: int, row: Extents, column: Extents, place: Place
) -> list[tuple[Memory, list[LiveRange]]]:
    """What each memory holds while a tile of these extents runs in the first homes of ``place``."""
    home = place.tiles[0][0]
    parts = ranges_apart(plan, bits, row, column, in_place=place.columns.name == home.maps.name)
    memories = [(home.maps, parts.tile), (place.columns, parts.columns), (place.lines, parts.lines)]
    if home.weights is not None:
        weights = tuple(item for item in plan.live_ranges(bits) if item.content is Content.WEIGHTS)
        memories.append((home.weights, weights))
    held: defaultdict[str, list[LiveRange]] = defaultdict(list)
    for memory, ranges in memories:
        held[memory.name] += ranges
    return [(memory, held[memory.name]) for memory in {memory.name: memory for memory, _ in memories}.values()]
