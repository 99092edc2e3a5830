"""A design space: products of axes, each point found by its number, and points of equal work only once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import Any

from energysim.schedule.values import Overlap
from energysim.sweep.point import Override, Point
from energysim.sweep.resolve import with_whole_input

Axis = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Block:
    """One product. ``buffers`` are (bytes, channels); ``parameters``: path at the device -> its values."""

    workloads: tuple[str, ...]
    archs: tuple[str, ...]
    variants: tuple[str, ...] = ("layerwise",)
    tiles: tuple[tuple[int, int] | None, ...] = (None,)
    buffers: tuple[tuple[int | None, int | None], ...] = ((None, None),)
    overlaps: tuple[str, ...] = (Overlap.RECOMPUTE.value,)
    inputs: tuple[str | None, ...] = (None,)
    batches: tuple[int | None, ...] = (None,)
    bits: tuple[int | None, ...] = (None,)
    objectives: tuple[str, ...] = ("energy",)
    parameters: tuple[tuple[str, tuple[Override, ...]], ...] = ()

    def legs(self, base: Point) -> Iterator[Leg]:
        """The product as legs: a network, a device and a variant, with the axes that this variant uses."""
        for workload in self.workloads:
            for arch in self.archs:
                for variant in self.variants:
                    yield from self._legs(replace(base, workload=workload, arch=arch, variant=variant))

    def _legs(self, base: Point) -> Iterator[Leg]:
        shared: tuple[Axis, ...] = (
            *((path, values) for path, values in self.parameters),
            ("input", self.whole_inputs(base.workload)),
            ("bits", self.bits),
            ("objective", self.objectives),
        )
        buffers: Axis = ("buffer", self.buffers)
        overlaps: Axis = ("overlap", self.overlaps)
        cut: Axis = ("tile", tuple(tile for tile in self.tiles if tile is not None))
        match base.variant:
            case "tiled":
                yield Leg(base, (*shared, ("tile", self.tiles)))
            case "buffered":
                yield Leg(base, (*shared, buffers))
            case "full":
                if cut[1]:
                    yield Leg(base, (*shared, cut, buffers, overlaps))
                if None in self.tiles:
                    yield Leg(base, (*shared, buffers))
            case _:
                yield Leg(base, shared)

    def whole_inputs(self, workload: str) -> tuple[str | None, ...]:
        """Every input of a network, batch included. Raises like ``resolve_workload``."""
        points = (
            with_whole_input(Point(workload, "", input=shape, batch=batch))
            for shape in self.inputs
            for batch in self.batches
        )
        return tuple(dict.fromkeys(point.input for point in points))


@dataclass(frozen=True)
class Leg:
    """A product around one point: ``axes`` by name ("tile", "GLB.capacity"), the last one turns fastest."""

    base: Point
    axes: tuple[Axis, ...]

    def __len__(self) -> int:
        return prod(len(values) for _, values in self.axes)

    def at(self, number: int) -> Point:
        """Point ``number``, counted from 0."""
        chosen: dict[str, Any] = {}
        for name, values in reversed(self.axes):
            number, place = divmod(number, len(values))
            chosen[name] = values[place]
        return self.chosen(chosen)

    def chosen(self, values: dict[str, Any]) -> Point:
        """The point with one value per axis."""
        known = {"tile", "overlap", "input", "bits", "objective"}
        fields = {name: value for name, value in values.items() if name in known}
        if "buffer" in values:
            fields["buffer_bytes"], fields["buffer_channels"] = values["buffer"]
        overrides = [(name, value) for name, value in values.items() if name not in {*known, "buffer"}]
        return replace(self.base, overrides=tuple(sorted(overrides, key=lambda pair: pair[0])), **fields)


@dataclass(frozen=True)
class Space:
    """All legs one after the other."""

    legs: tuple[Leg, ...]

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(accumulate(len(leg) for leg in self.legs))

    def __len__(self) -> int:
        return self._ends[-1] if self.legs else 0

    def at(self, number: int) -> Point:
        """Point ``number``, counted from 0. Raises IndexError."""
        begin = 0
        for leg, end in zip(self.legs, self._ends, strict=True):
            if begin <= number < end:
                return leg.at(number - begin)
            begin = end
        raise IndexError(number)

    def grid(self) -> Iterator[Point]:
        """Every point."""
        for leg in self.legs:
            for number in range(len(leg)):
                yield leg.at(number)

    def sample(self, count: int, seed: int) -> Iterator[Point]:
        """``count`` different points drawn with equal chances; all of them where there are no more."""
        drawn = random.Random(seed).sample(range(len(self)), min(count, len(self)))
        return map(self.at, drawn)


def space_of(blocks: Sequence[Block], base: Point) -> Space:
    """The space of several products. Raises NotFoundError, SpecError or WorkloadError where a network is wrong."""
    legs = dict.fromkeys(leg for block in blocks for leg in block.legs(base))
    return Space(tuple(legs))
