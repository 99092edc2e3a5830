"""Plans of one axis walked coordinate by coordinate: nothing is read that is not on chip, nothing is loaded in vain."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.schedule.axes import AxisMap
from energysim.schedule.tiles import AxisPlan, AxisStep, plan_axis


def reads(axis: AxisMap, x: int) -> set[int]:
    """By the definition of each operator, element by element."""
    if axis.whole:
        found = set(range(axis.size_in))
    elif axis.upscale > 1:
        found = {x // axis.upscale}
    elif axis.transposed:
        found = {
            p
            for p in range(axis.size_in)
            for tap in range(axis.kernel)
            if p * axis.stride + tap * axis.dilation - axis.before == x
        }
    else:
        found = {x * axis.stride + tap * axis.dilation - axis.before for tap in range(axis.kernel)}
    return {p for p in found if 0 <= p < axis.size_in}


@st.composite
def maps(draw: st.DrawFn, size_in: int) -> AxisMap:
    kind = draw(st.sampled_from(["window", "window", "window", "point", "transposed", "upscale", "whole"]))
    if kind == "upscale" and size_in <= 16:
        return AxisMap(size_in, 2 * size_in, upscale=2)
    if kind == "whole":
        return AxisMap(size_in, 1, whole=True)
    kernel, stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    reach = (kernel - 1) * dilation
    before = draw(st.integers(0, reach))
    if kind == "transposed" and size_in <= 16:
        size = (size_in - 1) * stride + reach + 1 - before - draw(st.integers(0, reach - before))
        return AxisMap(size_in, max(1, size), kernel, stride, before, dilation, transposed=True)
    size = (size_in + before + draw(st.integers(0, reach)) - reach - 1) // stride + 1
    if kind == "point" or size < 1:
        return AxisMap(size_in, size_in)
    return AxisMap(size_in, size, kernel, stride, before, dilation)


@st.composite
def stacks(draw: st.DrawFn) -> tuple[tuple[AxisStep, ...], tuple[tuple[str, int], ...], tuple[str, ...]]:
    """Chains with branches: a step reads the last edge or an earlier one; a join reads a second edge of equal size."""
    sizes = {"in": draw(st.integers(3, 20))}
    steps: list[AxisStep] = []
    for index in range(draw(st.integers(1, 6))):
        edges = list(sizes)
        source = draw(st.sampled_from(edges[-3:]))
        axis = draw(maps(sizes[source]))
        inputs = [(source, axis)]
        twins = [e for e in edges if sizes[e] == axis.size_out and e != source]
        if axis == AxisMap(axis.size_in, axis.size_in) and twins:
            other = draw(st.sampled_from(twins))
            inputs.append((other, AxisMap(sizes[other], axis.size_out)))
        sizes[f"e{index}"] = axis.size_out
        steps.append(AxisStep(f"l{index}", f"e{index}", tuple(inputs)))
    unread = {s.output for s in steps} - {edge for s in steps for edge, _ in s.inputs}
    extra = draw(st.sampled_from([s.output for s in steps]))
    outputs = tuple(s.output for s in steps if s.output in unread or s.output in (steps[-1].output, extra))
    return tuple(steps), tuple(sizes.items()), outputs


def walk(plan: AxisPlan, steps: tuple[AxisStep, ...], keeps: bool) -> None:
    produced = {step.output for step in steps}
    on_chip: dict[str, set[int]] = {edge: set() for edge in plan.held}
    for index in range(len(plan.tiles)):
        held = {edge: set(range(*pieces[index])) for edge, pieces in plan.held.items()}
        on_chip = {edge: found & held[edge] if keeps else set() for edge, found in on_chip.items()}
        for edge, found in on_chip.items():
            assert len(found) <= plan.kept[edge]
        wanted: dict[str, set[int]] = {edge: set() for edge in on_chip if edge not in produced}
        for step in steps:
            for edge, axis in step.inputs:
                if edge not in produced:
                    wanted[edge] |= {p for x in range(*plan.fresh[step.output][index]) for p in reads(axis, x)}
        for edge, coordinates in wanted.items():
            assert len(coordinates - on_chip[edge]) == plan.loads[edge][index]
            on_chip[edge] |= coordinates
        for step in steps:
            fresh = set(range(*plan.fresh[step.output][index]))
            if keeps:
                assert not fresh & on_chip[step.output], "computed twice"
            for edge, axis in step.inputs:
                assert {p for x in fresh for p in reads(axis, x)} <= on_chip[edge]
            on_chip[step.output] |= fresh
        for edge, found in on_chip.items():
            assert found <= held[edge]
        for edge, pieces in plan.stores.items():
            assert set(range(*pieces[index])) <= on_chip[edge]


@settings(max_examples=300, deadline=None)
@given(stacks(), st.integers(1, 7), st.booleans())
def test_every_read_finds_its_word_on_chip(
    stack: tuple[tuple[AxisStep, ...], tuple[tuple[str, int], ...], tuple[str, ...]], tile: int, keeps: bool
) -> None:
    steps, sizes, outputs = stack
    plan = plan_axis(steps, sizes, outputs, tile, keeps)
    walk(plan, steps, keeps)
    for edge in outputs:
        stored = [x for piece in plan.stores[edge] for x in range(*piece)]
        assert stored == list(range(dict(sizes)[edge]))


@settings(max_examples=200, deadline=None)
@given(stacks(), st.integers(1, 7))
def test_keeping_never_computes_or_loads_more(
    stack: tuple[tuple[AxisStep, ...], tuple[tuple[str, int], ...], tuple[str, ...]], tile: int
) -> None:
    again, once = plan_axis(*stack, tile, False), plan_axis(*stack, tile, True)
    for edge in once.fresh:
        assert sum(i.size for i in once.fresh[edge]) <= sum(i.size for i in again.fresh[edge])
    for edge in once.loads:
        assert sum(once.loads[edge]) <= sum(again.loads[edge])


@given(st.integers(1, 20).flatmap(maps), st.integers(0, 10), st.integers(1, 6))
def test_touched_and_need_follow_the_definition(axis: AxisMap, start: int, size: int) -> None:
    from energysim.schedule.intervals import Interval

    out = Interval(min(start, axis.size_out), min(start + size, axis.size_out))
    exact = {p for x in range(*out) for p in reads(axis, x)}
    assert {p for p in range(axis.size_in) if axis.touched(out) >> p & 1} == exact
    need = axis.need(out)
    assert exact <= set(range(*need))
    if exact and axis.dilation == 1:
        assert need == (min(exact), max(exact) + 1)
