"""One axis against enumeration: which ifmap coordinates an interval of the ofmap reads."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from energysim.schedule.axes import AxisMap
from energysim.schedule.intervals import Interval


@st.composite
def windows(draw: st.DrawFn) -> tuple[AxisMap, Interval]:
    kernel, stride, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    before, size_in = draw(st.integers(0, 4)), draw(st.integers(1, 20))
    transposed = draw(st.booleans())
    reach = (kernel - 1) * dilation
    size_out = (
        (size_in - 1) * stride + reach + 1 - before if transposed else (size_in + 2 * before - reach - 1) // stride + 1
    )
    size_out = max(1, size_out)
    start = draw(st.integers(0, size_out - 1))
    stop = draw(st.integers(start + 1, size_out))
    return AxisMap(size_in, size_out, kernel, stride, before, dilation, transposed), Interval(start, stop)


def _reads(axis: AxisMap, out: Interval) -> set[int]:
    pairs = {(x, y) for x in range(axis.size_in) for y in range(out.start, out.stop)}
    taps = {tap * axis.dilation for tap in range(axis.kernel)}
    if axis.transposed:
        return {x for x, y in pairs if y + axis.before - x * axis.stride in taps}
    return {x for x, y in pairs if x + axis.before - y * axis.stride in taps}


@given(windows())
@example((AxisMap(4, 2, kernel=1, stride=4, before=1), Interval(0, 2)))
def test_touched_is_what_the_taps_read_and_need_is_its_hull(case: tuple[AxisMap, Interval]) -> None:
    axis, out = case
    reads = _reads(axis, out)
    assert {x for x in range(axis.size_in) if axis.touched(out) >> x & 1} == reads
    need = axis.need(out)
    if reads:
        assert need == Interval(min(reads), max(reads) + 1)
    else:
        assert need.size == 0
