"""What a search returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from energysim.mapping.counts import Counts
from energysim.mapping.nest import Mapping
from energysim.mapping.search.objective import Objective


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The best mapping found and how good it is proven to be.

    ``counts``: of the mapping, as `evaluate` counts it; ``value``: the objective of these (pJ, cycles, pJ x cycles or
    bytes); ``secondary``: of the second metric of a pair. ``bound``: no mapping is better; ``gap`` = (value - bound) /
    value.
    ``optimal``: the gap is closed. ``interrupted``: Ctrl-C ended the search before that. ``evaluated``: partial
    mappings whose cost was computed. ``mapspace_size``: complete mappings that the search covers (loop orders counted
    by what they reuse).
    """

    mapping: Mapping
    counts: Counts
    objective: Objective
    value: float
    bound: float
    optimal: bool
    evaluated: int
    mapspace_size: float
    secondary: float | None = None
    interrupted: bool = False

    @property
    def gap(self) -> float:
        return 0.0 if self.value <= self.bound else (self.value - self.bound) / self.value


@dataclass(frozen=True, slots=True)
class Progress:
    """A search under way: the best value so far (None: none yet) and the least that is still possible."""

    hierarchies_done: int
    hierarchies: int
    value: float | None
    bound: float
    evaluated: int


Report = Callable[[Progress], None]
