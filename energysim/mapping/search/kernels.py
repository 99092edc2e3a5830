"""The compiled inner loop of the search: partial mappings ("labels") grow node by node from the outermost memory.

A label is a row of floats and a row of ints. Everything a label's future depends on is in it, so of two labels with the
same tile the one that is no worse in every column makes the other superfluous ("dominance"). Words are counted when a
memory's tile is fixed: they depend on that tile, on what the loops above absorb, and on the arrays in between.
"""

from __future__ import annotations

import numpy as np

from energysim.mapping.search.counting import absorb, close, forget, split_space, window_after
from energysim.mapping.search.jit import compiled, inlined, lean
from energysim.mapping.search.records import (
    CHOICE,
    CLASS,
    PADDED,
    PARENT,
    TILE,
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
    Bound,
    Floats,
    Front,
    Goal,
    Ints,
    Level,
    Scratch,
)
from energysim.mapping.search.space import Tables


@lean
def metric_of(metric: int, goal: Goal, costs: Floats, steps: float) -> float:
    """Objective from component sums; ``steps``: compute cycles."""
    cycles = steps
    for k in range(goal.resources, goal.components):
        cycles = max(cycles, costs[k])
    if metric == 1:
        return cycles
    if metric == 3:
        return float(costs[goal.dram])
    energy = costs[goal.energy] + goal.constant_pj + goal.leak_pj * cycles
    return float(energy if metric == 0 else energy * cycles)


@inlined
def _bound(
    tables: Tables,
    level: Level,
    bound: Bound,
    goal: Goal,
    metric: int,
    row: Floats,
    tile: int,
    klass: int,
    costs: Floats,
) -> float:
    """Least value of a metric over all completions of a label."""
    components, tensors = goal.components, len(tables.moves)
    at_absorbed, at_shared = components + 1, components + 1 + tensors
    at_server = at_shared + tensors
    steps = tables.macs / (goal.macs_per_cycle * row[components] * level.most_split[tile])
    first, last = klass, klass + 1
    if bound.any_class:
        first, last = 0, len(bound.classes)
    best = np.inf
    for z in range(first, last):
        if bound.costs[0, z, tile] == np.inf:
            continue
        for k in range(components):
            costs[k] = row[k] + bound.costs[k, z, tile]
        for t in range(tensors):
            if not bound.pending[t]:
                continue
            free = bound.classes[z] >> t & 1
            if bound.any_class and not free:
                if t == tables.output:
                    elided = tables.output_words * row[at_server + tensors + 1]
                    for k in range(components):
                        costs[k] -= elided * bound.read[k, t] / (row[at_server + t] if level.read_split[k] else 1.0)
                continue
            least = tables.floor[t, tile]
            if free:
                least = max(least / row[at_absorbed + t], tables.floor_all[t, tile])
            sent = max(least, bound.direct[t] / level.most_shared[t, tile]) * row[at_shared + t]
            for k in range(components):
                above = row[at_server + t] if level.read_split[k] else 1.0
                if t == tables.output:
                    reads = max(0.0, sent - tables.output_words * row[at_server + tensors + 1])
                    costs[k] += (reads * bound.read[k, t] + sent * bound.read[k, tensors]) / above
                else:
                    costs[k] += sent * bound.read[k, t] / above
                    if free:
                        costs[k] += least * bound.fill[k, t]
        best = min(best, metric_of(metric, goal, costs, steps))
    return best


@inlined
def _dominates(left: Floats, a: int, right: Floats, b: int, components: int, tensors: int) -> bool:
    """Whether every completion of row ``a`` is at least as good as the same completion of row ``b`` (same tile)."""
    for k in range(components):
        if left[a, k] > right[b, k]:
            return False
    base = components + 1
    for t in range(base, base + tensors):
        if left[a, t] < right[b, t]:
            return False
    if left[a, components] < right[b, components]:
        return False
    base += tensors
    for t in range(base, base + tensors):
        if left[a, t] > right[b, t]:
            return False
    base += tensors
    for t in range(base, base + tensors + 2):
        if left[a, t] < right[b, t]:
            return False
    base += tensors + 2
    for i in range(base + WINDOW, base + WINDOW + PADDED):
        if left[a, i] != right[b, i]:
            return False
    if right[b, base + W_DIM] < 0.0:
        return True
    for i in (W_DIM, W_STRIDE, W_BOUND, W_STEP, W_KIND, W_MORE, W_BETWEEN):
        if left[a, base + i] != right[b, base + i]:
            return False
    if left[a, base + W_SHIFTED] < right[b, base + W_SHIFTED]:
        return False
    return bool(left[a, base + W_STILL] >= right[b, base + W_STILL])


@inlined
def _matters(tables: Tables, row: Floats, components: int, mask: int) -> bool:
    """Whether what the loops above absorb, or their window, can still matter below the loops in ``mask``."""
    tensors = len(tables.moves)
    for t in range(tensors):
        if row[components + 1 + t] > 1.0 and mask & tables.moves[t] == 0:
            return True
    dim = int(row[components + 1 + 3 * tensors + 2 + W_DIM])
    if dim < 0:
        return False
    for d in range(len(tables.slides)):
        if mask >> d & 1 and tables.moves[tables.sliding] >> d & 1 and tables.slides[d] != tables.slides[dim]:
            return False
    return True


@compiled
def shadows(front: Front, used: int, components: int, tensors: int) -> Ints:
    """[row]: 1 where another label of the tile is as good but for what the loops above absorb and their window."""
    result = np.zeros(used, np.int64)
    last = components + 3 * tensors + 3
    for a in range(used):
        if front.next_[a] == -2:
            continue
        tile = front.ints[a, TILE]
        b = front.head[tile]
        while b >= 0 and not result[a]:
            if b != a and not result[b]:
                better = True
                for i in range(last):
                    one, other = front.floats[b, i], front.floats[a, i]
                    if i < components or components + tensors < i <= components + 2 * tensors:
                        better = better and one <= other
                    elif i == components or i > components + 2 * tensors:
                        better = better and one >= other
                for i in range(last + WINDOW, last + WINDOW + PADDED):
                    better = better and front.floats[b, i] == front.floats[a, i]
                if better:
                    result[a] = 1
            b = front.next_[b]
    return result


@inlined
def _dominated(front: Front, used: int, row: Floats, tile: int, components: int, tensors: int) -> bool:
    """Whether a label of the front is as good as ``row``, which is written to the free row ``used`` for that."""
    floats, next_ = front.floats, front.next_
    for i in range(len(row)):
        floats[used, i] = row[i]
    previous, at = -1, front.head[tile]
    while at >= 0:
        if _dominates(floats, at, floats, used, components, tensors):
            if previous >= 0:
                # Move it to the front: it is likely to dominate the next one too.
                next_[previous] = next_[at]
                next_[at] = front.head[tile]
                front.head[tile] = at
            return True
        previous = at
        at = next_[at]
    return False


@inlined
def _insert(front: Front, used: int, bound: float, tile: int, components: int, tensors: int) -> None:
    """Add the label in the row ``used`` to those of its tile, without those that it dominates."""
    floats, next_ = front.floats, front.next_
    previous, at = -1, front.head[tile]
    while at >= 0:
        following = next_[at]
        if _dominates(floats, used, floats, at, components, tensors):
            if previous < 0:
                front.head[tile] = following
            else:
                next_[previous] = following
            next_[at] = -2
        else:
            previous = at
        at = following
    front.bounds[used] = bound
    next_[used] = front.head[tile]
    front.head[tile] = used


@inlined
def _hopeless(
    tables: Tables, goal: Goal, reach: Floats, old: Floats, at: int, most: float, best: float, costs: Floats
) -> bool:
    """Whether no tile behind the entry ``at`` of ``reach`` can lead to less than ``best``."""
    for k in range(goal.components):
        costs[k] = old[k] + reach[k, at]
    return metric_of(goal.metric, goal, costs, tables.macs / (goal.macs_per_cycle * most)) >= best


@lean
def expand(
    tables: Tables,
    level: Level,
    goal: Goal,
    sources: Floats,
    source_ints: Ints,
    shadowed: Ints,
    order: Ints,
    start: int,
    front: Front,
    used: int,
    best: float,
    reach: Floats,
    work: Scratch,
) -> tuple[int, int, float, int]:
    """Grow the labels ``order[start:]`` by one node.

    ``reach``: [dimension, component, tile], see :func:`energysim.mapping.search.lattice.reachable_minima`; empty where
    every tile is to be looked at.

    Returns (labels done, rows used, best complete value, candidates counted). It stops at a label for which the front
    has no room left; the same label can be tried again, since what it has inserted already dominates its repetition.
    """
    dims, tensors, components = len(tables.ndiv), len(tables.moves), goal.components
    at_window = components + 1 + 3 * tensors + 2
    row, costs, window, product = work.row, work.costs, work.window, work.product
    from_, to, split, choice = work.digits[0], work.digits[1], work.digits[2], work.digits[3]
    tile_at, split_at, mask_at, rest_at = work.at[0], work.at[1], work.at[2], work.at[3]
    counted = 0
    for position in range(start, len(order)):
        label = order[position]
        old = sources[label]
        tile = source_ints[label, TILE]
        for d in range(dims):
            from_[d] = tile // tables.stride[d] % tables.ndiv[d]
        most = old[components] * level.most_split[tile] * (level.fan_out if level.is_array else 1.0)
        if len(reach) and _hopeless(tables, goal, reach[0], old, tile, most, best, costs):
            continue
        rest_at[0] = tile
        for d in range(dims):
            rest_at[d + 1] = rest_at[d] - from_[d] * tables.stride[d]
        depth = 0
        choice[0] = -1
        while depth >= 0:
            choice[depth] += 1
            if level.is_final and choice[depth] < from_[depth]:
                choice[depth] = from_[depth]
            f = choice[depth]
            if f > from_[depth]:
                depth -= 1
                continue
            j = tables.quotient[depth, from_[depth], f]
            if j < 0 or not level.factor_ok[depth, f]:
                continue
            grown = product[depth] * tables.div[depth, f]
            if grown > level.fan_out:
                depth -= 1
                continue
            to[depth], split[depth] = j, f
            product[depth + 1] = grown
            tile_at[depth + 1] = tile_at[depth] + j * tables.stride[depth]
            split_at[depth + 1] = split_at[depth] + f * tables.stride[depth]
            mask_at[depth + 1] = mask_at[depth] | ((1 << depth) if f > 0 else 0)
            if depth < dims - 1:
                if len(reach) and _hopeless(
                    tables,
                    goal,
                    reach[depth + 1],
                    old,
                    tile_at[depth + 1] + rest_at[depth + 1],
                    most,
                    best,
                    costs,
                ):
                    continue
                depth += 1
                choice[depth] = -1
                continue
            new_tile, mask = tile_at[dims], mask_at[dims]
            if level.is_array:
                if not level.feasible[split_at[dims]]:
                    continue
            elif shadowed[label] and not _matters(tables, old, components, mask):
                continue
            if level.ahead.least[0, new_tile] == np.inf:
                continue
            made = old[components] * level.most_split[new_tile] * (product[dims] if level.is_array else 1.0)
            if _hopeless(tables, goal, level.split.least, old, new_tile, made, best, costs):
                continue
            begin, options = level.option_start[mask], level.option_count[mask]
            reached = -np.inf
            for option in range(begin, begin + options):
                klass = source_ints[label, CLASS]
                if not level.is_array and mask != 0:
                    klass = level.option_class[option]
                    again = option > begin and level.repeats_last[option]
                    if again and reached >= best:
                        continue
                    for i in range(len(row)):
                        row[i] = old[i]
                    absorb(tables, level, components, old, option, mask, split, row)
                    if not again:
                        counted += 1
                        reached = _bound(tables, level, level.split, goal, goal.metric, row, new_tile, klass, costs)
                        if reached >= best:
                            continue
                    if tables.sliding >= 0:
                        past, kept = old[components + 1 + tables.sliding], old[at_window : at_window + WINDOW]
                        if not window_after(tables, level, option, from_, to, mask, kept, past, window):
                            continue
                        for i in range(WINDOW):
                            row[at_window + i] = window[i]
                else:
                    counted += 1
                    for i in range(len(row)):
                        row[i] = old[i]
                    if level.is_array:
                        split_space(tables, level, components, old, to, split, row)
                if level.closes:
                    close(tables, level, goal, new_tile, to, row)
                forget(tables, level, goal, row)
                if not level.is_final:
                    if used >= len(front.bounds):
                        return position, used, best, counted
                    if _dominated(front, used, row, new_tile, components, tensors):
                        continue
                bound = reached
                limited = -np.inf
                if level.is_final:
                    steps = tables.macs / (goal.macs_per_cycle * row[components])
                    bound = metric_of(goal.metric, goal, row, steps)
                    limited = metric_of(goal.limit_metric, goal, row, steps)
                else:
                    bound = _bound(tables, level, level.ahead, goal, goal.metric, row, new_tile, klass, costs)
                    if goal.limit < np.inf:
                        limited = _bound(
                            tables, level, level.ahead, goal, goal.limit_metric, row, new_tile, klass, costs
                        )
                if bound >= best or limited > goal.limit:
                    continue
                if level.is_final:
                    # Only the best complete mapping counts: one row, replaced when a better one comes.
                    if bound >= best or bound == np.inf:
                        continue
                    best = bound
                    for i in range(len(row)):
                        front.floats[0, i] = row[i]
                    front.bounds[0] = bound
                    used = 1
                    at = 0
                else:
                    _insert(front, used, bound, new_tile, components, tensors)
                    at = used
                    used += 1
                front.ints[at, TILE] = new_tile
                front.ints[at, PARENT] = label
                front.ints[at, CHOICE] = option
                front.ints[at, CLASS] = klass
    return len(order), used, best, counted
