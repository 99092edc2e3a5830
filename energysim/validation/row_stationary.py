"""The row-stationary dataflow of Eyeriss as explicit mappings, from the seven parameters that its paper names."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from energysim.arch.spec import ArchSpec, Array, Axis, Memory
from energysim.errors import MappingError
from energysim.graph.problem import TensorProblem
from energysim.mapping.nest import Loop, Mapping


@dataclass(frozen=True, slots=True)
class RowStationary:
    """One processing pass of Eyeriss (JSSC 2017, section V).

    ``p`` filters and ``q`` ifmap channels in a PE, ``r`` sets of PEs on further channels and ``t`` on further filters,
    ``e`` ofmap rows, ``n`` images, ``m`` filters whose psums stay in the global buffer.
    """

    m: int
    n: int
    e: int
    p: int
    q: int
    r: int
    t: int


def _filters_across(rows: RowStationary, kernel_rows: int, array: Array) -> int:
    """How many of the ``t`` sets stand side by side; the others stand below, where ofmap rows fold too.

    Raises MappingError where the sets of PEs do not fit the array.
    """
    room_x = array.x // min(rows.e, array.x)
    room_y = array.y // (kernel_rows * ceil(rows.e / array.x) * rows.r)
    for across in range(min(room_x, rows.t), 0, -1):
        if rows.t % across == 0 and rows.t // across <= room_y:
            return across
    raise MappingError(f"{rows} with {kernel_rows} kernel rows needs more than {array.x} x {array.y} PEs")


def active_pes(rows: RowStationary, kernel_rows: int) -> int:
    """PEs that compute: kernel rows x ofmap rows x sets."""
    return kernel_rows * rows.e * rows.r * rows.t


def mapping_of(problem: TensorProblem, arch: ArchSpec, rows: RowStationary) -> Mapping:
    """The loop nest of a layer run in such passes. Remainders (m, e, q r... that divide nothing) are exact.

    Per node, outermost first: DRAM holds the loops over groups, filters by m, images by n, strips of e rows and,
    innermost, channels by q r, so that psums stay in the global buffer; there the filters of a pass follow one
    another, each for all n images and all columns; a PE runs q channels by S columns by p filters.
    """
    (array,) = [node for node in arch.nodes if isinstance(node, Array)]
    columns, across = min(rows.e, array.x), _filters_across(rows, problem.bounds["R"], array)
    node = {each.name: index for index, each in enumerate(arch.nodes)}
    dram, glb, pe, filter_pad, psum_pad = 0, node["GLB"], node[array.name], node["FILTER_SPAD"], node["PSUM_SPAD"]
    inner: list[tuple[str, int, int, Axis | None]] = [
        ("K", rows.m // (rows.p * rows.t), glb, None),
        ("N", rows.n, glb, None),
        ("Q", problem.bounds["Q"], glb, None),
        ("K", across, pe, "x"),
        ("P", columns, pe, "x"),
        ("K", rows.t // across, pe, "y"),
        ("P", ceil(rows.e / columns), pe, "y"),
        ("C", rows.r, pe, "y"),
        ("R", problem.bounds["R"], pe, "y"),
        ("C", rows.q, filter_pad, None),
        ("S", problem.bounds["S"], filter_pad, None),
        ("K", rows.p, psum_pad, None),
    ]
    outer = [(dim, _outermost(problem.bounds[dim], dim, inner), dram, None) for dim in "GKNPC"]
    loops = _with_remainders(problem, [*outer, *inner])
    kept = tuple(node.keep if isinstance(node, Memory) else frozenset[str]() for node in arch.nodes)
    return Mapping(tuple(loop for loop in loops if loop.bound > 1), kept)


def _outermost(bound: int, dim: str, inner: list[tuple[str, int, int, Axis | None]]) -> int:
    return ceil(bound / prod(factor for other, factor, _, _ in inner if other == dim))


def _with_remainders(problem: TensorProblem, factors: list[tuple[str, int, int, Axis | None]]) -> list[Loop]:
    """Loops whose last iterations are the digits of (bound - 1) in the mixed radix of the factors of each dimension."""
    left = {dim: bound - 1 for dim, bound in problem.dims}
    loops = []
    for dim, factor, node, axis in reversed(factors):
        left[dim], digit = divmod(left[dim], factor)
        loops.append(Loop(dim, factor, node, digit + 1, axis))
    return loops[::-1]
