"""Random small problems, architectures and mappings for the comparison with the executor."""

from __future__ import annotations

from math import ceil

from hypothesis import strategies as st

from energysim.arch.spec import ArchSpec, Array, Compute, Memory
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.nest import Loop, Mapping

MAX_MACS = 1500


def _one(*dims: str) -> tuple[Rank, ...]:
    return tuple(Rank(((dim, 1),)) for dim in dims)


@st.composite
def convolutions(draw: st.DrawFn) -> TensorProblem:
    """1-d and 2-d, strided, dilated, padded, grouped."""
    dims = {"K": draw(st.integers(1, 3)), "C": draw(st.integers(1, 3)), "P": draw(st.integers(1, 7))}
    dims["R"] = draw(st.integers(1, 4))
    groups = draw(st.booleans())
    if groups:
        dims["G"] = draw(st.integers(1, 3))
    ranks = [_window(draw, "P", dims["P"], "R", dims["R"])]
    plane, kernel = ["P"], ["R"]
    if draw(st.booleans()):
        dims["Q"], dims["S"] = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        ranks.append(_window(draw, "Q", dims["Q"], "S", dims["S"]))
        plane, kernel = ["P", "Q"], ["R", "S"]
    lead = ["G"] if groups else []
    return TensorProblem(
        tuple(dims.items()),
        (
            Tensor("W", Role.WEIGHTS, _one(*lead, "K", "C", *kernel)),
            Tensor("I", Role.IFMAP, (*_one(*lead, "C"), *ranks)),
            Tensor("O", Role.OFMAP, _one(*lead, "K", *plane)),
        ),
    )


@st.composite
def sliding(draw: st.DrawFn) -> TensorProblem:
    """One window whose loops meet as often as possible: wraps that keep words, equal needs across two arrays."""
    dims = {"K": draw(st.sampled_from([1, 2, 3])), "C": draw(st.sampled_from([1, 1, 2]))}
    dims |= {"P": draw(st.integers(2, 6)), "R": draw(st.integers(2, 4))}
    step, pad = draw(st.integers(1, 2)), draw(st.sampled_from([0, 0, 1, 2]))
    dilation = draw(st.sampled_from([step, 1, 2, 3]))
    extent = (dims["P"] - 1) * step + (dims["R"] - 1) * dilation + 1 - 2 * pad
    window = Rank((("P", step), ("R", dilation)), -pad, max(1, extent))
    return TensorProblem(
        tuple(dims.items()),
        (
            Tensor("W", Role.WEIGHTS, _one("K", "C", "R")),
            Tensor("I", Role.IFMAP, (*_one("C"), window)),
            Tensor("O", Role.OFMAP, _one("K", "P")),
        ),
    )


def _window(draw: st.DrawFn, p: str, size: int, r: str, kernel: int) -> Rank:
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    reach = (size - 1) * stride + (kernel - 1) * dilation + 1
    pad = draw(st.integers(0, 3))
    extent = max(1, reach - pad - draw(st.integers(0, 3)))
    return Rank(((p, stride), (r, dilation)), -pad, draw(st.sampled_from([extent, None])))


@st.composite
def transposed(draw: st.DrawFn) -> TensorProblem:
    """A transposed convolution: the result is indexed by a sum."""
    dims = {"K": draw(st.integers(1, 3)), "C": draw(st.integers(1, 3))}
    dims |= {"P": draw(st.integers(1, 6)), "R": draw(st.integers(1, 4))}
    rank = _window(draw, "P", dims["P"], "R", dims["R"])
    return TensorProblem(
        tuple(dims.items()),
        (
            Tensor("W", Role.WEIGHTS, _one("K", "C", "R")),
            Tensor("I", Role.IFMAP, _one("C", "P")),
            Tensor("O", Role.OFMAP, (*_one("K"), rank)),
        ),
    )


@st.composite
def contractions(draw: st.DrawFn) -> TensorProblem:
    """A product of three operands; one rank sums three dimensions."""
    dims = {name: draw(st.integers(1, 4)) for name in "ABCD"}
    rank = Rank((("B", draw(st.integers(1, 2))), ("C", draw(st.integers(1, 3))), ("D", 1)))
    return TensorProblem(
        tuple(dims.items()),
        (
            Tensor("W", Role.WEIGHTS, _one("A", "C")),
            Tensor("I", Role.IFMAP, (rank,)),
            Tensor("J", Role.IFMAP, _one("A", "D")),
            Tensor("O", Role.OFMAP, _one("A", "B")),
        ),
    )


problems = st.one_of(convolutions(), convolutions(), transposed(), contractions())


@st.composite
def archs(draw: st.DrawFn) -> ArchSpec:
    """A DRAM, then any chain of up to two more memories and two arrays (also next to the compute unit)."""
    roles = frozenset(Role)
    shared = draw(st.sampled_from([True, True, True, False]))
    kinds = draw(st.permutations(["memory", "memory", "array", "array"]))[: draw(st.integers(0, 4))]
    nodes: list[Memory | Array | Compute] = [Memory("M0", "dram", frozenset(), roles)]
    for index, kind in enumerate(kinds, start=1):
        if kind == "memory":
            nodes.append(Memory(f"M{index}", "sram", frozenset(), roles))
        else:
            nodes.append(Array(f"A{index}", 9999, 9999, multicast=shared, reduction=shared))
    return ArchSpec("random", (*nodes, Compute("MAC", "int", 8)), clock_hz=1e9)


def grid(inner: bool) -> ArchSpec:
    """Two arrays in a row between memories, or with a memory between them."""
    roles = frozenset(Role)
    memories = [Memory(f"M{i}", "sram", frozenset(), roles) for i in range(4)]
    arrays = [Array("A0", 9999, 9999), Array("A1", 9999, 9999)]
    middle = [arrays[0], memories[3], arrays[1]] if inner else arrays
    return ArchSpec("grid", (memories[0], *middle, *memories[1:3], Compute("MAC", "int", 8)), clock_hz=1e9)


@st.composite
def mappings(draw: st.DrawFn, problem: TensorProblem, arch: ArchSpec) -> Mapping:
    perfect = draw(st.booleans())
    slots = list(range(len(arch.nodes) - 1))
    at: dict[int, list[Loop]] = {slot: [] for slot in slots}
    for dim, size in problem.dims:
        left = size
        chain: list[tuple[int, int]] = []  # innermost first: node, bound
        for node in sorted(draw(st.lists(st.sampled_from(slots), max_size=4, unique=True)), reverse=True):
            choices = [f for f in range(2, left + 1) if not perfect or left % f == 0]
            if choices:
                bound = draw(st.sampled_from(choices))
                chain.append((node, bound))
                left = ceil(left / bound)
        if left > 1:
            chain.append((0, left))
        rest = size - 1
        for position, (node, bound) in enumerate(chain):
            axis = draw(st.sampled_from(["x", "y"])) if isinstance(arch.nodes[node], Array) else None
            outermost = position == len(chain) - 1
            if outermost and axis is None:
                bound += draw(st.sampled_from([0, 0, 0, 1]))  # only `last` of an outermost loop ever runs
            digit = rest if outermost else rest % bound
            at[node].insert(0, Loop(dim, bound, node, digit + 1, axis))
            rest = 0 if outermost else rest // bound
    loops: list[Loop] = []
    for slot in slots:
        # Loops over one dimension keep their order: their factors were chosen for it.
        order = draw(st.permutations([loop.dim for loop in at[slot]]))
        queues = {dim: [loop for loop in at[slot] if loop.dim == dim] for dim in order}
        loops.extend(queues[dim].pop(0) for dim in order)
    memories = [index for index, node in enumerate(arch.nodes) if isinstance(node, Memory)]
    kept: list[set[str]] = [set() for _ in arch.nodes]
    for tensor in problem.tensors:
        for index in draw(st.lists(st.sampled_from(memories), min_size=1, unique=True)):
            kept[index].add(tensor.name)
    return Mapping(tuple(loops), tuple(frozenset(names) for names in kept))
