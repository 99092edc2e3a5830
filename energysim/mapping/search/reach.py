"""What can be reached from a tile at least: computed for a level once enough labels are to be grown there.

With it, growing a label passes over the tiles that are too dear without looking at each of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from energysim.mapping.search.lattice import reachable_minima
from energysim.mapping.search.records import Floats, Ints, Level
from energysim.mapping.search.space import Space

_WORTH = 2.0
"""Tables are made once the tiles to be looked at without them outnumber the lattice by this (they cost that much)."""
_MOST_ENTRIES = 1 << 24
"""Of one table: 128 MiB."""
_NONE = np.empty((0, 0, 0))


@dataclass
class Reach:
    """The tables of one hierarchy's levels, made when they are worth it and kept for its further walks."""

    space: Space
    levels: tuple[Level, ...]
    _looked_at: dict[int, float] = field(default_factory=dict)
    _tables: dict[int, Floats] = field(default_factory=dict)

    def table(self, position: int, tiles: Ints) -> Floats:
        """[dimension, component, tile] of one level from which labels with these ``tiles`` grow; empty where it is not
        worth it. See :func:`energysim.mapping.search.lattice.reachable_minima`."""
        known = self._tables.get(position)
        if known is not None:
            return known
        level = self.levels[position]
        least = level.split.least
        if level.is_final or least.size * len(self.space.dims) > _MOST_ENTRIES:
            return _NONE
        looked_at = self._looked_at.get(position, 0.0) + float(self.space.divisors_of[tiles].sum())
        self._looked_at[position] = looked_at
        if looked_at < _WORTH * self.space.size:
            return _NONE
        found = self._tables[position] = reachable_minima(least, self.space.tables, level.factor_ok)
        return found
