"""Lower bounds of one hierarchy, computed backwards from the compute unit outwards.

At a closing (a memory's tile becomes fixed, or the compute unit is reached) at most the tensors of one *class* profit
from stationarity: the innermost loop above belongs to one dimension, and every tensor that this dimension moves is
exchanged in full. So the least cost per class and tile is a sum over the other tensors, minimized over all tiles that
the factors allow; what the class's own tensors cost is added by the kernel, which knows what a label has absorbed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from energysim.arch.spec import Array
from energysim.mapping.search.goal import Component
from energysim.mapping.search.hierarchy import Hierarchy
from energysim.mapping.search.lattice import lattice_minimum, split_minimum
from energysim.mapping.search.records import Floats
from energysim.mapping.search.setting import Setting, idle
from energysim.mapping.search.sums import least_absorbed, plus_words


@dataclass(frozen=True, slots=True)
class Served:
    """A tensor on its way from memory ``source`` to ``closing``; ``fan``: most children that share it so far."""

    tensor: int
    source: int
    closing: int
    fan: float


class Bounds:
    """The parts of which the bounds of one hierarchy are made. Arrays: [component, class, tile] unless stated."""

    def __init__(self, setting: Setting, hierarchy: Hierarchy) -> None:
        self.setting, self.hierarchy = setting, hierarchy
        self.space, self.arch = setting.space, setting.arch
        self.tensors = len(setting.problem.tensors)
        self.factors = dict(setting.factors)
        for node in setting.nodes:
            if idle(setting, hierarchy, node):
                self.factors[node] = np.zeros_like(setting.factors[node])
                self.factors[node][:, 0] = 1
        self.output = self.space.tables.output
        self._pending: dict[int, list[Served]] = {}

    def due(self, closing: int) -> list[tuple[int, int]]:
        """(tensor, memory that serves it) at a closing."""
        kept = range(self.tensors) if closing == self.setting.compute else sorted(self.hierarchy.kept[closing])
        served = ((t, self.hierarchy.source(closing, t)) for t in kept)
        return [(t, source) for t, source in served if source is not None]

    def pending(self, node: int) -> list[Served]:
        """The tensors that some memory down to ``node`` serves further in."""
        if node not in self._pending:
            result = []
            for t in range(self.tensors):
                source = self.hierarchy.source(node + 1, t)
                if source is not None:
                    later = (n for n in self.setting.nodes if n > node and t in self.hierarchy.kept[n])
                    fan = self.fan_before(source, node, t)
                    result.append(Served(t, source, next(later, self.setting.compute), fan))
            self._pending[node] = result
        return self._pending[node]

    def free(self, node: int) -> tuple[int, ...]:
        """Per class: bit mask of the tensors that may absorb in the loops at or above ``node``."""
        stored = sum(1 << s.tensor for s in self.pending(node) if s.closing != self.setting.compute)
        return tuple(mask & stored for mask in self.setting.classes)

    def instances(self, node: int) -> float:
        return float(self.arch.instances(node))

    def fan_before(self, source: int, node: int, tensor: int) -> float:
        """Most children that share a transfer of a tensor in the arrays between a memory and a node further in."""
        shared = self.setting.most_alike
        return prod(float(shared[array][tensor]) for array in range(source, node) if array in shared)

    def inside(self, closing: int) -> tuple[int, frozenset[int], tuple[frozenset[int], ...]]:
        """What all bounds between a closing and the memory before it depend on, of the hierarchy: what is kept from the
        closing inwards, and the tensors that come from further out."""
        served = frozenset[int]().union(*self.hierarchy.kept[:closing])
        return closing, served, self.hierarchy.kept[closing:]

    def received(self, closing: int, after: Floats) -> Floats:
        """[component, class, tile]: what the closing's own fills and everything inside cost at least."""
        return self.setting.once(("received", self.inside(closing)), lambda: self._received(closing, after))

    def _received(self, closing: int, after: Floats) -> Floats:
        setting, tables = self.setting, self.space.tables
        result = np.repeat(after[:, None, :], len(setting.classes), axis=1)
        if closing == setting.compute:
            return result
        weights = np.zeros((len(setting.components), len(setting.classes), self.tensors))
        for k, component in enumerate(setting.components):
            for t, _ in self.due(closing):
                weights[k, :, t] = component.fill[closing, t] / self.ports(component, closing)
        weights *= [[not free >> t & 1 for t in range(self.tensors)] for free in setting.classes]
        result = plus_words(result, tables.floor, weights, np.zeros(self.tensors), tables.floor)
        arrays = self.arrays_before(closing)
        if not arrays:
            result -= self.credit(closing, arrays)[:, :, None]
        return result

    def arrays_before(self, closing: int) -> list[int]:
        """The arrays between a closing and the memory before it, outermost first."""
        arrays = []
        for node in reversed(self.setting.nodes):
            if node < closing:
                if not isinstance(self.arch.nodes[node], Array):
                    break
                arrays.append(node)
        return arrays[::-1]

    def credit(self, closing: int, arrays: list[int]) -> Floats:
        """[component, class]: most that first touches save at a closing, per instance that the last array makes.

        The first touch of every partial sum is neither filled nor read: ofmap words x instances that hold one.
        """
        setting = self.setting
        result = np.zeros((len(setting.components), len(setting.classes)))
        kept = () if closing == setting.compute else self.hierarchy.kept[closing]
        if self.output not in kept:
            return result
        served = self.hierarchy.source(closing, self.output) is not None
        outer = 1.0
        for node in setting.nodes:
            if node < closing and node in setting.feasible and node not in arrays[-1:]:
                outer *= setting.most_spread[node]
        for k, component in enumerate(setting.components):
            fill = component.fill[closing, self.output] if served else 0.0
            for z, free in enumerate(setting.classes):
                here = component.read[closing, self.output] + (0.0 if free >> self.output & 1 else fill)
                scale = 1.0 if component.per_instance else outer
                result[k, z] = self.space.tables.output_words * here * scale
        return result

    def plus_sent(self, inner: Floats, served: list[Served], node: int) -> Floats:
        """``inner`` and the least cost at the memories that serve ``served``, for tiles below the loops of a memory.

        Where another tensor's class is innermost there, a tensor is sent anew at every step above the tile. What no
        memory stores on the way is sent for every MAC, but for those that the arrays let share it.
        """
        setting, tables = self.setting, self.space.tables
        weights = np.zeros((len(setting.components), len(setting.classes), self.tensors))
        direct = np.zeros(self.tensors)
        for one in served:
            t, passes = one.tensor, one.closing == setting.compute
            if passes:
                direct[t] = tables.exact[t, 0]
            sends = [passes or not free >> t & 1 for free in setting.classes]
            for k, component in enumerate(setting.components):
                weights[k, sends, t] = self.serving_pj(component, one)
        return plus_words(inner, tables.floor, weights, direct, setting.most_shared[setting.nodes.index(node) + 1])

    def serving_pj(self, component: Component, served: Served) -> float:
        """Per word by the children that share it so far, first touches not taken off."""
        pj = component.read[served.source, served.tensor]
        if served.tensor == self.output:
            pj = pj + component.update[served.source, served.tensor]
        return float(pj / self.ports(component, served.source) / served.fan)

    def ports(self, component: Component, node: int) -> float:
        """By how many instances of a memory a component divides its sum."""
        return self.instances(node) if component.per_instance else 1.0

    def through_array(self, node: int, closing: int, inner: Floats) -> Floats:
        """``inner`` after the best split of an array."""
        key = ("through", node, self.inside(closing))
        return self.setting.once(key, lambda: self._through_array(node, closing, inner))

    def _through_array(self, node: int, closing: int, inner: Floats) -> Floats:
        if closing == self.setting.compute and node == self.setting.nodes[-1]:
            fits = np.where(self.setting.feasible[node] > 0, 0.0, np.inf)
            return inner[:, :, :1] + fits
        arrays = self.arrays_before(closing)
        rows = inner.reshape(-1, self.space.size)
        credit = self.credit(closing, arrays).reshape(-1) if node == arrays[-1] else np.zeros(len(rows))
        per_instance = np.repeat([c.per_instance for c in self.setting.components], len(self.setting.classes))
        # The ports of an array's children share what the split makes: no more than one instance's worth each.
        flat = np.where(per_instance, credit, 0.0)
        credit = np.where(per_instance, 0.0, credit)
        splits, allowed = self.setting.splits[node], self.factors[node]
        splits = splits[allowed[np.arange(allowed.shape[0]), splits].all(axis=1)]
        reduced = split_minimum(rows, self.space.tables, splits, self.setting.spread, credit)
        return (reduced - flat[:, None]).reshape(inner.shape)

    def reached(self, node: int) -> NDArray[np.bool_]:
        """[tile]: whether the factors allowed at a node lead from the whole problem to the tile."""
        tables, allowed = self.space.tables, self.factors[node]
        result = np.ones(self.space.shape, dtype=bool)
        for d, n in enumerate(self.space.shape):
            factors = tables.quotient[d, n - 1, :n]
            here = (factors >= 0) & (allowed[d, factors] > 0)
            result &= here.reshape([n if i == d else 1 for i in range(len(self.space.shape))])
        return result.reshape(-1)

    def reduce(self, values: Floats, node: int) -> Floats:
        """The least of ``values`` over what the factors allowed at a node reach; it may be ``values`` itself."""
        tables, allowed = self.space.tables, self.factors[node]
        if node == self.setting.nodes[-1]:
            # Nothing splits the tile further: it must be split to the end here.
            reached = np.ones(self.space.size, dtype=bool).reshape(self.space.shape)
            for d, n in enumerate(self.space.shape):
                shape = [n if i == d else 1 for i in range(len(self.space.shape))]
                reached = reached & (allowed[d, :n] > 0).reshape(shape)
            return values[:, :, :1] + np.where(reached.reshape(-1), 0.0, np.inf)
        return lattice_minimum(values.reshape(-1, self.space.size), tables, allowed).reshape(values.shape)

    def closed(self, total: Floats, node: int, closing: int, served: list[Served]) -> Floats:
        """[component, tile]: the least of ``total`` [component, class, tile] with a class's tensors, which absorb all
        they can, and their fills. ``served``: those that are sent. A last dimension of 1 is the whole problem."""
        words = self.space.tables.floor_all[:, -total.shape[2] :]
        return self._least(total, np.ascontiguousarray(words), node, closing, served, np.zeros(total.shape[:2]))

    def _absorbing(self, node: int, closing: int, served: list[Served]) -> tuple[Floats, Floats, Floats]:
        """Per word of a tensor that absorbs: sent and received [component, tensor]; elided [component]."""
        setting = self.setting
        sent, received = (np.zeros((len(setting.components), self.tensors)) for _ in range(2))
        elided = np.zeros(len(setting.components))
        for one in self.pending(node):
            t = one.tensor
            if one.closing == setting.compute:
                continue
            for k, component in enumerate(setting.components):
                if one in served:
                    sent[k, t] = self.serving_pj(component, one)
                if t == self.output:
                    elided[k] = self.elided(component, one.source)
                elif one.closing == closing:
                    received[k, t] = component.fill[closing, t] / self.ports(component, closing)
        return sent, received, elided

    def elided(self, component: Component, source: int) -> float:
        """Most that first touches save at the memory that serves the partial sums."""
        spread = 1.0
        for node in self.setting.nodes:
            if node < source and node in self.setting.most_spread and not component.per_instance:
                spread *= self.setting.most_spread[node]
        return float(self.space.tables.output_words * spread * component.read[source, self.output])

    def least_split(self, node: int, closing: int, inner: Floats) -> Floats:
        """[component, tile]: least cost still to come when an array has split its tile down to this one."""
        key = ("split", node, self.inside(closing))
        return self.setting.once(key, lambda: self._least_split(node, closing, inner))

    def _least_split(self, node: int, closing: int, inner: Floats) -> Floats:
        if node == self.arrays_before(closing)[-1]:
            made = [1.0 if c.per_instance else self.setting.most_spread[node] for c in self.setting.components]
            inner = inner - (self.credit(closing, [node]) * np.array(made)[:, None])[:, :, None]
        least: Floats = inner.min(axis=1)
        return least

    def least(self, node: int, closing: int, total: Floats) -> Floats:
        """[component, tile]: least cost still to come when a memory has split its tile down to this one; ``total``:
        with all that the memories down to it send (:meth:`plus_sent`)."""
        pending = self.pending(node)
        less = np.zeros(total.shape[:2])
        for k, component in enumerate(self.setting.components):
            for z, free in enumerate(self.free(node)):
                for one in pending:
                    if one.tensor == self.output and not free >> self.output & 1:
                        less[k, z] += self.elided(component, one.source)
        return self._least(total, self.space.tables.floor_all, node, closing, pending, less)

    def _least(
        self, total: Floats, words: Floats, node: int, closing: int, served: list[Served], less: Floats
    ) -> Floats:
        classes = np.array(self.setting.classes, dtype=np.int64)
        return least_absorbed(total, words, classes, *self._absorbing(node, closing, served), less, self.output)
