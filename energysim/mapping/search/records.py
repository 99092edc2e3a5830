"""What the compiled search works on: columns of its labels, and the tables of a level and of the objective.

Structures of arrays (named tuples), because that is what Numba compiles well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Integer columns of a label.
TILE, PARENT, CHOICE, CLASS = 0, 1, 2, 3
INTS = 4
# Columns of the sliding window, relative to the first: dimension (-1: none), stride, bound, step in words, share of
# steps that keep a shifted copy, share of steps in which the tile stands still.
# A second loop that slides on (W_KIND: -1 none, else a kind of :mod:`energysim.mapping.search.windows`) has its bound
# and the repetitions between the two loops; W_KIND -2: more loops than that, whose padding is estimated.
W_DIM, W_STRIDE, W_BOUND, W_STEP, W_SHIFTED, W_STILL, W_KIND, W_MORE, W_BETWEEN = 0, 1, 2, 3, 4, 5, 6, 7, 8
WINDOW = 9
# After the window, for each padded sliding rank: table index of the tile under the array that splits it (-1: none does)
# and of the factors there. How much its children share is known once the tile that they keep is.
PADDED_RANKS = 3
PADDED = 2 * PADDED_RANKS

UNKEPT, OUTERMOST = -2, -1


class Bound(NamedTuple):
    """Least cost still to come for a label with a given tile, up to what the label's own state decides."""

    costs: Floats  # [component, class, tile]
    least: Floats  # [component, tile]: the same for the best class
    any_class: bool  # loops follow before the closing that these classes speak of
    classes: Ints  # [class]: bit mask of tensors that may absorb
    pending: Ints  # [tensor]: 1 if some memory serves it from here on
    direct: Floats  # [tensor]: words that the compute units receive from that memory, no other one between; else 0
    # [component, tensor], per word that this memory sends; column ``tensors`` of ``read`` holds the ofmap's updates:
    read: Floats
    fill: Floats  # per word received at the next closing, at the most instances; 0 if the tensor passes it by


class Level(NamedTuple):
    """One node of one hierarchy (choice of what every memory keeps), and the node after it (``next_``)."""

    is_array: bool
    is_final: bool  # the compute unit follows: the remaining tile must be split here
    factor_ok: Ints  # [dim, digit]: allowed factors
    fan_out: float
    feasible: Ints  # [tile]: spatial factors that fit the array (length 1 for memories)
    shares: Ints  # [tensor]: 1 if a transfer serves all children that need it
    option_start: Ints  # [mask of loops]
    option_count: Ints
    absorbed: Ints  # [option, tensor]
    window: Ints  # [option, 2]
    repeats_last: Ints  # [option]: 1 if it absorbs what the option before absorbs
    option_class: Ints  # [option]
    closes: bool  # the next node stores or computes
    absorbs: bool  # ... and reuses what it holds (a memory)
    live: Ints  # [tensor]: 1 if a memory further in than the next node stores it
    source: Ints  # [tensor]: memory that serves the next node, OUTERMOST, or UNKEPT
    # [component, tensor], per word:
    read: Floats
    fill: Floats
    update: Floats
    read_split: Ints  # [component]: 1 if divided by the instances of the memories
    split: Bound  # after the split, before the next node's closing, if any (used at memories)
    ahead: Bound  # after the closing
    most_split: Floats  # [tile]: most compute instances that the arrays after this node make of a tile
    most_shared: Floats  # [tensor, tile]: most of them that one transfer can serve


class Goal(NamedTuple):
    """Objective and the columns it reads. Metrics: 0 energy, 1 latency, 2 EDP, 3 DRAM."""

    metric: int
    limit_metric: int
    limit: float
    energy: int
    dram: int
    resources: int  # first resource component
    components: int
    constant_pj: float
    leak_pj: float
    macs_per_cycle: float  # of one compute instance
    timed: bool  # cycles matter


class Front(NamedTuple):
    """Labels of one position: rows, bounds, and per tile a linked list of those that nothing dominates."""

    floats: Floats
    ints: Ints
    bounds: Floats
    head: Ints  # [tile] -> row, -1 if none
    next_: Ints  # [row] -> row; -2 where the row is dead


class Scratch(NamedTuple):
    """Working arrays of :func:`expand`."""

    row: Floats
    costs: Floats
    window: Floats
    digits: Ints  # [4, dim]: of the tile, of the tile inside, of the factors, and the choice of the walk over them
    product: Floats  # [dim + 1]
    at: Ints  # [4, dim + 1]: tile, split and loops so far, and the part of the old tile that is still to be split


def scratch(columns: int, components: int, dims: int) -> Scratch:
    return Scratch(
        np.zeros(columns),
        np.zeros(components),
        np.zeros(WINDOW),
        np.zeros((4, dims), np.int64),
        np.ones(dims + 1),
        np.zeros((4, dims + 1), np.int64),
    )
