"""Mappings executed on real data: the right sums, and DRAM's reads and updates as the closed forms count them."""

from __future__ import annotations

import functools
from itertools import product

import pytest
import strategies
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from energysim.arch.spec import ArchSpec, Memory
from energysim.engines.native import evaluate
from energysim.graph.layers import LayerKind
from energysim.graph.problem import TensorProblem
from energysim.inputs import InputSpec
from energysim.mapping.counts import Convention
from energysim.mapping.nest import Loop, Mapping
from energysim.nn.executor.boundary import extent_of
from energysim.nn.executor.mapped import run_nest
from energysim.nn.executor.mapped_layer import LayerMapping
from energysim.nn.executor.program import ExecutableProgram, ExecutionError
from energysim.nn.executor.verify import prepare_exactly, verify
from energysim.schedule.values import Retained, Schedule, Stack


def _shape(problem: TensorProblem, name: str) -> tuple[int, ...]:
    return tuple(extent_of(rank, problem.bounds) for rank in problem.tensor(name).ranks)


def _operands(problem: TensorProblem) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        tensor.name: torch.randint(-3, 4, _shape(problem, tensor.name), generator=generator).double()
        for tensor in problem.inputs
    }


def _by_hand(problem: TensorProblem, operands: dict[str, Tensor]) -> Tensor:
    """One multiply-accumulate per point of the iteration space."""
    result = torch.zeros(_shape(problem, problem.output.name), dtype=torch.float64)
    for point in product(*(range(bound) for _, bound in problem.dims)):
        value = dict(zip(problem.bounds, point, strict=True))
        factor = 1.0
        places = {}
        for tensor in problem.tensors:
            places[tensor.name] = tuple(
                (0 if rank.extent is None else rank.offset) + sum(c * value[dim] for dim, c in rank.terms)
                for rank in tensor.ranks
            )
            exists = all(
                0 <= at < size for at, size in zip(places[tensor.name], _shape(problem, tensor.name), strict=True)
            )
            factor *= exists if tensor.is_output or not exists else float(operands[tensor.name][places[tensor.name]])
        if factor:
            result[places[problem.output.name]] += factor
    return result


@st.composite
def _on_chip(draw: st.DrawFn, problem: TensorProblem, arch: ArchSpec) -> Mapping:
    """A random mapping in which every tensor starts from the outermost memory and is kept in another one too."""
    mapping = draw(strategies.mappings(problem, arch))
    inner = [index for index, node in enumerate(arch.nodes) if isinstance(node, Memory)][1:]
    assume(inner)
    kept = [set(names) for names in mapping.kept]
    for tensor in problem.tensors:
        kept[0].add(tensor.name)
        if not any(tensor.name in kept[index] for index in inner):
            kept[draw(st.sampled_from(inner))].add(tensor.name)
    return Mapping(mapping.loops, tuple(frozenset(names) for names in kept))


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), sliding=st.booleans(), inner=st.booleans())
def test_random_mappings_of_random_problems(data: st.DataObject, sliding: bool, inner: bool) -> None:
    problem = data.draw(strategies.sliding() if sliding else strategies.problems)
    assume(problem.macs <= strategies.MAX_MACS)
    arch = strategies.grid(inner) if sliding else data.draw(strategies.archs())
    mapping = data.draw(_on_chip(problem, arch))
    operands = _operands(problem)
    run = run_nest(problem, arch, mapping, operands)
    counts = evaluate(problem, arch, mapping, Convention.EXACT)
    for tensor in problem.tensors:
        access = counts.at("M0", tensor.name)
        assert access is not None
        assert run.words[tensor.name] == (access.reads, access.updates)
    assert run.macs == counts.macs
    assert torch.equal(run.result, _by_hand(problem, operands))


class _EveryProduct(nn.Module):
    """Convolutions in one and two dimensions, grouped, strided, transposed, and every kind of matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(4, 4, (1, 3), padding=(0, 1), groups=2, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.spread = nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1)
        self.line = nn.Conv1d(2, 3, 3, padding=2, dilation=2)
        self.rows = nn.Linear(5, 4)
        self.factor = nn.Parameter(torch.zeros(4, 3))
        self.shift = nn.Parameter(torch.zeros(3))

    def forward(self, images: Tensor) -> Tensor:
        maps = torch.relu(self.norm(self.grouped(self.plain(images))))
        maps = self.spread(maps).flatten(2)
        rows = self.rows(self.line(maps)[..., :5])
        mixed = rows @ rows.transpose(1, 2)
        return torch.addmm(self.shift, mixed.flatten(0, 1) @ rows[0], self.factor)


@functools.cache
def _program() -> ExecutableProgram:
    return prepare_exactly(_EveryProduct(), (InputSpec((2, 2, 5, 5)),), seed=3)


def _alone(program: ExecutableProgram, *retained: Retained) -> Schedule:
    names = [layer.name for layer in program.graph.layers if layer.kind is not LayerKind.VIEW]
    return Schedule("layerwise", tuple(Stack((name,), free=True) for name in names), retained)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), inner=st.booleans())
def test_every_layer_of_a_network_by_a_random_mapping(data: st.DataObject, inner: bool) -> None:
    program = _program()
    arch = strategies.grid(inner)
    problems = {layer.name: layer.problem for layer in program.graph.layers if layer.problem is not None}
    assert len(problems) == 8
    mapped = {
        name: LayerMapping(problem, arch, data.draw(_on_chip(problem, arch))) for name, problem in problems.items()
    }
    result = verify(program, _alone(program), mapped)
    assert sum(check.mapped for check in result.checks) == 8
    assert [check.differences for check in result.checks if check.differences] == []
    assert result.passed and result.exact_maps == result.compared_maps


def _line() -> tuple[ExecutableProgram, ArchSpec]:
    """A 3x1 convolution over a column of 6 pixels, 1 channel in and 2 out, on DRAM, buffer, multiplier."""
    program = prepare_exactly(nn.Conv2d(1, 2, (3, 1), bias=False), (InputSpec((1, 1, 6, 1)),))
    return program, ArchSpec("two", tuple(strategies.grid(False).nodes[i] for i in (0, 3, 5)), clock_hz=1e9)


def _mapping(program: ExecutableProgram, *loops: Loop) -> Mapping:
    names = frozenset({"weights", "ifmap", "ofmap"})
    return Mapping(loops, (names, names, frozenset()))


def _how(program: ExecutableProgram, arch: ArchSpec, mapping: Mapping) -> LayerMapping:
    problem = program.graph.layers[0].problem
    assert problem is not None
    return LayerMapping(problem, arch, mapping)


def test_words_of_a_sliding_window_by_hand() -> None:
    """K outside P: the window slides over 6 words for each of 2 output channels; psums never leave."""
    program, arch = _line()
    mapping = _mapping(program, Loop("K", 2, 0, 2), Loop("P", 4, 0, 4), Loop("R", 3, 1, 3))
    result = verify(program, _alone(program), {program.graph.layers[0].name: _how(program, arch, mapping)})
    (check,) = result.checks
    assert result.passed
    assert (check.loaded_words, check.weight_words, check.stored_words) == (2 * 6, 2 * 3, 2 * 4)


def test_partial_sums_spill_and_come_back_by_hand() -> None:
    """R outside P: every psum leaves three times and is read again twice; the ifmap slides three times over 4 words."""
    program, arch = _line()
    mapping = _mapping(program, Loop("R", 3, 0, 3), Loop("P", 4, 0, 4), Loop("K", 2, 1, 2))
    result = verify(program, _alone(program), {program.graph.layers[0].name: _how(program, arch, mapping)})
    (check,) = result.checks
    assert result.passed
    assert check.stored_words == 3 * 8
    assert check.loaded_words == 3 * 4 + 2 * 8


def test_retained_channels_of_a_mapped_layer() -> None:
    program, arch = _line()
    mapping = _mapping(program, Loop("R", 3, 0, 3), Loop("P", 4, 0, 4), Loop("K", 2, 1, 2))
    name = program.graph.layers[0].name
    result = verify(program, _alone(program, Retained(name, 1)), {name: _how(program, arch, mapping)})
    assert result.passed
    assert result.checks[0].stored_words == 3 * 4


def test_a_wrong_count_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from energysim.nn.executor import scheduled

    program, arch = _line()
    outside = _mapping(program, Loop("R", 3, 0, 3), Loop("P", 4, 0, 4), Loop("K", 2, 1, 2))
    inside = _mapping(program, Loop("K", 2, 0, 2), Loop("P", 4, 0, 4), Loop("R", 3, 1, 3))
    monkeypatch.setattr(scheduled, "evaluate", lambda problem, arch, mapping, how: evaluate(problem, arch, inside, how))
    result = verify(program, _alone(program), {program.graph.layers[0].name: _how(program, arch, outside)})
    assert result.outputs_equal and not result.passed


def test_a_tensor_without_on_chip_memory_is_refused() -> None:
    program, arch = _line()
    names = frozenset({"weights", "ifmap", "ofmap"})
    bypass = Mapping(
        (Loop("K", 2, 0, 2), Loop("P", 4, 0, 4), Loop("R", 3, 1, 3)), (names, names - {"ifmap"}, frozenset())
    )
    with pytest.raises(ExecutionError) as caught:
        verify(program, _alone(program), {program.graph.layers[0].name: _how(program, arch, bypass)})
    assert "ifmap goes from 'M0' straight to the compute unit" in str(caught.value)


def test_a_mapping_for_a_layer_inside_a_stack_is_refused() -> None:
    column, arch = _line()
    net = prepare_exactly(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)), (InputSpec((1, 1, 2, 2)),))
    mapping = _mapping(column, Loop("P", 4, 0, 4))
    with pytest.raises(ExecutionError) as caught:
        verify(net, Schedule("full", (Stack(("0", "1")),)), {"0": _how(column, arch, mapping)})
    assert "part of a stack" in str(caught.value)
