"""What a simulation costs is what execution moves: layer by layer, for every variant, on devices of any buffer size."""

from __future__ import annotations

import functools
from dataclasses import replace

import nets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.energy import estimate
from energysim.engines.registry import get_engine
from energysim.errors import InfeasibleError
from energysim.inputs import InputSpec
from energysim.mapping.counts import Convention
from energysim.mapping.search import Objective
from energysim.nn.executor.mapped_layer import LayerMapping
from energysim.nn.executor.mapped_tiles import TileMappings
from energysim.nn.executor.program import ExecutableProgram, ExecutionError
from energysim.nn.executor.verify import prepare_exactly, verify
from energysim.schedule.homes import map_memory
from energysim.schedule.values import Overlap, Schedule, Stack
from energysim.simulation import stacks
from energysim.simulation.proof import mappings_of, prove
from energysim.simulation.setting import Setting
from energysim.simulation.variants import Request, run_variants

_NETWORKS = {"oddities": (nets.Oddities, (1, 4, 16, 17)), "borders": (nets.Borders, (1, 3, 11, 9))}
# Weights with a home of their own, with one beside the feature maps, and streaming past them.
_ARCHS = ("meta_proto_df", "simple3", "eyeriss")
_TILED = Request.checked("tiled", (3, 5), None, None, Overlap.RECOMPUTE)


@functools.cache
def _program(name: str) -> ExecutableProgram:
    make, shape = _NETWORKS[name]
    return prepare_exactly(make(), (InputSpec(shape),))


def _device(name: str, room_bytes: int | None) -> ArchSpec:
    """The device with so small a feature-map buffer that schedules differ."""
    arch = load_arch(name)
    home = map_memory(arch)
    if room_bytes is None or home is None:
        return arch
    smaller = replace(home, capacity_bits=room_bytes * 8)
    return replace(arch, nodes=tuple(smaller if node.name == home.name else node for node in arch.nodes))


def _setting(arch: ArchSpec, objective: str = "dram") -> Setting:
    energies, engine = estimate(arch), get_engine("native")
    return Setting(arch, energies, engine, Objective.parse(objective), Convention.EXACT, arch.default_bits, 1.0)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_variant_moves_what_its_layers_are_costed_with(data: st.DataObject) -> None:
    program = _program(data.draw(st.sampled_from(sorted(_NETWORKS))))
    arch = _device(data.draw(st.sampled_from(_ARCHS)), data.draw(st.integers(1000, 6000)))
    tile = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    buffer = data.draw(st.integers(200, 1000))
    overlap, objective = data.draw(st.sampled_from(Overlap)), data.draw(st.sampled_from(("dram", "energy")))
    try:
        results = prove(program, _setting(arch, objective), Request.checked("all", tile, buffer, None, overlap))
    except InfeasibleError:  # so small a buffer that a layer fits in no way
        return
    assert {result.variant for result in results} >= {"plain", "layerwise", "tiled", "optimal"}
    for result in results:
        assert [line for check in result.checks for line in check.differences] == []
        assert result.passed


@pytest.mark.parametrize("name", ["eyeriss", "gemmini"])
def test_tiles_that_are_mapped_one_by_one(name: str) -> None:
    """Eyeriss' weights stream past the stack; on gemmini no feature map stays, so each tile goes from DRAM to DRAM."""
    program, setting = _program("oddities"), _setting(load_arch(name))
    (item,) = run_variants(
        program.graph, setting, Request.checked("tiled", (3, 5), None, None, Overlap.RECOMPUTE), None
    )
    mapped = mappings_of(program.graph, item.schedule, setting)
    tiles = [how for how in mapped.values() if isinstance(how, TileMappings)]
    assert any(how.mappings for how in tiles) and all((how.outermost > 0) == (name == "eyeriss") for how in tiles)
    (result,) = prove(program, setting, _TILED)
    assert result.passed and result.outputs_equal


def test_tiles_that_no_ifmap_pixel_reaches_are_stored_too() -> None:
    """A transposed convolution leaves ofmap pixels without any MAC: each is a word of DRAM all the same."""
    request = Request.checked("tiled", (1, 1), None, None, Overlap.RECOMPUTE)
    (result,) = prove(_program("borders"), _setting(_device("simple3", 1000), "dram"), request)
    assert result.passed, [line for check in result.checks for line in check.differences]


def test_tiles_that_see_nothing_but_padding() -> None:
    program = prepare_exactly(nn.Conv2d(2, 3, 1, padding=2), (InputSpec((1, 2, 3, 3)),))
    request = Request.checked("tiled", (2, 2), None, None, Overlap.RECOMPUTE)
    (result,) = prove(program, _setting(load_arch("gemmini"), "dram"), request)
    assert result.passed, [line for check in result.checks for line in check.differences]


def test_a_cost_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "_stream_parameters", lambda *_: None)
    (result,) = prove(_program("oddities"), _setting(load_arch("eyeriss")), _TILED)
    assert result.outputs_equal and not result.passed
    (line,) = [line for check in result.checks for line in check.differences]
    assert "layer add.1: words of weights:" in line and "0 costed" in line


def test_a_tile_without_its_mapping_is_refused() -> None:
    program, setting = _program("oddities"), _setting(load_arch("gemmini"))
    (item,) = run_variants(
        program.graph, setting, Request.checked("tiled", (3, 5), None, None, Overlap.RECOMPUTE), None
    )
    mapped = mappings_of(program.graph, item.schedule, setting)
    name, how = next((name, how) for name, how in mapped.items() if isinstance(how, TileMappings) and how.mappings)
    first = next(iter(how.mappings))
    mapped[name] = replace(how, mappings={first: how.mappings[first]})
    with pytest.raises(ExecutionError, match=f"a tile of layer '{name}' is a problem that no mapping"):
        verify(program, item.schedule, mapped)


def test_a_mapped_layer_is_no_part_of_a_stack() -> None:
    program, setting = _program("borders"), _setting(load_arch("simple3"))
    (item,) = run_variants(program.graph, setting, Request.checked("layerwise", None, None, None, Overlap.CACHE), None)
    mapped = mappings_of(program.graph, item.schedule, setting)
    assert all(isinstance(how, LayerMapping) for how in mapped.values())
    names = [layer for stack in item.schedule.stacks for layer in stack.layers]
    joined = Schedule("full", (Stack(tuple(names[:2])), *item.schedule.stacks[2:]))
    with pytest.raises(ExecutionError, match="has a mapping of its own and is part of a stack"):
        verify(program, joined, mapped)
