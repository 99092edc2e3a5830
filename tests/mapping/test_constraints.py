"""Constraints and dataflow templates: the search honours them, and is as good as the best of all mappings that do."""

from __future__ import annotations

import dataclasses
from itertools import islice

import pytest
from enumerate_all import evaluated, mappings
from random_cases import Case, case, rank

from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec, Array, Constraints, Memory
from energysim.cost.model import cost_model
from energysim.energy import estimate
from energysim.errors import InfeasibleError, MappingError
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.dataflow import DATAFLOWS, with_dataflow
from energysim.mapping.search import ENERGY, Metric, search
from energysim.mapping.search.objective import metric_value

MOST_MAPPINGS = 2000
PROBLEM = TensorProblem(
    (("N", 1), ("K", 32), ("C", 16), ("P", 8), ("Q", 8), ("R", 3), ("S", 3)),
    (
        Tensor("weights", Role.WEIGHTS, rank("K", "C", "R", "S")),
        Tensor("ifmap", Role.IFMAP, (*rank("N", "C"), Rank((("P", 1), ("R", 1))), Rank((("Q", 1), ("S", 1))))),
        Tensor("ofmap", Role.OFMAP, rank("N", "K", "P", "Q")),
    ),
)
MOVED = {  # the dimensions of a convolution that move each tensor
    "weight-stationary": set("GKCRS"),
    "output-stationary": set("GNKPQ"),
    "input-stationary": set("GNCPQRS"),
}


def compare(found: Case, arch: ArchSpec) -> bool:
    """Whether there was something to compare."""
    if sum(1 for _ in islice(mappings(found.problem, arch), MOST_MAPPINGS + 1)) > MOST_MAPPINGS:
        return False
    values = [
        metric_value(Metric.ENERGY, found.problem, arch, found.costs, counts, found.convention)
        for _, counts in evaluated(found.problem, arch, found.convention)
    ]
    if not values:
        with pytest.raises(InfeasibleError):
            search(found.problem, arch, found.costs, convention=found.convention)
        return False
    result = search(found.problem, arch, found.costs, objective=ENERGY, convention=found.convention)
    assert result.bound <= min(values) * (1 + 1e-9)
    assert result.value >= min(values) * (1 - 1e-9)
    if result.optimal:
        assert result.value == pytest.approx(min(values), rel=1e-9)
    return True


def unordered(arch: ArchSpec) -> ArchSpec:
    """Without orders of its own, which a dataflow might contradict."""
    nodes = (
        dataclasses.replace(node, constraints=dataclasses.replace(node.constraints, innermost=()))
        if isinstance(node, Memory)
        else node
        for node in arch.nodes
    )
    return dataclasses.replace(arch, nodes=tuple(nodes))


@pytest.mark.parametrize("name", [name for name in DATAFLOWS if name != "row-stationary"])
def test_a_dataflow_s_optimum_equals_the_best_of_all_its_mappings(name: str) -> None:
    cases = (case(seed, 16) for seed in range(24))
    assert sum(compare(found, with_dataflow(unordered(found.arch), name)) for found in cases) > 8


def test_row_stationary_s_optimum_equals_the_best_of_all_its_mappings() -> None:
    compared = 0
    for seed in range(60):
        found = case(seed, 12)
        try:
            arch = with_dataflow(unordered(found.arch), "row-stationary")
        except MappingError:  # no array with memories inside
            continue
        compared += compare(found, arch)
    assert compared > 5


@pytest.mark.parametrize("least", [0.4, 0.7, 1.0])
def test_least_utilization_and_bounded_arrays(least: float) -> None:
    def demanding(arch: ArchSpec) -> ArchSpec:
        nodes = (
            dataclasses.replace(
                node,
                constraints=dataclasses.replace(node.constraints, min_utilization=least, at_most=(("K", 2), ("P", 1))),
            )
            if isinstance(node, Array)
            else node
            for node in arch.nodes
        )
        return dataclasses.replace(arch, nodes=tuple(nodes))

    cases = [found for found in (case(seed, 24) for seed in range(60)) if any_array(found.arch)]
    assert sum(compare(found, demanding(found.arch)) for found in cases) > 3


def any_array(arch: ArchSpec) -> bool:
    return any(isinstance(node, Array) for node in arch.nodes)


@pytest.mark.parametrize("name", list(MOVED))
def test_the_tensor_stays_while_loops_do_not_move_it(name: str) -> None:
    arch = load_arch("a2")
    costs = cost_model(PROBLEM, arch, estimate(arch))
    stationary = with_dataflow(arch, name)
    found = search(PROBLEM, stationary, costs)
    for index, node in enumerate(arch.nodes):
        if isinstance(node, Memory):
            moving = [loop.dim in MOVED[name] for loop in found.mapping.loops if loop.node == index]
            assert moving == sorted(moving, reverse=True)  # outermost first: what moves it lies outside what does not
    assert found.optimal and found.value >= search(PROBLEM, arch, costs).value
    assert f"mapped {name} only" in stationary.assumptions


def test_row_stationary_keeps_rows_in_the_pes() -> None:
    arch = with_dataflow(load_arch("eyeriss"), "row-stationary")
    array = next(i for i, node in enumerate(arch.nodes) if isinstance(node, Array))
    found = search(PROBLEM, arch, cost_model(PROBLEM, arch, estimate(arch)))
    axes = {(loop.dim, loop.axis) for loop in found.mapping.loops if loop.node == array}
    assert ("R", "y") in axes and ("P", "x") in axes
    assert {loop.dim for loop in found.mapping.loops if loop.node > array} <= {"C", "K", "S"}


def test_what_a_device_cannot_do_is_refused() -> None:
    with pytest.raises(MappingError, match="innermost at GLB, where 'eyeriss' itself wants Q, N"):
        with_dataflow(load_arch("eyeriss"), "weight-stationary")
    with pytest.raises(MappingError, match="memories of their own, which 'a2' lacks"):
        with_dataflow(load_arch("a2"), "row-stationary")
    with pytest.raises(MappingError, match="weight-stationary, output-stationary"):
        with_dataflow(load_arch("a2"), "stationary")
    arch = load_arch("eyeriss")
    nodes = list(arch.nodes)
    assert isinstance(nodes[-2], Memory)
    nodes[-2] = dataclasses.replace(nodes[-2], constraints=Constraints(fixed=(("P", 2),)))
    with pytest.raises(MappingError, match="no loop over P in a PE, where 'eyeriss' fixes one of 2 at PSUM_SPAD"):
        with_dataflow(dataclasses.replace(arch, nodes=tuple(nodes)), "row-stationary")
