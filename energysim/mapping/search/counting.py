"""Counting, compiled: how a label's words and state follow from the loops of a node.

The formulas are those of :mod:`energysim.mapping.access`, restated over table look-ups.
"""

from __future__ import annotations

from math import gcd

from energysim.mapping.search.jit import inlined
from energysim.mapping.search.records import (
    OUTERMOST,
    UNKEPT,
    W_BETWEEN,
    W_BOUND,
    W_DIM,
    W_KIND,
    W_MORE,
    W_SHIFTED,
    W_STEP,
    W_STILL,
    W_STRIDE,
    WINDOW,
    Floats,
    Goal,
    Ints,
    Level,
)
from energysim.mapping.search.space import Tables
from energysim.mapping.search.windows import KINDS, SAME, SHIFTED, STILL


@inlined
def received_words(tables: Tables, tensor: int, tile: int, digits: Ints, window: Floats) -> float:
    """Words that all children receive for tiles of a size if nothing is absorbed; a sliding window moves only what
    the last tile did not hold."""
    words: float = tables.exact[tensor, tile]
    dim = int(window[W_DIM])
    if tensor != tables.sliding or dim < 0:
        return words
    rank = tables.slides[dim]
    entry = 0
    for d in range(len(digits)):
        entry += digits[d] * tables.rank_stride[rank, d]
    total: float = tables.totals[tables.rank_offset[rank] + entry]
    return words * (1.0 - _saved(tables, rank, entry, dim, total, window) / total) if total > 0.0 else words


@inlined
def _saved(tables: Tables, rank: int, entry: int, dim: int, total: float, window: Floats) -> float:
    if tables.clipped[rank] and window[W_KIND] > -2.0:
        s = tables.digit_of[dim, int(window[W_STRIDE])]
        b = tables.digit_of[dim, int(window[W_BOUND])]
        width, terms = tables.saved_width[rank], tables.terms[rank]
        at = ((entry * terms + tables.saved_term[dim]) * width + s) * width + b
        saved: float = tables.saved[tables.saved_offset[rank] + at]
        if window[W_KIND] >= 0.0:
            at = (at * KINDS + int(window[W_KIND])) * (tables.saved_reach[rank] + 1) + int(window[W_MORE])
            saved += tables.saved_more[tables.more_offset[rank] + at] / window[W_BETWEEN]
        return saved
    words: float = tables.words[tables.rank_offset[rank] + entry]
    shift = int(window[W_STEP])
    shared = 0.0
    if shift < tables.overlap_shifts[rank]:
        shared = tables.overlap[tables.overlap_offset[rank] + entry * tables.overlap_shifts[rank] + shift]
    if words <= 0.0:
        return 0.0
    return float(total * (window[W_SHIFTED] * shared / words + window[W_STILL]))


@inlined
def _distinct_in_array(tables: Tables, rank: int, digits: Ints, split: Ints) -> float:
    """Different tiles of a rank over the children of an array, as a share of the children."""
    first = second = -1
    for d in range(len(digits)):
        if tables.slides[d] == rank and split[d] > 0:
            if first < 0:
                first = d
            elif second < 0:
                second = d
            else:
                return 1.0
    if second < 0:
        return 1.0
    a = tables.coefficient[rank, first] * int(tables.div[first, digits[first]])
    b = tables.coefficient[rank, second] * int(tables.div[second, digits[second]])
    common = gcd(a, b)
    n, m = tables.div[first, split[first]], tables.div[second, split[second]]
    repeated = max(0.0, n - b // common) * max(0.0, m - a // common)
    return float((n * m - repeated) / (n * m))


@inlined
def window_after(
    tables: Tables,
    level: Level,
    option: int,
    from_: Ints,
    to: Ints,
    mask: int,
    old: Floats,
    absorbed: float,
    new: Floats,
) -> bool:
    """The sliding window after the loops of a memory. False where the option's second loop does not slide on."""
    sliding = tables.sliding
    moving = mask & tables.moves[sliding]
    if moving == 0:
        for i in range(WINDOW):
            new[i] = old[i]
        return True
    for i in range(WINDOW):
        new[i] = 0.0
    new[W_DIM] = -1.0
    first, second = level.window[option, 0], level.window[option, 1]
    if first < 0:
        return True
    rank = tables.slides[first]
    bound = tables.div[first, tables.quotient[first, from_[first], to[first]]]
    stride = tables.div[first, to[first]]
    step = tables.coefficient[rank, first] * stride
    back, passes = step * (bound - 1.0), bound
    shifted, still = (bound - 1.0) / bound, 0.0
    kind, after, between = -1.0, 1.0, 1.0
    loops = 1
    if second >= 0:
        after = tables.div[second, tables.quotient[second, from_[second], to[second]]]
        outer_step = tables.coefficient[rank, second] * tables.div[second, to[second]]
        share = (after - 1.0) / (passes * after)
        if outer_step == back:
            still += share
            kind = STILL
        elif outer_step - back == step:
            shifted += share
            kind = SHIFTED
        else:
            return False
        back += outer_step * (after - 1.0)
        passes *= after
        loops = 2
    count = 0
    free = 1.0
    inside = level.absorbed[option, sliding]
    for d in range(len(from_)):
        if mask >> d & 1:
            if tables.moves[sliding] >> d & 1:
                count += 1
            elif not inside >> d & 1:
                free *= tables.div[d, tables.quotient[d, from_[d], to[d]]]
    if count == loops and old[W_DIM] >= 0.0 and old[W_KIND] >= -1.0 and tables.slides[int(old[W_DIM])] == rank:
        outer = int(old[W_DIM])
        outer_step = tables.coefficient[rank, outer] * old[W_STRIDE]
        net = outer_step - back
        apart = absorbed * free
        merged = False
        if net == step and outer == first and loops == 1 and apart == 1.0:
            bound *= old[W_BOUND]
            shifted = (bound - 1.0) / bound
            merged = True
        elif net == step or net == 0.0:
            share = (old[W_BOUND] - 1.0) / (passes * old[W_BOUND] * apart)
            if net == 0.0:
                still += share
            else:
                shifted += share
            kind = -2.0 if loops == 2 else (SAME if outer == first else (STILL if net == 0.0 else SHIFTED))
            after, between = old[W_BOUND], apart
        back += outer_step * (old[W_BOUND] - 1.0)
        passes *= old[W_BOUND]
        if old[W_KIND] >= 0.0:
            # The loop outside that one: its step follows from its kind.
            outer_step *= old[W_BOUND] - 1.0 if old[W_KIND] == STILL else old[W_BOUND]
            net = outer_step - back
            if net == step or net == 0.0:
                share = (old[W_MORE] - 1.0) / (passes * old[W_MORE] * apart * old[W_BETWEEN])
                if net == 0.0:
                    still += share
                else:
                    shifted += share
                kind = -2.0
                if merged:
                    kind, after, between = old[W_KIND], old[W_MORE], old[W_BETWEEN]
    if still == 0.0:
        entry = 0
        for d in range(len(from_)):
            entry += to[d] * tables.rank_stride[rank, d]
        reach = tables.overlap_shifts[rank]
        if step >= reach or tables.overlap[tables.overlap_offset[rank] + entry * reach + int(step)] == 0.0:
            return True
    new[W_DIM], new[W_STRIDE], new[W_BOUND], new[W_STEP] = first, stride, bound, step
    new[W_SHIFTED], new[W_STILL] = shifted, still
    new[W_KIND], new[W_MORE], new[W_BETWEEN] = kind, after, between
    return True


@inlined
def close(tables: Tables, level: Level, goal: Goal, tile: int, digits: Ints, row: Floats) -> None:
    """Count what moves into the next node, whose tile is now fixed, and make it the server of what lies inside."""
    components, tensors = goal.components, len(tables.moves)
    at_absorbed, at_shared = components + 1, components + 1 + tensors
    at_server, at_window = at_shared + tensors, at_shared + 2 * tensors + 2
    window = row[at_window : at_window + WINDOW]
    spread = row[at_server + tensors]
    for t in range(tensors):
        source = level.source[t]
        if source == UNKEPT:
            continue
        if source != OUTERMOST:
            if t == tables.sliding:
                _share_padded(tables, digits, at_shared, at_window + WINDOW, row)
            received = tables.exact[t, tile]
            if level.absorbs:
                received = received_words(tables, t, tile, digits, window) / row[at_absorbed + t]
            sent = received * row[at_shared + t]
            reads, updates, fills = sent, 0.0, received
            if t == tables.output:
                updates = sent
                reads = max(0.0, sent - tables.output_words * row[at_server + tensors + 1])
                fills = max(0.0, received - tables.output_words * spread)
            for k in range(components):
                above = below = 1.0
                if level.read_split[k]:
                    above, below = row[at_server + t], row[components]
                row[k] += (reads * level.read[k, t] + updates * level.update[k, t]) / above
                if level.absorbs:
                    row[k] += fills * level.fill[k, t] / below
        row[at_shared + t] = 1.0
        row[at_server + t] = row[components]
        if t == tables.output:
            row[at_server + tensors + 1] = spread


@inlined
def split_space(tables: Tables, level: Level, components: int, old: Floats, to: Ints, split: Ints, row: Floats) -> None:
    """Update a label for the spatial factors ``split`` of an array; ``to``: the tile below it."""
    dims, tensors = len(tables.ndiv), len(tables.moves)
    at_shared = components + 1 + tensors
    at_spread = at_shared + 2 * tensors
    at_padded = at_spread + 2 + WINDOW
    for d in range(dims):
        factor = tables.div[d, split[d]]
        row[components] *= factor
        for t in range(tensors):
            if level.shares[t] and not tables.moves[t] >> d & 1:
                row[at_shared + t] /= factor
        if not tables.moves[tables.output] >> d & 1:
            row[at_spread] *= factor
    t = tables.sliding
    if t >= 0 and level.shares[t]:
        for r in range(tables.rank_start[t], tables.rank_start[t + 1]):
            if tables.overlap_offset[r] < 0:
                continue
            under = parts = 0
            for d in range(dims):
                under += to[d] * tables.rank_stride[r, d]
                parts += split[d] * tables.rank_stride[r, d]
            slot = at_padded + 2 * tables.padded_slot[r]
            if parts > 0 and tables.clipped[r] and slot >= at_padded and row[slot] < 0.0:
                row[slot], row[slot + 1] = under, parts
                row[at_shared + t] *= tables.shared_least[tables.least_offset[r] + under * tables.entries[r] + parts]
            else:
                row[at_shared + t] *= _distinct_in_array(tables, r, to, split)


@inlined
def _share_padded(tables: Tables, digits: Ints, at_shared: int, at_padded: int, row: Floats) -> None:
    """What the children of an array share of padded ranks, now that the tile that they keep is known."""
    t = tables.sliding
    for r in range(tables.rank_start[t], tables.rank_start[t + 1]):
        slot = at_padded + 2 * tables.padded_slot[r]
        if slot < at_padded or row[slot] < 0.0:
            continue
        entry = 0
        for d in range(len(digits)):
            entry += digits[d] * tables.rank_stride[r, d]
        n, under, parts = tables.entries[r], int(row[slot]), int(row[slot + 1])
        share = tables.shared[tables.shared_offset[r] + (entry * n + under) * n + parts]
        row[at_shared + t] *= share / tables.shared_least[tables.least_offset[r] + under * n + parts]
        row[slot] = row[slot + 1] = -1.0


@inlined
def absorb(
    tables: Tables, level: Level, components: int, old: Floats, option: int, mask: int, split: Ints, row: Floats
) -> None:
    """Update what the innermost loops of a memory let every tensor reuse."""
    for t in range(len(tables.moves)):
        still = mask & tables.moves[t] == 0
        inside = mask if still else level.absorbed[option, t]
        times = old[components + 1 + t] if still else 1.0
        for d in range(len(split)):
            if inside >> d & 1:
                times *= tables.div[d, split[d]]
        row[components + 1 + t] = times


@inlined
def forget(tables: Tables, level: Level, goal: Goal, row: Floats) -> None:
    """Make equal what no longer matters, so that more labels dominate each other."""
    components, tensors = goal.components, len(tables.moves)
    at_server = components + 1 + 2 * tensors
    for t in range(tensors):
        if not level.live[t]:
            row[components + 1 + t] = 1.0
        if not goal.timed:
            row[at_server + t] = 1.0
    if not goal.timed:
        row[components] = 1.0
    if not level.live[tables.output]:
        row[at_server + tensors] = 1.0
    if tables.sliding >= 0 and not level.live[tables.sliding]:
        row[at_server + tensors + 2 + W_DIM] = -1.0
