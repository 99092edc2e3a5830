"""The closed-form floor of a problem: no mapping is below it, and many reach it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from random_cases import Case, case, rank

from energysim.arch.spec import ArchSpec, Array, Compute, Constraints, Memory
from energysim.errors import InfeasibleError
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.cost_model import AccessCost, ActionCost, CostModel
from energysim.mapping.counts import Convention
from energysim.mapping.evaluate import evaluate
from energysim.mapping.least import LeastCost
from energysim.mapping.search import search

NOTHING = AccessCost(*[ActionCost(0.0)] * 3)


def of_one_tensor(found: Case, tensor: int | None) -> CostModel:
    """Only its accesses cost anything, so the best mapping is the best for it; None: the accesses of all."""
    return CostModel(
        tuple(
            tuple(cost if tensor in (None, t) else NOTHING for t, cost in enumerate(here))
            for here in found.costs.accesses
        )
    )


def transposed(problem: TensorProblem, rng: random.Random) -> TensorProblem:
    """The same loops, as a transposed convolution: the result slides, and padding cuts off its border."""
    bounds, stride, dilation = problem.bounds, rng.choice([1, 2, 3]), rng.choice([1, 2])

    def pixel(p: str, r: str) -> Rank:
        reached = (bounds[p] - 1) * stride + (bounds[r] - 1) * dilation + 1
        pad = 1 if bounds[r] > 1 and reached > 2 else 0
        return Rank(((p, stride), (r, dilation)), offset=-pad, extent=reached - 2 * pad)

    return TensorProblem(
        problem.dims,
        (
            problem.tensors[0],
            Tensor("ifmap", Role.IFMAP, rank("N", "G", "C", "P", "Q")),
            Tensor("ofmap", Role.OFMAP, (*rank("N", "G", "K"), pixel("P", "R"), pixel("Q", "S"))),
        ),
    )


def floor_of(found: Case, costs: CostModel, *, perfect: bool) -> LeastCost:
    names = [node.name for node in found.arch.nodes]
    tensors = [tensor.name for tensor in found.problem.tensors]

    def price(memory: Memory, tensor: Tensor) -> AccessCost:
        return costs.accesses[names.index(memory.name)][tensors.index(tensor.name)]

    return LeastCost(found.arch, price, names[0], perfect=perfect, convention=found.convention)


@pytest.mark.parametrize(("points", "seeds", "imperfect"), [(24, range(450), False), (8, range(90), True)])
def test_no_mapping_is_below_the_floor(points: int, seeds: range, imperfect: bool) -> None:
    reached = compared = 0
    for seed in seeds:
        found, rng = case(seed, points), random.Random(seed)
        tensor = rng.choice([None, 0, 1, 2])
        if seed % 3 == 0:
            found, tensor = replace(found, problem=transposed(found.problem, rng)), rng.choice([None, 2])
        problem, arch, convention = found.problem, found.arch, found.convention
        costs = of_one_tensor(found, tensor)
        least = floor_of(found, costs, perfect=not imperfect).of(problem)
        try:
            best = search(problem, arch, costs, convention=convention, imperfect=imperfect)
        except InfeasibleError:
            continue
        compared += 1
        assert least.accesses_pj <= best.value * (1 + 1e-9)
        assert least.cycles <= evaluate(problem, arch, best.mapping, convention).compute_cycles * (1 + 1e-9)
        reached += least.accesses_pj >= best.value * (1 - 1e-9)
    assert compared > 0.9 * len(seeds)
    assert reached > 0.6 * compared


@pytest.mark.parametrize(("size", "sent"), [(8, 4), (6, 4), (7, 14)])
def test_only_even_splits_share_a_weight(size: int, sent: int) -> None:
    """Two weights for ``size`` pixels each, and 4 pixels at once: 8 are split by 4, 6 by 3, 7 not at all."""
    keep = frozenset({"weights", "ifmap", "ofmap"})
    arch = ArchSpec(
        "four",
        (
            Memory("DRAM", "dram", keep),
            Array("lanes", 4, constraints=Constraints(x_dims=frozenset({"P"}))),
            Compute("MAC", "int", 8),
        ),
        1e9,
    )
    problem = TensorProblem(
        (("P", size), ("K", 2)),
        (
            Tensor("weights", Role.WEIGHTS, rank("K")),
            Tensor("ifmap", Role.IFMAP, rank("P")),
            Tensor("ofmap", Role.OFMAP, rank("P", "K")),
        ),
    )
    read = AccessCost(ActionCost(1.0), ActionCost(0.0), ActionCost(0.0))

    def price(memory: Memory, tensor: Tensor) -> AccessCost:
        return read if tensor.name == "weights" else NOTHING

    least = LeastCost(arch, price, "DRAM", perfect=True, convention=Convention.EXACT).of(problem)
    assert least.accesses_pj == sent
    costs = CostModel(((read, NOTHING, NOTHING), (), ()))
    assert search(problem, arch, costs).value == least.accesses_pj


def test_results_that_overlap_are_first_touched_in_every_instance() -> None:
    """Two buffers, one per pixel, each adding two results: four first touches of three words."""
    keep = frozenset({"weights", "ifmap", "ofmap"})
    arch = ArchSpec(
        "two buffers",
        (
            Memory("DRAM", "dram", keep),
            Array("lanes", 2, constraints=Constraints(x_dims=frozenset({"P"}))),
            Memory("buffer", "sram", frozenset({"ofmap"}), constraints=Constraints(fixed=(("P", 1),))),
            Compute("MAC", "int", 8),
        ),
        1e9,
    )
    problem = TensorProblem(
        (("P", 2), ("R", 2)),
        (
            Tensor("weights", Role.WEIGHTS, rank("R")),
            Tensor("ifmap", Role.IFMAP, rank("P")),
            Tensor("ofmap", Role.OFMAP, (Rank((("P", 1), ("R", 1))),)),
        ),
    )
    read = AccessCost(ActionCost(1.0), ActionCost(0.0), ActionCost(0.0))

    def price(memory: Memory, tensor: Tensor) -> AccessCost:
        return read if (memory.name, tensor.name) == ("buffer", "ofmap") else NOTHING

    costs = CostModel(((NOTHING,) * 3, (), (NOTHING, NOTHING, read), ()))
    assert search(problem, arch, costs).value == 0.0
    assert LeastCost(arch, price, "DRAM", perfect=True, convention=Convention.EXACT).of(problem).accesses_pj == 0.0
