"""Addresses: every byte has one owner per step, and no more bytes are used than are live at the peak."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim.errors import InfeasibleError
from energysim.schedule.allocator import Allocation, Piece, allocate
from energysim.schedule.live import Content, LiveRange, live_at, peak_bytes, peak_step

live_ranges = st.lists(
    st.builds(
        lambda number, size, first, length: LiveRange(f"t{number}", Content.MAP, size, first, first + length),
        st.integers(0, 99),
        st.integers(0, 40),
        st.integers(0, 12),
        st.integers(0, 6),
    ),
    max_size=14,
)


def owners(allocation: Allocation, step: int) -> list[int]:
    """The addresses in use in one step, with repetitions."""
    return [
        address
        for item in allocation.placements
        if item.live.first <= step <= item.live.last
        for piece in item.pieces
        for address in range(piece.address, piece.end)
    ]


@given(live_ranges, st.integers(0, 30))
def test_no_byte_has_two_owners_and_none_lies_outside(ranges: list[LiveRange], slack: int) -> None:
    bound = max((sum(r.size_bytes for r in ranges if r.first <= t <= r.last) for t in range(20)), default=0)
    assert peak_bytes(ranges) == bound
    for capacity in (None, bound + slack):
        allocation = allocate(ranges, capacity)
        assert [item.live for item in allocation.placements] == ranges
        assert allocation.lower_bound_bytes == bound <= allocation.used_bytes
        assert allocation.used_bytes <= (bound if capacity is None else capacity)
        for item in allocation.placements:
            assert sum(piece.size for piece in item.pieces) == item.live.size_bytes
        for step in range(20):
            used = owners(allocation, step)
            assert len(used) == len(set(used))


@given(live_ranges)
def test_one_byte_less_than_the_peak_is_refused(ranges: list[LiveRange]) -> None:
    bound = peak_bytes(ranges)
    if bound:
        with pytest.raises(InfeasibleError, match=f"the buffer has {bound - 1:,}"):
            allocate(ranges, bound - 1)
        assert sum(item.size_bytes for item in live_at(ranges, peak_step(ranges))) == bound


def test_a_range_takes_the_smallest_gap_that_holds_it() -> None:
    ranges = [
        LiveRange("a", Content.MAP, 4, 0, 0),
        LiveRange("b", Content.MAP, 2, 0, 9),
        LiveRange("c", Content.MAP, 3, 0, 1),
        LiveRange("d", Content.MAP, 1, 0, 9),
        LiveRange("fits in c's", Content.MAP, 3, 2, 2),
        LiveRange("needs both", Content.MAP, 7, 3, 3),
    ]
    allocation = allocate(ranges)
    by_name = {item.live.name: item.pieces for item in allocation.placements}
    assert by_name["b"] == (Piece(0, 2),) and by_name["d"] == (Piece(2, 1),)
    assert by_name["fits in c's"] == by_name["c"] == (Piece(3, 3),)
    assert by_name["needs both"] == (Piece(3, 7),)


def test_a_range_is_split_around_one_that_stays_and_the_peak_still_suffices() -> None:
    ranges = [
        LiveRange("early", Content.MAP, 3, 0, 1),
        LiveRange("stays", Content.MAP, 2, 1, 5),
        LiveRange("beside", Content.MAP, 3, 1, 1),
        LiveRange("wide", Content.MAP, 6, 2, 2),
    ]
    allocation = allocate(ranges)
    assert [item.pieces for item in allocation.placements] == [
        (Piece(0, 3),),
        (Piece(3, 2),),
        (Piece(5, 3),),
        (Piece(0, 3), Piece(5, 3)),
    ]
    assert allocation.used_bytes == allocation.lower_bound_bytes == 8
