"""Loop orders: only those that differ in reuse, and constraints on them."""

from __future__ import annotations

from itertools import permutations

from energysim.mapping.search.orders import OrderRules, orders

# Dimensions K, C, P, R; weights K C R, ifmap C P R (P and R slide on one rank), ofmap K P.
K, C, P, R = range(4)
MOVES = (1 << K | 1 << C | 1 << R, 1 << C | 1 << P | 1 << R, 1 << K | 1 << P)
RULES = OrderRules(MOVES, (True, True, True), 1, (-1, -1, 0, 0))
ALL = 0b1111


def absorbed(order: tuple[int, ...], tensor: int) -> int:
    mask = 0
    for dim in order:
        if MOVES[tensor] >> dim & 1:
            break
        mask |= 1 << dim
    return mask


def test_every_permutation_is_matched_or_beaten_by_an_option() -> None:
    options = orders(RULES, ALL)
    for order in permutations(range(4)):
        moving = [d for d in order if MOVES[1] >> d & 1]
        window = tuple(moving[:1]) if moving[0] in (P, R) else ()
        reused = [absorbed(order, t) for t in range(3)]
        assert any(
            all(mine & ~theirs == 0 for mine, theirs in zip(reused, option.absorbed, strict=True))
            and (not window or option.window == window)
            for option in options
        ), order


def test_an_option_is_what_its_sequence_does() -> None:
    for option in orders(RULES, ALL):
        rest = [d for d in range(4) if d not in option.sequence]
        order = (*option.sequence, *rest)
        assert option.absorbed == tuple(absorbed(order, t) for t in range(3))
        assert option.innermost == order[0]


def test_a_fixed_order_leaves_what_it_allows() -> None:
    fixed = OrderRules(MOVES, (True, True, True), 1, (-1, -1, 0, 0), fixed=(K, C))
    assert {option.sequence[:2] for option in orders(fixed, ALL)} == {(K, C)}
    assert {option.sequence[0] for option in orders(fixed, 1 << P | 1 << R)} <= {P, R}


def test_no_reuse_below_means_one_option() -> None:
    dead = OrderRules(MOVES, (False, False, False), 1, (-1, -1, 0, 0))
    assert len(orders(dead, ALL)) == 1
