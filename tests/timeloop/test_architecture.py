"""Both spellings of an architecture are the same values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from energysim.arch.spec import ArchSpec, Array, Memory
from energysim.engines.timeloop import TimeloopInput

Read = Callable[..., TimeloopInput]


def _unplaced(arch: ArchSpec) -> ArchSpec:
    return dataclasses.replace(arch, source="", sha256="")


@pytest.mark.parametrize("name", ["rowstationary", "grid", "split", "flat"])
@pytest.mark.parametrize("problem", [(), ("conv_problem",)])
def test_nodes_and_tree_are_the_same_architecture(read: Read, name: str, problem: tuple[str, ...]) -> None:
    nodes, tree = read(f"{name}_nodes", *problem), read(f"{name}_tree", *problem)
    assert _unplaced(nodes.arch) == _unplaced(tree.arch)
    assert nodes.warnings == tree.warnings == ()


def test_row_stationary_array(read: Read) -> None:
    arch = read("rowstationary_nodes", "conv_problem").arch
    assert [node.name for node in arch.nodes] == [
        "MainMemory", "Buffer", "inter_Column_spatial", "inter_Row_spatial", "InputPad", "WeightPad", "SumPad",
        "Multiplier",
    ]  # fmt: skip
    assert (arch.name, arch.clock_hz, arch.technology_nm, arch.default_bits) == ("chip", 1e9, 45.0, 8)
    assert [arch.instances(index) for index in range(8)] == [1, 1, 1, 14, 168, 168, 168, 168]
    dram, buffer, inputs, weights, sums = arch.memories
    assert (dram.kind, dram.technology, dram.capacity_bits) == ("dram", "LPDDR4", None)
    assert (buffer.kind, buffer.capacity_bits, buffer.access_bits, buffer.banks) == ("sram", 16384 * 64, 64, 32)
    assert (buffer.read_bandwidth, buffer.write_bandwidth) == (16 * 8, 16 * 8)
    assert (inputs.kind, sums.word_bits, sums.read_bandwidth) == ("regfile", 16, 32)
    assert (buffer.keep, buffer.may_bypass) == ({"Inputs", "Outputs"}, frozenset())
    assert (inputs.keep, weights.keep, sums.keep) == ({"Inputs"}, {"Weights"}, {"Outputs"})
    assert dram.keep == {"Weights", "Inputs", "Outputs"}


def test_constraints_of_the_row_stationary_array(read: Read) -> None:
    arch = read("rowstationary_tree", "conv_problem").arch
    column, row = (node for node in arch.nodes if isinstance(node, Array))
    assert (column.x, column.y, row.x, row.y) == (14, 1, 1, 12)
    assert (column.constraints.x_dims, column.constraints.y_dims) == (None, frozenset())
    assert (row.constraints.x_dims, row.constraints.y_dims) == (frozenset(), None)
    assert dict(column.constraints.fixed) == dict.fromkeys("NCPRS", 1)
    weights = arch.memories[3]
    assert weights.constraints.innermost == ("N", "M", "P", "Q", "S", "C", "R")
    assert dict(weights.constraints.fixed) == dict.fromkeys("NMPQS", 1)


def test_unconstrained_memory_is_free_except_the_outermost(read: Read) -> None:
    dram, glb, rf = read("grid_nodes", "conv_problem").arch.memories
    everything = {"Weights", "Inputs", "Outputs"}
    assert (dram.keep, dram.may_bypass) == (everything, frozenset())
    assert glb.may_bypass == rf.may_bypass == everything
    assert glb.keep == rf.keep == frozenset()


def test_without_a_problem_roles_take_the_place_of_names(read: Read) -> None:
    arch = read("rowstationary_nodes").arch
    assert arch.memories[1].keep == {"ifmap", "ofmap"}
    assert read("grid_nodes").arch.memories[1].may_bypass == {"weights", "ifmap", "ofmap"}


def test_psum_width_and_finite_bandwidths(read: Read) -> None:
    arch = read("split_tree", "conv_problem").arch
    dram, _, _, _, sums = arch.memories
    assert dram.shared_bandwidth == 64
    assert (sums.word_bits, sums.capacity_bits, sums.write_bandwidth) == (16, 32 * 16, 32)


def _memory(read_text: Read, attributes: str) -> Memory:
    text = f"""
architecture:
  nodes:
  - !Component {{name: Far, class: DRAM, attributes: {{width: 64, datawidth: 8, global_cycle_seconds: 1e-9}}}}
  - !Component {{name: Near, class: SRAM, attributes: {{{attributes}}}}}
  - !Component {{name: Unit, class: fpmac, attributes: {{datawidth: 8}}}}
variables: {{words: 32, twice: words * 2}}
"""
    return read_text(text).arch.memories[1]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("depth: 64, width: 32, datawidth: 8", (2048, 8, 32)),
        ("depth: 64, block_size: 4, datawidth: 8", (2048, 8, 32)),
        ("depth: 64, width: 32, datawidth: 8, cluster_size: 2", (1024, 8, 16)),
        ("depth: 64, width: 32, datawidth: 8, block_size: 2, cluster_size: 2", (1024, 8, 16)),
        ("entries: 100, word-bits: 8", (800, 8, 8)),
        ("sizeKB: 2, word_bits: 8, block-size: 4", (2 * 1024 * 8, 8, 32)),
        ("depth: twice, width: 'max(words, 16)', datawidth: 2**3", (2048, 8, 32)),
        ("width: 16", (None, 16, 16)),
    ],
)
def test_sizes_in_every_spelling(read_text: Read, attributes: str, expected: tuple[int | None, int, int]) -> None:
    memory = _memory(read_text, attributes)
    assert (memory.capacity_bits, memory.word_bits, memory.access_bits) == expected


def test_other_attributes(read_text: Read) -> None:
    memory = _memory(
        read_text, "depth: 8, width: 8, datawidth: 8, multiple_buffering: 2, min_utilization: 0, bandwidth: 4"
    )
    assert memory.multiple_buffering == 2.0
    assert (memory.read_bandwidth, memory.write_bandwidth) == (16, 16)


def test_unknown_attribute_is_a_warning_with_a_hint(read_text: Read) -> None:
    read = read_text(
        """
architecture:
  nodes:
  - !Component {name: Far, class: DRAM, attributes: {width: 64, datawidth: 8, global_cycle_seconds: 1e-9}}
  - !Component
    name: Near
    class: SRAM
    attributes:
      depth: 64
      width: 8
      datawidth: 8
      read_bandwith: 4
  - !Component {name: Unit, class: intmac, attributes: {datawidth: 8}}
"""
    )
    (warning,) = read.warnings
    assert "in.yaml:12: " in warning and "'read_bandwidth'" in warning


def test_missing_clock_is_said(read_text: Read) -> None:
    read = read_text(
        """
architecture:
  nodes:
  - !Component {name: Far, class: DRAM, attributes: {width: 64, datawidth: 8}}
  - !Component {name: Unit, class: fpmac, attributes: {datawidth: 8}}
"""
    )
    assert read.arch.clock_hz == 1e9
    assert read.arch.compute.kind == "float"
    assert any("1 GHz" in warning for warning in read.warnings)


def test_fan_out_on_a_component_and_a_disabled_level(read_text: Read) -> None:
    arch = read_text(
        """
architecture:
  nodes:
  - !Component {name: Far, class: DRAM, attributes: {width: 64, datawidth: 8, global_cycle_seconds: 2e-9}}
  - !Component {name: Off, class: SRAM, enabled: false, attributes: {depth: 1, width: 8, datawidth: 8}}
  - !Component {name: Near, class: regfile, spatial: {meshX: 3, meshY: 5}, attributes: {depth: 4, datawidth: 8}}
  - !Component {name: Unit, class: intmac, spatial: {meshX: 2}, attributes: {datawidth: 8}}
"""
    ).arch
    assert [node.name for node in arch.nodes] == ["Far", "inter_Near_spatial", "Near", "inter_Unit_spatial", "Unit"]
    assert arch.instances(4) == 30
    assert arch.clock_hz == 5e8


def test_energies_come_from_the_ert(read: Read) -> None:
    read_ = read("grid_nodes", "conv_problem", "grid_ert")
    glb = read_.arch.memories[1]
    assert glb.read_energy is not None and glb.write_energy is not None and glb.update_energy is not None
    assert (glb.read_energy.pj.value, glb.read_energy.bits) == (32.3778, 64)
    assert glb.write_energy.pj.value == glb.update_energy.pj.value == 26.1569
    assert glb.leakage_w is not None
    assert glb.leakage_w.value == pytest.approx(0.00535305e-12 * 1e9)
    assert read_.arch.compute.mac_energy is not None
    assert read_.arch.compute.mac_energy.pj.value == 4.14366
    assert read_.art == {"GLB": 429832.0}
    assert read_.ert["RF"]["read"] == 1.41474
    assert read("grid_nodes").arch.memories[1].read_energy is None


def test_ert_without_a_table_for_a_level_is_said(read_text: Read) -> None:
    ert = "ERT: {tables: [{name: 'x.GLBB[1..1]', actions: [{name: read, energy: 1}]}]}"
    read = read_text(ert, after=("grid_nodes",))
    assert any("no table for 'GLB'" in warning and "'GLBB'" in warning for warning in read.warnings)
