"""The whole path: sums agree, nothing moves less than the floor, shared layers are mapped once."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

import energysim
from energysim.errors import EnergySimError, InfeasibleError
from energysim.simulation import SimulationResult


@pytest.fixture(scope="module")
def lightweight() -> SimulationResult:
    return energysim.simulate("lightweight_cnn", "a2")


def test_totals_equal_sums_over_layers_levels_and_tensors(lightweight: SimulationResult) -> None:
    cost = lightweight.variants[0]
    energy = cost.energy.value
    assert energy > 0
    assert math.isclose(energy, sum(layer.energy.value for layer in cost.layers))
    assert math.isclose(energy, sum(level.value for level in cost.energy_by_level.values()))
    assert math.isclose(energy, sum(part.value for part in cost.energy_by_tensor.values()))
    for layer in cost.layers:
        accesses = sum(level.energy_pj for level in layer.levels)
        rest = sum(share.energy.value for share in layer.shares if share.part in ("compute", "leakage"))
        assert math.isclose(layer.energy.value, accesses + rest)


def test_intervals_hold_the_nominal_energy(lightweight: SimulationResult) -> None:
    for layer in lightweight.variants[0].layers:
        assert 0 <= layer.energy.low <= layer.energy.value <= layer.energy.high


def test_traffic_is_at_least_the_floor_and_the_floor_is_weights_input_output(lightweight: SimulationResult) -> None:
    cost = lightweight.variants[0]
    # 257,456 weights (no biases), 3x32x32 input words, 100 output words, one byte each
    assert cost.dram_floor_bytes == 257_456 + 3 * 32 * 32 + 100
    assert cost.dram_bytes >= cost.dram_floor_bytes


def test_layerwise_traffic_of_the_lightweight_network_is_the_hand_count(lightweight: SimulationResult) -> None:
    """Every layer fits a2's buffer well enough that each tensor moves once: weights + every map written and read."""
    macs_only = [layer for layer in lightweight.variants[0].layers if layer.macs]
    moved = sum(layer.dram_read_bytes + layer.dram_write_bytes for layer in macs_only)
    # mission S1/S4, 8-bit words: 257,456 B of weights + 48,356 B of feature maps; conv4 and conv5 (73,728 and 147,456
    # weights) exceed the 64 KiB buffer, but their maps (8 KiB) do not
    assert moved == 257_456 + 48_356


def test_macs_and_parameters(lightweight: SimulationResult) -> None:
    cost = lightweight.variants[0]
    assert (cost.macs, cost.macs_executed, cost.params) == (15_753_728, 15_753_728, 258_292)


def test_json_has_the_schema_of_the_design(lightweight: SimulationResult) -> None:
    data = json.loads(lightweight.to_json())
    assert data["schema"] == 1 and data["energysim"] == energysim.__version__
    variant = data["variants"][0]
    assert set(variant["totals"]) >= {
        "macs", "macs_executed", "params", "energy_pj", "energy_low_pj", "energy_high_pj", "latency_s", "edp_js",
        "dram_read_bytes", "dram_write_bytes", "dram_floor_bytes",
    }  # fmt: skip
    totals = variant["totals"]
    assert totals["edp_low_js"] <= totals["edp_js"] <= totals["edp_high_js"]
    assert set(variant["energy_pj_by_tensor"]) >= {"weights", "ifmap", "ofmap", "psum", "compute"}
    layer = variant["layers"][0]
    assert {"name", "op", "macs", "params", "bottleneck", "utilization", "optimal", "mapping", "levels"} <= set(layer)
    assert {"level", "tensor", "reads", "fills", "updates", "energy_pj"} <= set(layer["levels"][0])


def test_pandas_has_one_row_per_layer(lightweight: SimulationResult) -> None:
    table = lightweight.to_pandas()
    assert len(table) == len(lightweight.variants[0].layers)
    assert math.isclose(table["energy_pj"].sum(), lightweight.variants[0].energy.value)


def test_more_bits_move_more_bytes() -> None:
    narrow = energysim.simulate("lightweight_cnn", "a2", bits=8).variants[0]
    wide = energysim.simulate("lightweight_cnn", "a2", bits=16).variants[0]
    assert wide.dram_floor_bytes == 2 * narrow.dram_floor_bytes
    assert wide.dram_bytes > narrow.dram_bytes


class _Twice(nn.Module):
    """One convolution used twice: two layers, one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(self.conv(x))  # type: ignore[no-any-return]


def test_shared_module_moves_its_weight_twice_but_counts_once_in_the_floor() -> None:
    cost = energysim.simulate(_Twice(), "a2", input="1x8x16x16").variants[0]
    assert len([layer for layer in cost.layers if layer.macs]) == 2
    weight, plane = 8 * 8 * 9, 8 * 16 * 16
    assert cost.dram_floor_bytes == weight + 2 * plane
    assert cost.dram_bytes == 2 * weight + 4 * plane


def test_objectives_trade_what_they_name() -> None:
    runs = {name: energysim.simulate(_Twice(), "simple3", input="1x8x16x16", objective=name).variants[0]
            for name in ("energy", "latency", "dram", "edp")}  # fmt: skip
    assert runs["energy"].energy.value == min(run.energy.value for run in runs.values())
    assert runs["latency"].latency_s == min(run.latency_s for run in runs.values())
    assert runs["dram"].dram_bytes == min(run.dram_bytes for run in runs.values())
    edp = {name: sum(x.energy.value * x.latency_s for x in run.layers) for name, run in runs.items()}
    assert edp["edp"] == pytest.approx(min(edp.values()))


def test_layer_too_large_for_the_memory_names_memory_tensor_and_bytes(tmp_path: Path) -> None:
    spec = tmp_path / "tiny.yaml"
    spec.write_text(
        """
version: 1
name: tiny
source: a test
clock: 1 GHz
word_bits: 8
nodes:
  - {memory: DRAM, kind: dram, keeps: [weights, ifmap, ofmap], capacity: 1 KiB, energy: {read: 8 pJ, write: 8 pJ}}
  - {memory: BUF, kind: sram, keeps: [weights, ifmap, ofmap], capacity: 64 B, energy: {read: 1 pJ, write: 1 pJ}}
  - {compute: MAC, kind: int, bits: 8, energy: {mac: 0.3 pJ}}
"""
    )
    with pytest.raises(InfeasibleError, match=r"(?s)conv.*DRAM.*1,?024"):
        energysim.simulate(_Twice(), spec, input="1x8x16x16")


def test_unknown_names_say_what_would_be_right() -> None:
    with pytest.raises(EnergySimError, match="jetson_nano"):
        energysim.simulate("lightweight_cnn", "jetson_nan")
    with pytest.raises(EnergySimError, match="lightweight_cnn"):
        energysim.simulate("lightweight_cn", "a2")
    with pytest.raises(EnergySimError, match="energy"):
        energysim.simulate("lightweight_cnn", "a2", objective="enrgy")
    with pytest.raises(EnergySimError, match="native"):
        energysim.simulate("lightweight_cnn", "a2", engine="nativ")
    with pytest.raises(EnergySimError, match="table"):
        energysim.simulate("lightweight_cnn", "a2", estimator="tabel")
