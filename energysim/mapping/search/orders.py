"""The loop orders at one memory that differ in reuse, found once for every set of loops that really loop.

An order matters only through (a) the loops inside the innermost one that moves a tensor: they reuse its tile
("absorbed"), and (b) which loops move the tensor with a sliding window innermost: only they profit from the halo that
the previous tile left. Orders equal in both are one option, and an option that absorbs less for the same window is
dropped: no mapping is better with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


class Order(NamedTuple):
    """``absorbed[t]``: bit mask of the loops that reuse tensor t's tile. ``window``: the loops (dimension indices,
    innermost first, at most two) of one sliding rank that move it innermost. ``innermost``: the first loop, -1 if none.
    ``sequence``: the order's beginning, innermost first; the other loops follow outwards in any allowed order.
    """

    absorbed: tuple[int, ...]
    window: tuple[int, ...]
    innermost: int
    sequence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OrderRules:
    """``moves[t]``: bit mask of the dimensions that move tensor t. ``live``: tensors whose reuse the order decides.

    ``rank_of[d]``: the sliding rank that dimension d moves (-1: none). ``fixed``: the constraint's order, innermost
    first; dimensions not in it lie outside.
    """

    moves: tuple[int, ...]
    live: tuple[bool, ...]
    sliding: int
    rank_of: tuple[int, ...]
    fixed: tuple[int, ...] = ()


@lru_cache(maxsize=1 << 14)
def orders(rules: OrderRules, loops: int) -> tuple[Order, ...]:
    """All options for the loops in the bit mask ``loops``. Deterministic; at least one."""
    dims = [d for d in range(len(rules.rank_of)) if loops >> d & 1]
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], Order] = {}

    def extend(sequence: tuple[int, ...]) -> None:
        order = _order(rules, loops, sequence)
        rest = [d for d in dims if d not in sequence]
        if not rest or _settled(rules, sequence):
            # The second loop slides on only where its step fits, so the order without it counts as well.
            for window in {order.window, order.window[:1]}:
                found.setdefault((order.absorbed, window), order._replace(window=window))
        if rest and (not _settled(rules, sequence) or _window_may_grow(rules, sequence)):
            for dim in _next(rules, rest):
                extend((*sequence, dim))

    extend(())
    options = sorted(found.values(), key=lambda order: (order.absorbed, order.window))
    return tuple(a for a in options if not any(b is not a and _better(b, a) for b in options))


def _next(rules: OrderRules, rest: list[int]) -> list[int]:
    for dim in rules.fixed:
        if dim in rest:
            return [dim]
    return rest


def _moving(rules: OrderRules, sequence: tuple[int, ...], tensor: int) -> list[int]:
    return [d for d in sequence if rules.moves[tensor] >> d & 1]


def _settled(rules: OrderRules, sequence: tuple[int, ...]) -> bool:
    """Whether further loops outside ``sequence`` cannot change what is absorbed."""
    return all(_moving(rules, sequence, t) for t, live in enumerate(rules.live) if live)


def _window_may_grow(rules: OrderRules, sequence: tuple[int, ...]) -> bool:
    if rules.sliding < 0 or not rules.live[rules.sliding]:
        return False
    moving = _moving(rules, sequence, rules.sliding)
    return len(moving) == 1 and rules.rank_of[moving[0]] >= 0 and sequence[-1] == moving[0]


def _order(rules: OrderRules, loops: int, sequence: tuple[int, ...]) -> Order:
    absorbed = []
    for tensor, live in enumerate(rules.live):
        mask = 0
        for dim in sequence if live else ():
            if rules.moves[tensor] >> dim & 1:
                break
            mask |= 1 << dim
        absorbed.append(mask)
    window: tuple[int, ...] = ()
    if rules.sliding >= 0 and rules.live[rules.sliding]:
        moving = _moving(rules, sequence, rules.sliding)
        if moving and rules.rank_of[moving[0]] >= 0:
            window = (moving[0],)
            if len(moving) > 1 and rules.rank_of[moving[1]] == rules.rank_of[moving[0]]:
                window = (moving[0], moving[1])
    return Order(tuple(absorbed), window, sequence[0] if sequence else -1, sequence)


def _better(one: Order, other: Order) -> bool:
    """Whether ``one`` absorbs at least as much, with the same window or where ``other`` has none."""
    if other.window and one.window != other.window:
        return False
    if any(theirs & ~ours for ours, theirs in zip(one.absorbed, other.absorbed, strict=True)):
        return False
    return one.absorbed != other.absorbed or (one.window != other.window)
