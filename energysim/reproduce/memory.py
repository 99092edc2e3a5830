"""Claims about memory access and energy of system S4: under which device, image, batch and word width they hold."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from energysim.arch.loader import load_arch
from energysim.reproduce.check import Check, Claimed, Context, graph_of
from energysim.reproduce.evidence import Evidence, Sample, compared
from energysim.reproduce.memory_points import LIGHT, Row, Setup, energy_setups, point, setups
from energysim.reproduce.printed import parse_printed, shown
from energysim.simulation.floor import floor_bytes
from energysim.sweep import Point

_PLAIN = Row(model="plain")


class MemoryCheck(Check):
    """A check that rests on rows under every condition."""

    def used_rows(self) -> tuple[Row, ...]:
        """The rows of the tables that it compares."""
        raise NotImplementedError

    def points(self, context: Context) -> Iterator[Point]:
        for setup in setups(context.quick):
            yield from (point(row, setup) for row in self.used_rows())


class MemoryAccess(MemoryCheck):
    """DRAM megabytes (10^6 bytes) of a row in one batch."""

    kind: Literal["memory access"]
    row: Row

    def used_rows(self) -> tuple[Row, ...]:
        return (self.row,)

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        printed, samples = parse_printed(claimed.text), []
        for setup in setups(context.quick):
            value = megabytes(self.row, setup, context)
            if value is not None:
                samples.append(compared(printed, value, claimed.unit, setup.labels))
        return Evidence(tuple(samples), (_smallest_and_largest(samples),))


class MemoryTable(MemoryCheck):
    """Rows that should hold at once, under one condition: by row, the claim of its megabytes."""

    kind: Literal["memory table"]
    rows: dict[str, Row]

    def used_rows(self) -> tuple[Row, ...]:
        return tuple(self.rows.values())

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        samples = []
        for setup in setups(context.quick):
            found = {claim: megabytes(row, setup, context) for claim, row in self.rows.items()}
            if all(value is None for value in found.values()):
                continue
            held = sum(value is not None and claimed.printed(claim).holds(value) for claim, value in found.items())
            text = f"{held} of {len(found)} figures"
            samples.append(Sample(setup.labels, text, held == len(found), 1 - held / len(found), held))
        return Evidence(tuple(samples))


class MemoryReduction(MemoryCheck):
    """How many times less a row moves than the untiled network: the claim holds where it is that much or more."""

    kind: Literal["memory reduction"]
    row: Row

    def used_rows(self) -> tuple[Row, ...]:
        return (_PLAIN, self.row)

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        printed, samples, barred = parse_printed(claimed.text).at_least(), [], []
        for setup in setups(context.quick):
            plain, mine = megabytes(_PLAIN, setup, context), megabytes(self.row, setup, context)
            if plain is None or mine is None:
                continue
            samples.append(compared(printed, plain / mine, claimed.unit, setup.labels))
            limit = plain / floor_megabytes(setup)
            if not printed.holds(limit):
                barred.append(limit)
        reasons = [_most(samples)]
        if barred:
            reasons.append(
                f"in {len(barred)} conditions weights, input and output alone, moved once, are too much for it: "
                f"at most {shown(max(barred))}x less than untiled"
            )
        return Evidence(tuple(samples), tuple(reasons))


class MemoryOrder(MemoryCheck):
    """Rows in ascending order of what they move, as the write-up's table has them."""

    kind: Literal["memory order"]
    rows: dict[str, Row]

    def used_rows(self) -> tuple[Row, ...]:
        return tuple(self.rows.values())

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        samples, other = [], Counter[str]()
        for setup in setups(context.quick):
            found = {name: megabytes(row, setup, context) for name, row in self.rows.items()}
            values = {name: value for name, value in found.items() if value is not None}
            if len(values) < len(self.rows):
                other["the device cannot run all of them"] += 1
                continue
            holds = all(a < b for a, b in pairwise(values.values()))
            if not holds:
                other[ranking(values)] += 1
            text = " < ".join(f"{value:,.3f}" for value in values.values()) if holds else ranking(values)
            samples.append(Sample(setup.labels, text, holds, 0.0 if holds else 1.0))
        told = [f"{order} in {count}" for order, count in other.most_common()]
        return Evidence(tuple(samples), (f"elsewhere: {', '.join(told)}",) if told else ())


class MemoryEqual(MemoryCheck):
    """Rows that move the same at a given image size."""

    kind: Literal["memory equal"]
    rows: tuple[Row, Row]
    image: tuple[int, int]

    def used_rows(self) -> tuple[Row, ...]:
        return self.rows

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        samples = []
        for setup in setups(context.quick):
            if (setup.rows, setup.columns) != self.image:
                continue
            one, other = (megabytes(row, setup, context) for row in self.rows)
            if one is not None and other is not None:
                text = f"{one:,.3f} and {other:,.3f} MB"
                samples.append(Sample(setup.labels, text, one == other, abs(one / other - 1), one))
        (rows, columns) = self.image
        stem = graph_of("lightweight_cnn", f"1x3x{rows}x{columns}").layers[0]
        plane = graph_of("lightweight_cnn", f"1x3x{rows}x{columns}").edges[stem.outputs[0]].shape[-2:]
        return Evidence(tuple(samples), (f"the largest ofmap there has {plane[0]}x{plane[1]} pixels",))


class MemoryEnergy(Check):
    """Energy of one inference: the untiled network's, the full model's, or how many times less the latter is; ``of``
    all levels or of DRAM alone."""

    kind: Literal["memory energy"]
    of: Literal["total", "DRAM"]
    full: Row
    figure: Literal["plain", "full", "reduction"]

    def points(self, context: Context) -> Iterator[Point]:
        for setup in energy_setups(context.quick):
            yield from (point(row, setup, "energy") for row in (_PLAIN, self.full))

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        printed, samples, reasons = parse_printed(claimed.text), [], []
        if self.figure == "reduction":
            printed = printed.at_least()
        for setup in energy_setups(context.quick):
            plain, full = (self._millijoules(row, setup, context) for row in (_PLAIN, self.full))
            if plain is None or full is None:
                continue
            value = {"plain": plain, "full": full, "reduction": plain / full}[self.figure]
            samples.append(compared(printed, value, claimed.unit, setup.labels))
            reasons.append(f"{setup}: {plain:.3f} to {full:.3f} mJ")
        return Evidence(tuple(samples), (f"energy untiled to full: {', '.join(reasons)}",))

    def _millijoules(self, row: Row, setup: Setup, context: Context) -> float | None:
        asked = point(row, setup, "energy")
        found = context.simulations.of(asked)
        if found is None:
            return None
        if self.of == "total":
            return found.energy_pj / 1e9
        level = load_arch(setup.arch).memories[0].name
        return context.simulations.outermost_energy_pj(asked, level) / 1e9


def megabytes(row: Row, setup: Setup, context: Context) -> float | None:
    """DRAM traffic of a row; None where the device cannot run it."""
    asked = point(row, setup)
    found = context.simulations.of(asked)
    if found is None:
        return None
    if row.model != "resnet":
        return found.dram_bytes / 1e6
    graph = graph_of(asked.workload, setup.input)
    layers = [layer for layer in context.simulations.layers(asked) if graph.layer(layer.name).problem is not None]
    return sum(layer.dram_read_bytes + layer.dram_write_bytes for layer in layers) / 1e6


def floor_megabytes(setup: Setup) -> float:
    """Weights, input and output of the lightweight CNN, once each."""
    return floor_bytes(graph_of(LIGHT, setup.input), setup.bits) / 1e6


def ranking(values: dict[str, float]) -> str:
    """Names in ascending order of their values: "32 = 64 < 16"."""
    names = sorted(values, key=lambda name: values[name])
    text = names[0] if names else ""
    for before, name in pairwise(names):
        text += (" = " if math.isclose(values[before], values[name]) else " < ") + name
    return text


def _most(samples: Sequence[Sample]) -> str:
    best = max(samples, key=lambda sample: sample.value, default=None)
    if best is None:
        return ""
    return f"most: {best.text}, {', '.join(best.condition)}"


def _smallest_and_largest(samples: Sequence[Sample]) -> str:
    if not samples:
        return ""
    ordered = sorted(samples, key=lambda sample: sample.value)
    least, most = (f"{sample.text} ({', '.join(sample.condition)})" for sample in (ordered[0], ordered[-1]))
    return f"{least} to {most}"
