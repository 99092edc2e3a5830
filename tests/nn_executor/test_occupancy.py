"""What is on chip when: every schedule's picture stays within the memory, agrees with the plans, and can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import nets
import pytest
import torch
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.cli import cli
from energysim.errors import InfeasibleError
from energysim.graph.trace import trace
from energysim.report.occupancy import occupancy_text
from energysim.report.plots.occupancy import occupancy_figure
from energysim.schedule.homes import capacity_bytes, map_memory
from energysim.schedule.live import Content, live_at
from energysim.schedule.plan import plan_stack
from energysim.simulation import SimulationResult, simulate
from energysim.simulation.occupancy import Occupancy, occupancies

_VARIANTS = ("layerwise", "tiled", "buffered", "full")
_SVG = "{http://www.w3.org/2000/svg}"
_GRAPH = trace(nets.UNet(2), (torch.zeros(1, 3, 16, 16),))


def _peaks(item: Occupancy) -> list[int]:
    live = [placement.live for placement in item.allocation.placements]
    return [sum(entry.size_bytes for entry in live_at(live, step)) for step in range(len(item.steps))]


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_never_over_capacity_and_never_under_what_is_live(data: st.DataObject) -> None:
    tile, buffer = data.draw(st.integers(2, 9)), data.draw(st.integers(700, 3000))
    arch, variant = data.draw(st.sampled_from(("simple3", "meta_proto_df"))), data.draw(st.sampled_from(_VARIANTS))
    overlap = data.draw(st.sampled_from(("recompute", "cache_columns", "cache")))
    result = simulate(
        _GRAPH, arch, variant=variant, tile=(tile, tile), buffer_bytes=buffer, overlap=overlap, objective="dram"
    )
    _check(result)


def test_the_optimal_schedule_too() -> None:
    graph = trace(nets.Fsrcnn(), (torch.zeros(1, 1, 14, 12),))
    _check(simulate(graph, _small("simple3", 1200), variant="optimal", objective="dram"))


def _small(name: str, room_bytes: int) -> ArchSpec:
    arch = load_arch(name)
    home = map_memory(arch)
    assert home is not None
    smaller = replace(home, capacity_bits=room_bytes * 8)
    return replace(arch, nodes=tuple(smaller if node.name == home.name else node for node in arch.nodes))


def _check(result: SimulationResult) -> None:
    memories = {memory.name: memory for memory in result.arch.memories}
    drawn = occupancies(result)
    assert {item.variant for item in drawn} == {item.variant for item in result.variants}
    for item in drawn:
        room = capacity_bytes(memories[item.memory])
        assert room is not None
        assert max(_peaks(item)) == item.allocation.lower_bound_bytes <= item.allocation.used_bytes <= room


def test_a_stack_shows_its_plan_and_a_retained_map_lives_to_its_last_reader() -> None:
    result = simulate(_GRAPH, "simple3", variant="full", tile=(4, 4), buffer_bytes=12000, objective="dram")
    (schedule,), (item,) = result.schedules, occupancies(result)
    longest = max(schedule.stacks, key=lambda stack: len(stack.layers))
    assert len(longest.layers) > 3
    start = item.steps.index(longest.layers[0])
    need = plan_stack(result.graph, longest).need_bytes(16)
    assert max(_peaks(item)[start : start + len(longest.layers)]) == need
    result = simulate(_GRAPH, "simple3", variant="buffered", buffer_bytes=12000, objective="dram")
    (item,) = occupancies(result)
    kept = {p.live.name: p.live for p in item.allocation.placements if p.live.content is Content.MAP}
    assert set(kept) == {entry.edge for entry in result.schedules[0].retained} and kept
    for name, live in kept.items():
        readers = [item.steps.index(reader) for reader in result.graph.consumers[name]]
        assert (live.first, live.last) == (item.steps.index(result.graph.producers[name]), max(readers))


def test_the_picture_and_the_text() -> None:
    result = simulate(_GRAPH, "meta_proto_df", variant="buffered", buffer_bytes=3000, objective="dram")
    drawn = occupancies(result)
    assert [item.memory for item in drawn] == ["GB_A", "GB_W", "LB_W", "LB_IO"]
    for item, panel in zip(drawn, occupancy_figure(drawn, "").axes, strict=True):
        assert len(panel.patches) == sum(len(p.pieces) for p in item.allocation.placements)
    lines = occupancy_text(drawn, columns=20).splitlines()
    assert lines[0].startswith("buffered: GB_A, at most ") and "M map kept" in lines[1]
    bars = {line.split()[0]: line.split("|")[1] for line in lines if line.count("|") == 2}
    assert set(bars) == set(drawn[0].steps) and all(len(bar) == 20 for bar in bars.values())
    assert any("W" in line.split("|")[1] for line in lines if line.count("|") == 2)


def test_the_command_draws_to_a_file_or_the_terminal(tmp_path: Path) -> None:
    target = tmp_path / "buffer.svg"
    arguments = ["simulate", "lightweight_cnn", "--arch", "simple3", "--objective", "dram", "--input", "1x3x8x8"]
    runner = CliRunner()
    assert runner.invoke(cli, [*arguments, "--occupancy", str(target)]).exit_code == 0
    assert ElementTree.parse(target).getroot().tag == f"{_SVG}svg"
    shown = runner.invoke(cli, [*arguments, "--occupancy", "-"])
    assert shown.exit_code == 0 and "layerwise: GLB, at most" in shown.output
    for wrong in ("buffer.jpg", "-"):
        refused = runner.invoke(cli, [*arguments, "--json", "-", "--occupancy", wrong])
        assert refused.exit_code == 2 and "--occupancy" in refused.output


def test_a_device_that_keeps_no_feature_maps_says_so() -> None:
    result = simulate(_GRAPH, "gemmini", objective="dram")
    with pytest.raises(InfeasibleError, match="no on-chip memory that holds both"):
        occupancies(result)
