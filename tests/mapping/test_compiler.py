"""The search's compiler: what it compiles does what Python does, and what it cannot compile it refuses."""

from __future__ import annotations

import math
import threading
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_cases import case

from energysim.mapping.jit import Kernel, compiled
from energysim.mapping.search import EDP, counting, kernels, lattice, search, walk
from energysim.mapping.search.records import Floats, Ints

OFFSET, HALF = 3, 0.5


class Inner(NamedTuple):
    matrix: Floats
    flag: bool


class Outer(NamedTuple):
    count: int
    inner: Inner
    scale: float
    cube: Ints


@compiled
def whole_numbers(a: int, b: int, out: Ints) -> None:
    out[0], out[1] = a // b, a % b
    out[2] = (a & b) | (a >> 2 << 1)
    out[3] = -a + OFFSET - (a > b)
    first = second = -1
    for i in range(a, b, 2):
        if i == 7:
            continue
        if i > 20:
            break
        first, second = second, i
    out[4], out[5] = first, second
    for weight in (2, 5, OFFSET):
        if weight == 5:
            continue
        out[6] += weight * a
    while a > 0 and not (a % 5 == 0 or a == 12):
        a -= 1
    out[7] = a
    for step in range(5, -1, -1):
        out[8] = out[8] * 3 + step


@compiled
def mixed(a: float, b: float, k: int) -> float:
    big = max(a, b, k) if a < b <= 10.0 else HALF
    low = min(0, k) / 2
    kind = -2.0 if k > 5 else (k if k else np.inf)
    return big + low - kind * (a == a) + float(k) + int(a)


@compiled
def less(a: float, b: float) -> bool:
    return a < b


@compiled
def recorded(outer: Outer, row: int) -> tuple[int, float, bool]:
    line = outer.inner.matrix[row]
    part = line[1 : len(line)]
    total = 0.0
    for i in range(len(part)):
        total += part[i] * outer.scale
        part[i] = total
    plane = outer.cube[row]
    count = outer.count
    for i in range(plane.shape[0]):
        for j in range(outer.cube.shape[2]):
            count += plane[i, j] if outer.inner.flag else 1
    if less(total, outer.scale):
        return count, total, False
    return -count, total, outer.inner.flag


def as_python(kernel: object) -> object:
    assert isinstance(kernel, Kernel)
    return kernel.function


@given(st.integers(-40, 40), st.integers(-40, 40).filter(bool))
def test_whole_numbers(a: int, b: int) -> None:
    ours, pythons = np.zeros(9, np.int64), np.zeros(9, np.int64)
    whole_numbers(a, b, ours)
    as_python(whole_numbers)(a, b, pythons)  # type: ignore[operator]
    assert ours.tolist() == pythons.tolist()


@given(st.floats(-50, 50), st.floats(-50, 50), st.integers(-9, 9))
def test_mixed_numbers(a: float, b: float, k: int) -> None:
    ours, pythons = mixed(a, b, k), as_python(mixed)(a, b, k)  # type: ignore[operator]
    assert ours == pythons or (math.isnan(ours) and math.isnan(pythons))


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("scale", [-1.5, 100.0])
def test_named_tuples_rows_and_slices(flag: bool, scale: float) -> None:
    def case() -> Outer:
        return Outer(4, Inner(np.arange(12.0).reshape(3, 4), flag), scale, np.arange(24).reshape(3, 2, 4))

    ours, pythons = case(), case()
    assert recorded(ours, 1) == as_python(recorded)(pythons, 1)  # type: ignore[operator]
    assert ours.inner.matrix.tolist() == pythons.inner.matrix.tolist()


def test_arrays_of_another_kind_are_refused() -> None:
    whole_numbers(1, 1, np.zeros(9, np.int64))
    with pytest.raises(TypeError, match="2 x int64, not 1 x int"):
        whole_numbers(1, 1, np.zeros((3, 3), np.int64))
    with pytest.raises(TypeError, match="float64, not 1 x int"):
        whole_numbers(1, 1, np.zeros(9))
    with pytest.raises(TypeError, match="not contiguous"):
        whole_numbers(1, 1, np.zeros(18, np.int64)[::2])


@compiled
def rounds(a: int, b: float) -> None:
    a = b  # type: ignore[assignment]  # noqa: F841


@compiled
def allocates(a: int) -> int:
    values = [a]
    return values[0]


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [(rounds, (1, 1.5), "rounds, line .*: a float where a int is expected"), (allocates, (1,), "List is not compiled")],
)
def test_what_is_not_in_the_subset_is_refused_by_line(function: Kernel, arguments: tuple, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        function(*arguments)


def test_threads_that_call_first_at_once() -> None:
    @compiled
    def doubled(values: Floats) -> None:
        for i in range(len(values)):
            values[i] *= 2.0

    arrays = [np.arange(1000.0) for _ in range(8)]
    threads = [threading.Thread(target=doubled, args=(array,)) for array in arrays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((array == 2 * np.arange(1000.0)).all() for array in arrays)


@pytest.mark.parametrize("seed", range(4))
def test_the_whole_search_compiled_and_as_python(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = case(seed)
    arguments = (found.problem, found.arch, found.costs)
    ours = search(*arguments, objective=EDP, convention=found.convention)
    for module in (counting, lattice, kernels, walk):
        for name, value in list(vars(module).items()):
            if isinstance(value, Kernel):
                monkeypatch.setattr(module, name, value.function)
    assert not isinstance(kernels.expand, Kernel) and not isinstance(walk.expand, Kernel)
    assert search(*arguments, objective=EDP, convention=found.convention) == ours
