"""Small random problems and architectures for the comparison of the search with complete enumeration."""

from __future__ import annotations

import random
from dataclasses import dataclass

from energysim.arch.spec import ArchSpec, Array, Compute, Constraints, Memory
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.cost_model import AccessCost, ActionCost, CostModel
from energysim.mapping.counts import Convention

ROLES = ("weights", "ifmap", "ofmap")


@dataclass(frozen=True)
class Case:
    problem: TensorProblem
    arch: ArchSpec
    costs: CostModel
    convention: Convention


def rank(*dims: str) -> tuple[Rank, ...]:
    return tuple(Rank(((d, 1),)) for d in dims)


def convolution(rng: random.Random, points: int) -> TensorProblem:
    """A random (grouped, strided, dilated, padded) convolution with about ``points`` iterations."""
    dims = ["G", "N", "K", "C", "P", "Q", "R", "S"]
    bounds = dict.fromkeys(dims, 1)
    for _ in range(40):
        d = rng.choice(dims if rng.random() < 0.6 else ["P", "R", "K", "C"])
        factor = rng.choice([2, 2, 3])
        size = factor
        for b in bounds.values():
            size *= b
        if size <= points and bounds[d] * factor <= (9 if d in "PQ" else 4):
            bounds[d] *= factor
    stride, dilation, pad = rng.choice([1, 1, 2, 3]), rng.choice([1, 1, 2]), rng.choice([0, 0, 1])

    def pixel(p: str, r: str) -> Rank:
        needed = (bounds[p] - 1) * stride + (bounds[r] - 1) * dilation + 1
        padding = pad if bounds[r] > 1 else 0
        return Rank(((p, stride), (r, dilation)), offset=-padding, extent=max(1, needed - 2 * padding))

    return TensorProblem(
        tuple(bounds.items()),
        (
            Tensor("weights", Role.WEIGHTS, rank("G", "K", "C", "R", "S")),
            Tensor("ifmap", Role.IFMAP, (*rank("N", "G", "C"), pixel("P", "R"), pixel("Q", "S"))),
            Tensor("ofmap", Role.OFMAP, rank("N", "G", "K", "P", "Q")),
        ),
    )


def _memory(rng: random.Random, name: str, words: int | None, top: bool) -> Memory:
    keep, bypass = set(ROLES), set[str]()
    if not top:
        for role in ROLES:
            draw = rng.random()
            if draw < 0.25:
                bypass.add(role)
            elif draw < 0.35:
                keep.discard(role)
    limit = rng.random()
    return Memory(
        name,
        "sram",
        frozenset(keep - bypass),
        frozenset(bypass),
        capacity_bits=None if words is None else words * 8,
        read_bandwidth=rng.choice([None, None, 8.0, 16.0]) if limit < 0.5 else None,
        write_bandwidth=rng.choice([None, None, 8.0, 24.0]) if limit < 0.5 else None,
        shared_bandwidth=rng.choice([None, 8.0, 16.0, 40.0]) if limit >= 0.5 else None,
        constraints=_constraints(rng),
    )


def _constraints(rng: random.Random) -> Constraints:
    if rng.random() < 0.8:
        return Constraints()
    dims = rng.sample(["K", "C", "P", "R"], 2)
    return Constraints(
        fixed=((dims[0], 1),) if rng.random() < 0.4 else (),
        at_most=((dims[1], rng.choice([1, 2])),) if rng.random() < 0.4 else (),
        innermost=tuple(rng.sample(["K", "C", "P", "Q", "R", "S"], rng.randint(1, 6))) if rng.random() < 0.5 else (),
    )


def _array(rng: random.Random, name: str) -> Array:
    dims = ["K", "C", "P", "Q", "R", "S", "N", "G"]
    x_dims = frozenset(rng.sample(dims, 4)) if rng.random() < 0.4 else None
    return Array(
        name,
        rng.choice([2, 3, 4]),
        rng.choice([1, 1, 2]),
        multicast=rng.random() < 0.8,
        reduction=rng.random() < 0.8,
        constraints=Constraints(x_dims=x_dims),
    )


def architecture(rng: random.Random) -> ArchSpec:
    """DRAM, one or two memories, arrays in between (or two in a row), compute."""
    nodes: list[Memory | Array | Compute] = [_memory(rng, "DRAM", None, True)]
    for level in range(rng.choice([1, 1, 2])):
        if rng.random() < 0.3:
            nodes.append(_array(rng, f"array{level}"))
        nodes.append(_memory(rng, f"L{level}", rng.choice([3, 6, 12, 30, 80]), False))
    for level in range(rng.choice([0, 1, 1, 2])):
        nodes.append(_array(rng, f"lanes{level}"))
    nodes.append(Compute("MAC", "int", 8, ((8, rng.choice([1.0, 2.0])),)))
    return ArchSpec("random", tuple(nodes), 1e9)


def costs(rng: random.Random, problem: TensorProblem, arch: ArchSpec) -> CostModel:
    def access(scale: float) -> AccessCost:
        one = ActionCost(round(scale * rng.uniform(0.5, 1.5), 3))
        same = rng.random() < 0.5
        other = one if same else ActionCost(round(scale * rng.uniform(0.5, 1.5), 3))
        return AccessCost(one, other, other)

    accesses = []
    for index, node in enumerate(arch.nodes):
        here = isinstance(node, Memory)
        accesses.append(tuple(access(64.0 / 4**index) for _ in problem.tensors) if here else ())
    return CostModel(tuple(accesses), 0.5, rng.choice([0.0, 0.0, 3.0]))


def case(seed: int, points: int = 24) -> Case:
    rng = random.Random(seed)
    problem = convolution(rng, points)
    arch = architecture(rng)
    convention = rng.choice([Convention.EXACT, Convention.EXACT, Convention.TIMELOOP])
    return Case(problem, arch, costs(rng, problem, arch), convention)
