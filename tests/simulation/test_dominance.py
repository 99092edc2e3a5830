"""A place that is passed over unmapped would have cost more, by at least what is said."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from energysim.arch.loader import load_arch
from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Constraints
from energysim.energy import estimate
from energysim.engines.protocol import MappedLayer
from energysim.engines.registry import ImperfectEngine, NativeEngine
from energysim.errors import InfeasibleError
from energysim.graph.layers import LayerGraph
from energysim.graph.problem import TensorProblem
from energysim.graph.trace import trace
from energysim.mapping.counts import Convention
from energysim.mapping.search import Objective
from energysim.schedule.plan import StackPlan, plan_stack
from energysim.schedule.values import Overlap, Stack
from energysim.simulation import simulate, stacks
from energysim.simulation.dominance import decides, saved_pj
from energysim.simulation.places import Place, parts_of, place_of, places_apart, together
from energysim.simulation.setting import Setting

_META = load_arch("meta_proto_df")


def _device(local_bytes: int, arch: ArchSpec = _META) -> ArchSpec:
    nodes = (replace(node, capacity_bits=local_bytes * 8) if node.name == "LB_IO" else node for node in arch.nodes)
    return replace(arch, nodes=tuple(nodes))


def _setting(arch: ArchSpec, objective: str = "energy") -> Setting:
    return Setting(arch, estimate(arch), NativeEngine(), Objective.parse(objective), Convention.EXACT, 8, None)


@st.composite
def _networks(draw: st.DrawFn) -> LayerGraph:
    """Two or three layers with strides, padding, dilation, groups or pooling."""
    channels, layers = draw(st.sampled_from([1, 2, 4])), []
    size = draw(st.integers(12, 20))
    for _ in range(draw(st.integers(2, 3))):
        kind = draw(st.sampled_from(["conv", "conv", "depthwise", "pool"]))
        kernel, stride = draw(st.sampled_from([1, 2, 3])), draw(st.integers(1, 2))
        padding = draw(st.integers(0, (kernel - 1) // 2 + (kernel > 1)))
        if kind == "pool":
            layers.append(nn.MaxPool2d(2, 1))
            continue
        groups = channels if kind == "depthwise" else 1
        out = channels if kind == "depthwise" else draw(st.sampled_from([2, 4, 8]))
        layers.append(nn.Conv2d(channels, out, kernel, stride, padding, draw(st.integers(1, 2)), groups, bias=False))
        channels = out
    model = nn.Sequential(*layers)
    images = torch.zeros(1, layers[0].in_channels if isinstance(layers[0], nn.Conv2d) else channels, size, size)
    assume(all(side > 1 for side in _shape(model, images)))
    return trace(model, (images,))


def _shape(model: nn.Module, images: torch.Tensor) -> tuple[int, ...]:
    try:
        return tuple(model(images).shape[2:])
    except RuntimeError:  # smaller than a kernel
        return (0,)


def _compared(graph: LayerGraph, tile: tuple[int, int], overlap: Overlap, arch: ArchSpec) -> list[tuple[float, float]]:
    """Of every place apart: what it is said to save at least against one memory for all, and what it saves, in pJ."""
    setting = _setting(arch)
    plan = plan_stack(graph, Stack(tuple(layer.name for layer in graph.layers), tile, overlap))
    home = place_of(plan, arch, 8)
    if home is None:
        return []
    whole_pj = _energy_pj(together(plan, home), plan, setting)
    found = []
    for place in places_apart(plan, arch, 8, home):
        with suppress(InfeasibleError):
            saves_pj = whole_pj - _energy_pj(place, plan, setting)
            found.append((saved_pj(place, parts_of(plan, place), home, frozenset(), setting), saves_pj))
    return found


def _energy_pj(place: Place, plan: StackPlan, setting: Setting) -> float:
    layers = stacks._priced(place, parts_of(plan, place), plan, plan.graph, setting, 0, frozenset())
    assert all(layer.mapped.optimal for layer in layers)
    return sum(layer.cost.energy.value for layer in layers)


@settings(max_examples=60, deadline=None)
@given(
    _networks(),
    st.tuples(st.integers(2, 6), st.integers(2, 6)),
    st.sampled_from(Overlap),
    st.sampled_from([100, 200, 400, 800, 1500]),
)
def test_a_place_saves_what_is_said_at_least(
    graph: LayerGraph, tile: tuple[int, int], overlap: Overlap, local_bytes: int
) -> None:
    for said_pj, saved in _compared(graph, tile, overlap, _device(local_bytes)):
        assert saved >= said_pj - 1e-9 * abs(saved)


_CHAIN = trace(
    nn.Sequential(nn.Conv2d(2, 8, 3, padding=1, bias=False), nn.Conv2d(8, 4, 3, padding=1, bias=False)),
    (torch.zeros(1, 2, 24, 32),),
)


@pytest.mark.parametrize("local_bytes", [800, 400])
def test_copies_of_kept_lines_cost_less_than_passing_the_outer_memory(local_bytes: int) -> None:
    said = [said_pj for said_pj, _ in _compared(_CHAIN, (3, 4), Overlap.CACHE, _device(local_bytes))]
    assert max(said) > 0


def test_what_is_dominated_is_not_mapped_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    arch = _device(800)
    searched: list[str] = []
    search = Setting.search

    def counted(self: Setting, problem: TensorProblem, arch: ArchSpec, *rest: object) -> MappedLayer:
        searched.append(arch.nodes[0].name)
        return search(self, problem, arch, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Setting, "search", counted)
    some = simulate(_CHAIN, arch, variant="full", tile=(3, 4), overlap="cache", bits=8)
    assert searched and "GB_A" not in searched
    searched.clear()
    monkeypatch.setattr(stacks, "decides", lambda _: False)
    every = simulate(_CHAIN, arch, variant="full", tile=(3, 4), overlap="cache", bits=8)
    assert "GB_A" in searched
    assert [v.to_dict() for v in some.variants] == [v.to_dict() for v in every.variants]


def test_a_window_further_in_or_loops_that_are_bound_cannot_be_compared() -> None:
    """A register may reuse an ifmap's window, which loops in another order could lose; and bound loops cannot move."""
    arch = _device(800)
    window = tuple(
        replace(node, keep=node.keep | {"ifmap"}, psum_bits=None, capacity_bits=64) if node.name == "REG_O" else node
        for node in arch.nodes
    )
    bound = tuple(
        replace(node, constraints=Constraints(innermost=("K",))) if node.name == "LB_IO" else node
        for node in arch.nodes
    )
    for nodes in (window, bound):
        found = _compared(_CHAIN, (3, 4), Overlap.CACHE, replace(arch, nodes=nodes))
        assert found and {said_pj for said_pj, _ in found} == {float("-inf")}


def test_only_energy_of_accesses_and_the_exact_search_decide() -> None:
    assert decides(_setting(_META))
    assert not decides(_setting(_META, "latency"))
    assert not decides(replace(_setting(_META), engine=ImperfectEngine()))
    assert not decides(replace(_setting(_META), convention=Convention.TIMELOOP))
    leaking = replace(
        estimate(_META), compute=replace(estimate(_META).compute, leakage_w=Sourced(1e-3, 1e-3, 1e-3, "a test"))
    )
    assert not decides(replace(_setting(_META), energies=leaking))
