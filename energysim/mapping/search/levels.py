"""One hierarchy prepared for the kernels: what each node may split, which orders matter, and the bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from energysim.arch.spec import Array, Memory
from energysim.mapping.search.bounds import Bounds, Served
from energysim.mapping.search.hierarchy import Hierarchy
from energysim.mapping.search.orders import Order, OrderRules, orders
from energysim.mapping.search.reach import Reach
from energysim.mapping.search.records import OUTERMOST, UNKEPT, Bound, Floats, Ints, Level
from energysim.mapping.search.setting import Setting, fits


@dataclass(frozen=True)
class Prepared:
    """``levels``, ``options`` and the tables of ``reach`` per active node; ``root``: least components of any mapping
    ([component])."""

    hierarchy: Hierarchy
    levels: tuple[Level, ...]
    options: tuple[tuple[Order, ...], ...]
    root: Floats
    reach: Reach


class _AtMemory(NamedTuple):
    """Least costs at a memory: still to come once it has split its tile [component, tile]; before that [component,
    class, tile]; and of what happens inside it, per tile kept there [component, tile]."""

    least: Floats
    ahead: Floats
    after: Floats


class _Builder:
    """Levels of one hierarchy, built from the compute unit outwards."""

    def __init__(self, setting: Setting, hierarchy: Hierarchy) -> None:
        self.setting, self.hierarchy, self.bounds = setting, hierarchy, Bounds(setting, hierarchy)
        self.space, self.arch, self.output = setting.space, setting.arch, setting.space.tables.output
        self.tensors = len(setting.problem.tensors)

    def build(self) -> Prepared:
        setting, positions = self.setting, len(self.setting.nodes)
        count, classes = len(setting.components), len(setting.classes)
        size = self.space.size
        after = np.full((count, size), np.inf)  # least cost inside the node at the closing, per tile kept there
        after[:, 0] = 0.0
        closing = setting.compute
        ahead: list[Floats] = [np.zeros((count, classes, size))] * (positions + 1)
        closings = [setting.compute] * (positions + 1)
        splits = list(ahead)  # after the split of a node, before what follows it is fixed
        least: list[Floats] = [after] * positions  # [component, tile] of these, with what is sent and absorbed
        inner: Floats | None = None  # [component, class, tile] at the arrays above the closing
        for position in range(positions - 1, -1, -1):
            node = setting.nodes[position]
            closings[position] = closing
            if inner is None:
                inner = self.bounds.received(closing, after)
            splits[position] = inner
            if isinstance(self.arch.nodes[node], Array):
                least[position] = self.bounds.least_split(node, closing, inner)
                inner = self.bounds.through_array(node, closing, inner)
                ahead[position] = inner
                continue
            if position == 0:  # all starts here, with the whole problem
                total = self.bounds.plus_sent(inner, self.bounds.pending(node), node)
                least[position] = self.bounds.least(node, closing, total)
                root = self._root(closing, total)
                break
            least[position], ahead[position], after = self._memory(node, closing, inner)
            closing, inner = node, None
        else:
            root = ahead[0].min(axis=1)[:, self.space.full]
        levels, options = [], []
        for position in range(positions):
            level, order = self._level(position, splits[position], least[position], ahead[position + 1], closings)
            levels.append(level)
            options.append(order)
        return Prepared(self.hierarchy, tuple(levels), tuple(options), root, Reach(self.space, tuple(levels)))

    def _memory(self, node: int, closing: int, inner: Floats) -> _AtMemory:
        """The same for all hierarchies that keep the same here and further in, of tensors from the same memories."""
        key = ("memory", node, closing, self.hierarchy.kept[node:], tuple(self.bounds.pending(node)))

        def make() -> _AtMemory:
            pending, bounds = self.bounds.pending(node), self.bounds
            total = bounds.plus_sent(inner, pending, node)
            least = bounds.least(node, closing, total)
            own = [served for served in pending if served.source == node]
            sent = bounds.reduce(bounds.plus_sent(inner, own, node), node)
            ahead, after = bounds.reduce(total, node), bounds.closed(sent, node, closing, own)
            too_large = ~fits(self.setting, self.hierarchy, node)
            ahead[:, :, too_large] = after[:, too_large] = np.inf
            return _AtMemory(least, ahead, after)

        return self.setting.once(key, make)

    def _root(self, closing: int, total: Floats) -> Floats:
        """[component]: least cost of the whole problem; ``total`` after the split of the first node, a memory."""
        setting, node, full = self.setting, self.setting.nodes[0], self.space.full
        if len(setting.nodes) == 1:
            start = self.bounds.reduce(total, node)[:, :, full:]
        else:
            start = total.min(axis=2, where=self.bounds.reached(node), initial=np.inf, keepdims=True)
        root: Floats = self.bounds.closed(start, node, closing, self.bounds.pending(node))[:, 0]
        if not fits(setting, self.hierarchy, node)[full]:
            root[:] = np.inf
        if self.output in self.hierarchy.kept[node]:
            root -= [self.bounds.elided(component, node) for component in setting.components]
        return root

    def _level(
        self, position: int, split: Floats, least: Floats, ahead: Floats, closings: list[int]
    ) -> tuple[Level, tuple[Order, ...]]:
        setting = self.setting
        node = setting.nodes[position]
        spec = self.arch.nodes[node]
        final = position + 1 == len(setting.nodes)
        following = setting.compute if final else setting.nodes[position + 1]
        next_is_array = isinstance(self.arch.nodes[following], Array)
        is_array = isinstance(spec, Array)
        count = len(setting.components)
        source = np.full(self.tensors, UNKEPT, dtype=np.int64)
        read, fill, update = (np.zeros((count, self.tensors)) for _ in range(3))
        if not next_is_array:
            served = dict(self.bounds.due(following))
            kept = served.keys() if final else self.hierarchy.kept[following]
            for t in kept:
                source[t] = served.get(t, OUTERMOST)
            for k, component in enumerate(setting.components):
                for t, memory in served.items():
                    read[k, t], update[k, t] = component.read[memory, t], component.update[memory, t]
                    fill[k, t] = component.fill[following, t]
        options, tables = self._options(position)
        shares = np.zeros(self.tensors, dtype=np.int64)
        fan_out = np.inf
        if isinstance(spec, Array):
            shares[:] = spec.multicast
            shares[self.output] = spec.reduction
            fan_out = float(spec.x * spec.y)
        to_memory = not next_is_array and not final
        level = Level(
            is_array=is_array,
            is_final=final,
            factor_ok=self.bounds.factors[node],
            fan_out=fan_out,
            feasible=setting.feasible[node] if is_array else np.ones(1, dtype=np.int64),
            shares=shares,
            closes=not next_is_array,
            absorbs=not next_is_array and not final,
            live=np.array(self._live(position + 1), dtype=np.int64),
            source=source,
            read=read,
            fill=fill,
            update=update,
            read_split=np.array([c.per_instance for c in setting.components], dtype=np.int64),
            split=self._bound(closings[position], split, least, node, any_class=False),
            ahead=self._bound(
                closings[position + 1],
                ahead,
                ahead.min(axis=1),
                following if to_memory else node,
                any_class=to_memory,
            ),
            most_split=setting.most_split[position + 1],
            most_shared=setting.most_shared[position + 1],
            **tables,
        )
        return level, options

    def _bound(self, closing: int, costs: Floats, least: Floats, node: int, any_class: bool) -> Bound:
        """``node``: the last one whose memory, if it is one, already serves what lies inside."""
        pending = tuple(self.bounds.pending(node))
        words = self.setting.once(("words", closing, pending), lambda: self._words(closing, node, pending))
        return Bound(costs=np.ascontiguousarray(costs), least=np.ascontiguousarray(least), any_class=any_class, **words)

    def _words(self, closing: int, node: int, pending: tuple[Served, ...]) -> dict[str, Any]:
        """The fields of a :class:`Bound` that say what a word on its way costs."""
        setting, count = self.setting, len(self.setting.components)
        waits, direct = np.zeros(self.tensors, dtype=np.int64), np.zeros(self.tensors)
        read, fill = np.zeros((count, self.tensors + 1)), np.zeros((count, self.tensors))
        for one in pending:
            waits[one.tensor] = 1
            if one.closing == setting.compute:  # no memory on the way stores it: one word for every MAC
                direct[one.tensor] = self.space.tables.exact[one.tensor, 0]
            for k, component in enumerate(setting.components):
                read[k, one.tensor] = component.read[one.source, one.tensor]
                if one.tensor == self.output:
                    read[k, self.tensors] = component.update[one.source, one.tensor]
                if closing != setting.compute and one.closing == closing:
                    split = self.bounds.instances(closing) if component.per_instance else 1.0
                    fill[k, one.tensor] = component.fill[closing, one.tensor] / split
        classes = np.array(self.bounds.free(node), dtype=np.int64)
        return {"classes": classes, "pending": waits, "direct": direct, "read": read, "fill": fill}

    def _options(self, position: int) -> tuple[tuple[Order, ...], dict[str, Ints]]:
        spec = self.arch.nodes[self.setting.nodes[position]]
        rules = self._rules(position, spec) if isinstance(spec, Memory) else None
        return _options(rules, len(self.space.dims), self.tensors, self.setting.class_of)

    def _live(self, position: int) -> list[bool]:
        """[tensor]: whether a memory after the given position stores it."""
        later = frozenset[int]().union(*(self.hierarchy.kept[node] for node in self.setting.nodes[position + 1 :]))
        return [t in later for t in range(self.tensors)]

    def _rules(self, position: int, memory: Memory) -> OrderRules:
        fixed = tuple(self.space.index[d] for d in memory.constraints.innermost if d in self.space.index)
        tables = self.space.tables
        return OrderRules(
            self.space.moves, tuple(self._live(position)), tables.sliding, tuple(tables.slides.tolist()), fixed
        )


@lru_cache(maxsize=1 << 10)
def _options(
    rules: OrderRules | None, dims: int, tensors: int, class_of: tuple[int, ...]
) -> tuple[tuple[Order, ...], dict[str, Ints]]:
    """All orders of a memory for every set of loops, and the fields of its level that say so (arrays, shared by the
    problems that only differ in sizes; not to be changed). An array (no ``rules``) has one."""
    found: list[Order] = []
    start, number = np.zeros(1 << dims, dtype=np.int64), np.zeros(1 << dims, dtype=np.int64)
    if rules is None:
        number[:] = 1
        found.append(Order((0,) * tensors, (), -1, ()))
    else:
        for mask in range(1 << dims):
            here = orders(rules, mask)
            start[mask], number[mask] = len(found), len(here)
            found.extend(here)
    repeats = [0, *(int(a.absorbed == b.absorbed) for a, b in pairwise(found))]
    windows = [[*order.window, -1, -1][:2] for order in found]
    tables = {
        "option_start": start,
        "option_count": number,
        "absorbed": np.array([order.absorbed for order in found], dtype=np.int64),
        "window": np.array(windows, dtype=np.int64),
        "repeats_last": np.array(repeats, dtype=np.int64),
        "option_class": np.array(
            [class_of[order.innermost] if order.innermost >= 0 else 0 for order in found], dtype=np.int64
        ),
    }
    return tuple(found), tables


def prepare(setting: Setting, hierarchy: Hierarchy) -> Prepared:
    """Everything the kernels need for one hierarchy. ``root`` is infinite where nothing fits."""
    return _Builder(setting, hierarchy).build()
