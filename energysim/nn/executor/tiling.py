"""Along one axis, which coordinates each tile of a stack computes, reads and stores: by sets, coordinate by coordinate.

Independent of :mod:`energysim.schedule.tiles` but for the grid itself (``cut`` and ``scaled_cut``, the definition of
the tiles): this is what its closed forms are checked against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from energysim.nn.executor.operators import Reads
from energysim.schedule.intervals import cut, scaled_cut

Places = frozenset[int]
"""Coordinates along one axis."""


@dataclass(frozen=True, slots=True)
class Local:
    """A layer of a stack along one axis."""

    output: str
    inputs: tuple[tuple[str, Reads], ...]


@dataclass(frozen=True)
class AxisTiles:
    """Per feature map and tile: what is computed, fetched from DRAM, stored to DRAM, and used at all in the tile."""

    count: int
    computed: dict[str, list[Places]]
    fetched: dict[str, list[Places]]
    stored: dict[str, list[Places]]
    used: dict[str, list[Places]]

    def used_later(self, edge: str, tile: int) -> Places:
        """What tiles after ``tile`` still use."""
        return frozenset().union(*self.used[edge][tile + 1 :])


def tile_axis(
    layers: Sequence[Local], sizes: dict[str, int], outputs: Sequence[str], tile: int | None, keeps: bool
) -> AxisTiles:
    """``keeps``: what an earlier tile of the same sweep computed or fetched is still on chip."""
    last = layers[-1].output
    grid = cut(sizes[last], tile or max(1, sizes[last]))
    stored = {
        edge: [frozenset(range(*piece)) for piece in (grid if edge == last else scaled_cut(grid, sizes[last], size))]
        for edge, size in sizes.items()
        if edge in outputs
    }
    produced = {layer.output for layer in layers}
    needs = [_needs(layers, {edge: pieces[index] for edge, pieces in stored.items()}) for index in range(len(grid))]
    computed: dict[str, list[Places]] = {}
    for edge in produced:
        wanted = [need.get(edge, frozenset()) for need in needs]
        computed[edge] = _once(wanted) if keeps else wanted
    fetched: dict[str, list[Places]] = {edge: [] for edge in sizes if edge not in produced}
    used: dict[str, list[Places]] = {edge: [] for edge in sizes}
    here: dict[str, set[int]] = {edge: set() for edge in fetched}
    for index in range(len(grid)):
        touched: dict[str, set[int]] = {edge: set() for edge in sizes}
        for edge, pieces in (*computed.items(), *stored.items()):
            touched[edge] |= pieces[index]
        for layer in layers:
            for edge, reads in layer.inputs:
                touched[edge] |= reads(computed[layer.output][index])
        for edge, places in touched.items():
            used[edge].append(frozenset(places))
        for edge in fetched:
            new = touched[edge] - here[edge] if keeps else touched[edge]
            here[edge] |= new
            fetched[edge].append(frozenset(new))
    return AxisTiles(len(grid), computed, fetched, stored, used)


def _needs(layers: Sequence[Local], wanted: dict[str, Places]) -> dict[str, Places]:
    """Everything that one tile's results depend on; a feature map is computed without gaps."""
    need = {edge: set(places) for edge, places in wanted.items()}
    produced = {layer.output for layer in layers}
    for layer in reversed(layers):
        places = need.setdefault(layer.output, set())
        for edge, reads in layer.inputs:
            need.setdefault(edge, set()).update(reads(places))
            if edge in produced:
                need[edge] = set(_without_gaps(need[edge]))
    return {edge: frozenset(places) for edge, places in need.items()}


def _without_gaps(places: set[int]) -> range:
    return range(min(places), max(places) + 1) if places else range(0)


def _once(wanted: list[Places]) -> list[Places]:
    """Each coordinate in the first tile whose reach it is within, if any tile wants it."""
    anyone = frozenset().union(*wanted)
    done: set[int] = set()
    result = []
    for places in wanted:
        new = {at for at in anyone if places and at <= max(places)} - done
        done |= new
        result.append(frozenset(new))
    return result


def runs(places: Places) -> list[tuple[int, int]]:
    """The coordinates as spans without gaps."""
    ordered = sorted(places)
    starts = [at for index, at in enumerate(ordered) if index == 0 or ordered[index - 1] != at - 1]
    stops = [at + 1 for index, at in enumerate(ordered) if index + 1 == len(ordered) or ordered[index + 1] != at + 1]
    return list(zip(starts, stops, strict=True))
