"""Where the lines of a layer graph run when its layers stand below one another in execution order.

A feature map that is used by a layer further down takes a lane beside the column, from its producer to its last
consumer; lanes that do not meet share a place. What lies in the lanes beside a layer is what waits for a later one.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Lane:
    """``start``: the producer's row; ``ends``: rows of the consumers that it passes others to reach; ``place``: 0 is
    beside the column."""

    start: int
    ends: tuple[int, ...]
    place: int


@dataclass(frozen=True, slots=True)
class Rows:
    """``names``: what stands in each row (None: the network's input, first, and output, last). ``linked``: rows whose
    producer is the row above; ``lanes``: all other uses."""

    names: tuple[str | None, ...]
    linked: frozenset[int]
    lanes: tuple[Lane, ...]

    @property
    def width(self) -> int:
        """How many places the lanes take."""
        return max((lane.place for lane in self.lanes), default=-1) + 1


def rows_of(graph: Mapping[str, Any]) -> Rows:
    """The rows of a graph that is plain data (:func:`energysim.graph.data.graph_data`). Views, which move no word, are
    passed through."""
    shown = [layer for layer in graph["layers"] if layer["kind"] != "view"]
    row_of = {layer["name"]: row for row, layer in enumerate(shown, 1)}
    source: dict[str, int] = dict.fromkeys(graph["inputs"], 0)
    uses: dict[int, set[int]] = {}
    for layer in graph["layers"]:
        behind = [source[edge] for edge in layer["inputs"] if edge in source]
        if layer["name"] in row_of:
            row = row_of[layer["name"]]
            for producer in behind:
                uses.setdefault(producer, set()).add(row)
            source.update(dict.fromkeys(layer["outputs"], row))
        elif behind:
            source.update(dict.fromkeys(layer["outputs"], behind[0]))
    last = len(shown) + 1
    for edge in graph["outputs"]:
        if edge in source:
            uses.setdefault(source[edge], set()).add(last)
    linked = frozenset(row + 1 for row, ends in uses.items() if row + 1 in ends)
    names = (None, *(layer["name"] for layer in shown), None)
    return Rows(names, linked, tuple(_lanes(uses)))


def _lanes(uses: Mapping[int, set[int]]) -> Sequence[Lane]:
    """Each in the place nearest the column that is free from its start to its end."""
    free: list[int] = []
    busy: list[tuple[int, int]] = []  # end, place
    lanes: list[Lane] = []
    for start in sorted(uses):
        ends = tuple(sorted(end for end in uses[start] if end > start + 1))
        if not ends:
            continue
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        place = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (ends[-1], place))
        lanes.append(Lane(start, ends, place))
    return lanes
