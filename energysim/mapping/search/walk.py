"""One hierarchy searched from the outermost memory inwards, level by level, with bounds and dominance."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from energysim.arch.spec import Array, Memory
from energysim.mapping.nest import Loop, Mapping
from energysim.mapping.search.fanout import split_axes
from energysim.mapping.search.kernels import expand, shadows
from energysim.mapping.search.levels import Prepared
from energysim.mapping.search.orders import Order
from energysim.mapping.search.records import (
    CHOICE,
    CLASS,
    INTS,
    PADDED,
    PARENT,
    TILE,
    WINDOW,
    Front,
    Goal,
    scratch,
)
from energysim.mapping.search.setting import Setting
from energysim.mapping.search.space import Floats, Ints

_CHUNK = 256
_START_ROWS = 1 << 9


@dataclass
class Clock:
    """When to stop, and what was done so far. ``interrupted``: the user asked for what is known by now."""

    deadline: float | None
    evaluated: int = 0
    interrupted: bool = False

    def over(self) -> bool:
        return self.interrupted or (self.deadline is not None and time.perf_counter() >= self.deadline)


@dataclass
class Walk:
    """``value``: of ``mapping`` by the search's own sums. ``bound``: least value left out (inf: nothing was).

    ``through``: the hierarchy in which a mapping was found; ``fronts``: the labels on the way, node by node.
    """

    value: float = np.inf
    bound: float = np.inf
    through: tuple[Setting, Prepared] | None = None
    fronts: list[tuple[Floats, Ints]] = field(default_factory=list)

    @property
    def found(self) -> bool:
        return self.through is not None

    @cached_property
    def mapping(self) -> Mapping | None:
        return None if self.through is None else _mapping(*self.through, self.fronts)


def walk_hierarchy(
    setting: Setting,
    prepared: Prepared,
    goal: Goal,
    best: float,
    clock: Clock,
    beam: int | None = None,
    may_stop: bool = True,
    tick: Callable[[], None] | None = None,
) -> Walk:
    """The best mapping of a hierarchy below ``best``; ``beam`` keeps only so many labels per node (a quick answer).

    ``may_stop``: heed the clock (before any mapping is known there is nothing to stop with). ``tick`` is called now
    and then, for progress.
    """
    result = Walk()
    floats, ints, bounds = _root(setting, goal)
    work = scratch(floats.shape[1], goal.components, len(setting.space.dims))
    alive = shadowed = np.zeros(1, dtype=np.int64)
    for position, level in enumerate(prepared.levels):
        order = alive[np.argsort(bounds[alive], kind="stable")]
        if beam is not None and len(order) > beam:
            result.bound = min(result.bound, float(bounds[order[beam]]))
            order = order[:beam]
        reach = prepared.reach.table(position, ints[order, TILE])
        front = _empty(floats.shape[1], setting.space.size)
        used = 0
        for first in range(0, len(order), _CHUNK):
            chunk = order[first : first + _CHUNK]
            if bounds[chunk[0]] >= best:
                break
            if may_stop and clock.over():
                result.bound = min(result.bound, float(bounds[chunk[0]]))
                break
            if tick is not None:
                tick()
            done = 0
            while done < len(chunk):
                done, used, best, counted = expand(
                    setting.space.tables,
                    level,
                    goal,
                    floats,
                    ints,
                    shadowed,
                    chunk,
                    done,
                    front,
                    used,
                    best,
                    reach,
                    work,
                )
                clock.evaluated += counted
                if done < len(chunk):
                    front = _enlarged(front)
        result.fronts.append((floats, ints))
        if not used:
            return result
        shadowed = shadows(front, used, goal.components, len(setting.problem.tensors))
        alive = np.flatnonzero(front.next_[:used] != -2)
        floats, ints, bounds = front.floats, front.ints, front.bounds
    result.value = float(bounds[0])
    result.fronts.append((floats, ints))
    result.through = setting, prepared
    return result


def _root(setting: Setting, goal: Goal) -> tuple[Floats, Ints, Floats]:
    tensors = len(setting.problem.tensors)
    row = np.zeros((1, goal.components + 1 + 3 * tensors + 2 + WINDOW + PADDED))
    row[0, goal.components : goal.components + 1 + 3 * tensors + 2] = 1.0
    row[0, goal.components + 1 + 3 * tensors + 2] = -1.0
    row[0, -PADDED:] = -1.0
    ints = np.zeros((1, INTS), dtype=np.int64)
    ints[0, TILE], ints[0, PARENT], ints[0, CLASS] = setting.space.full, -1, 0
    return row, ints, np.full(1, -np.inf)


def _empty(columns: int, tiles: int, rows: int = _START_ROWS) -> Front:
    return Front(
        np.empty((rows, columns)),
        np.empty((rows, INTS), dtype=np.int64),
        np.empty(rows),
        np.full(tiles, -1, dtype=np.int64),
        np.full(rows, -1, dtype=np.int64),
    )


def _enlarged(front: Front) -> Front:
    """The same labels with room for as many again."""
    bigger = _empty(front.floats.shape[1], len(front.head), 2 * len(front.bounds))
    for old, new in ((front.floats, bigger.floats), (front.ints, bigger.ints), (front.bounds, bigger.bounds)):
        new[: len(old)] = old
    bigger.next_[: len(front.next_)] = front.next_
    bigger.head[:] = front.head
    return bigger


def _mapping(setting: Setting, prepared: Prepared, fronts: list[tuple[Floats, Ints]]) -> Mapping:
    """Follow the best label back to the root and write its loops down, outermost first."""
    space = setting.space
    tiles: list[int] = []
    choices: list[int] = []
    label = 0
    for _, ints in reversed(fronts):
        tiles.append(int(ints[label, TILE]))
        choices.append(int(ints[label, CHOICE]))
        label = int(ints[label, PARENT])
    tiles.reverse()
    choices.reverse()
    loops: list[Loop] = []
    digits = [space.digits(tile) for tile in tiles]
    for position, node in enumerate(setting.nodes):
        outer, inner = digits[position], digits[position + 1]
        factors = tuple(divs[a] // divs[b] for divs, a, b in zip(space.divisors, outer, inner, strict=True))
        spec = setting.arch.nodes[node]
        if isinstance(spec, Array):
            for axis, split in zip(("x", "y"), split_axes(space, spec, factors), strict=True):
                loops.extend(
                    Loop(dim, factor, node, factor, "x" if axis == "x" else "y")
                    for dim, factor in zip(space.dims, split, strict=True)
                    if factor > 1
                )
            continue
        option = prepared.options[position][choices[position + 1]]
        for d in reversed(_complete(setting, node, option)):
            if factors[d] > 1:
                loops.append(Loop(space.dims[d], factors[d], node, factors[d]))
    return Mapping(tuple(loops), prepared.hierarchy.names(setting.problem))


def _complete(setting: Setting, node: int, option: Order) -> list[int]:
    """All dimensions, innermost first: the option's, those that a constraint orders, the others."""
    space, spec = setting.space, setting.arch.nodes[node]
    assert isinstance(spec, Memory)
    fixed = spec.constraints.innermost
    order = list(option.sequence)
    for d in [space.index[dim] for dim in fixed if dim in space.index] + list(range(len(space.dims))):
        if d not in order:
            order.append(d)
    return order
