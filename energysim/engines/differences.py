"""Where two engines count one mapping differently: every number side by side, with the reason where one is proven."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from energysim.mapping.counts import AccessCounts, Counts

CYCLES = "cycles"
ENERGY = "energy (pJ)"
_WORDS = ("reads", "fills", "updates")


class Place(NamedTuple):
    """Which number: ``level`` and ``tensor`` are empty where it is of the whole run."""

    level: str
    tensor: str
    what: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One number that two engines see differently. None: it has no such number. ``reason`` None: unexplained."""

    place: Place
    native: float | None
    other: float | None
    reason: str | None = None


def numbers(counts: Counts) -> dict[Place, float]:
    """Every number of a run by its place: words over all instances, tile words, instances, MACs, cycles."""
    return dict(_numbers(counts))


def _numbers(counts: Counts) -> Iterator[tuple[Place, float]]:
    for access in counts.accesses:
        for count in ("tile_words", "instances", *_WORDS):
            yield Place(access.level, access.tensor, count), float(getattr(access, count))
    for level, cycles in counts.level_cycles:
        # A port that is fast enough waits for the compute units: engines differ in which of the two they print.
        yield Place(level, "", CYCLES), max(cycles, counts.compute_cycles)
    yield Place("", "", "MACs"), float(counts.macs)
    yield Place("", "", "compute instances"), counts.compute_instances
    yield Place("", "", "compute cycles"), counts.compute_cycles
    yield Place("", "", CYCLES), counts.cycles


def differing(native: Counts, other: Counts) -> dict[Place, Difference]:
    """The places at which two runs differ, in the order of the first."""
    mine, theirs = numbers(native), numbers(other)
    return {
        place: Difference(place, mine.get(place), theirs.get(place))
        for place in dict.fromkeys((*mine, *theirs))
        if mine.get(place) != theirs.get(place)
    }


def rounded(difference: Difference, native: Counts, cycle: float = 1.0) -> bool:
    """Whether a difference is no more than the rounding of an average over instances, or of a time to whole cycles.

    An engine that prints one instance rounds where the instances share the words unequally. ``cycle``: the other
    engine's unit of time in cycles of the device.
    """
    place, mine, theirs = difference.place, difference.native, difference.other
    if mine is None or theirs is None:
        return False
    if place.what in _WORDS:
        access = _access(native, place)
        unequal = access is not None and (mine / access.instances) % 1 != 0
        return access is not None and unequal and abs(mine - theirs) < access.instances
    return cycle != 1.0 and place.what == CYCLES and abs(mine - theirs) < max(cycle, 1.0)


def _access(counts: Counts, place: Place) -> AccessCounts | None:
    return counts.at(place.level, place.tensor)


@dataclass(frozen=True)
class Measured:
    """An engine's account of one mapping. ``energy_pj``: dynamic energy by level and tensor of all instances (place
    ``ENERGY``), that of the MACs (without level), and by the same keys whatever else the engine states."""

    counts: Counts
    energy_pj: dict[Place, float]
