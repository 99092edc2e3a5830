"""Variants end to end: invariants that hold on every device, and published or hand-made numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import nn

import energysim
from energysim.errors import EnergySimError, InfeasibleError
from energysim.graph.layers import LayerGraph
from energysim.workload import resolve_workload

FSRCNN_ROWS = [
    row
    for row in csv.DictReader((Path(__file__).parent.parent / "schedule" / "fused_fsrcnn.csv").open())
    if (row["overlap"], row["tile_width"], row["tile_height"])
    in {
        ("cache", "4", "4"),
        ("cache_columns", "16", "18"),
        ("recompute", "16", "18"),
        ("cache", "16", "540"),
        ("cache", "60", "4"),
    }
]


@pytest.fixture(scope="module")
def fsrcnn() -> LayerGraph:
    return resolve_workload("fsrcnn").trace()


def test_the_chosen_rows_exist() -> None:
    assert len(FSRCNN_ROWS) >= 3


@pytest.mark.parametrize("row", FSRCNN_ROWS, ids=lambda r: f"{r['overlap']}-{r['tile_width']}x{r['tile_height']}")
def test_fused_fsrcnn_executes_and_moves_what_the_closed_form_says(fsrcnn: LayerGraph, row: dict[str, str]) -> None:
    tile = int(row["tile_height"]), int(row["tile_width"])
    result = energysim.simulate(fsrcnn, "meta_proto_df", variant="full", tile=tile, overlap=row["overlap"], bits=8)
    cost = result.variants[0]
    assert cost.macs_executed == int(row["macs"])
    assert cost.dram_bytes == int(row["dram_words"])
    assert len({layer.stack for layer in cost.layers}) == 1


class Pair(nn.Module):
    """Two valid 3x3 convolutions, 8-8-8 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(8, 8, 3, bias=False)
        self.second = nn.Conv2d(8, 8, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))  # type: ignore[no-any-return]


def test_line_buffered_pair_moves_every_word_once_within_2064_bytes() -> None:
    cost = energysim.simulate(
        Pair(), "a2", input="1x8x20x20", variant="full", tile=(1, 1), overlap="cache", buffer_bytes=2064
    ).variants[0]
    assert len({layer.stack for layer in cost.layers}) == 1
    assert cost.dram_bytes == 20 * 20 * 8 + 16 * 16 * 8 + 2 * 8 * 8 * 9 == 6400
    assert cost.macs_executed == cost.macs


@pytest.mark.parametrize("arch", ["a2", "meta_proto_df", "jetson_nano", "eyeriss"])
def test_every_variant_of_the_lightweight_network(arch: str) -> None:
    result = energysim.simulate("lightweight_cnn", arch, variant="all", tile=(8, 8), time_limit_s=20)
    costs = {cost.variant: cost for cost in result.variants}
    assert set(costs) >= {"plain", "layerwise", "tiled", "buffered", "full"}
    for cost in costs.values():
        assert cost.dram_bytes >= cost.dram_floor_bytes - 0.5
        assert cost.macs_executed >= cost.macs == 15_753_728
        assert cost.energy.value > 0 and cost.latency_s > 0
    assert costs["layerwise"].energy.value <= costs["plain"].energy.value * (1 + 1e-9)
    assert costs["buffered"].dram_bytes <= costs["layerwise"].dram_bytes


def test_a_larger_buffer_never_moves_more() -> None:
    moved = [
        energysim.simulate("lightweight_cnn", "a2", variant="buffered", buffer_bytes=size).variants[0].dram_bytes
        for size in (256, 1024, 4096, 16384)
    ]
    assert moved == sorted(moved, reverse=True)
    assert moved[-1] < moved[0]


@pytest.mark.parametrize("tile", [4, "4", "4x4", (4, 4), [4, 4]])
def test_a_tile_is_a_number_a_text_or_a_pair(tile: object) -> None:
    result = energysim.simulate("lightweight_cnn", "a2", variant="tiled", tile=tile, objective="dram")  # type: ignore[arg-type]
    assert result.variants[0].tile == (4, 4)


def test_words_are_as_wide_as_the_memories_keep_them() -> None:
    """On simple3 a word takes 16 bits, whatever it holds: with 8 a stack would seem to fit in half of its room."""
    with pytest.raises(EnergySimError, match=r"'simple3' keeps words of 16 bits in 'DRAM'.*'full'.*words of 8"):
        energysim.simulate("lightweight_cnn", "simple3", variant="full", bits=8)
    assert energysim.simulate("lightweight_cnn", "simple3", bits=16, objective="dram").bits == 16


def test_a_device_without_a_feature_map_buffer_says_so() -> None:
    with pytest.raises(InfeasibleError, match="ifmaps and ofmaps"):
        energysim.simulate("lightweight_cnn", "gemmini", variant="full", tile=(8, 8))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variant": "tilde"}, "tiled"),
        ({"variant": "tiled"}, "tile"),
        ({"variant": "buffered"}, "buffer"),
        ({"variant": "buffered", "buffer_bytes": 1 << 30}, "1,073,741,824"),
        ({"variant": "full", "buffer_bytes": 1, "buffer_channels": 1}, "one of the two"),
        ({"variant": "buffered", "buffer_bytes": "1 KiB"}, "buffer in bytes"),
        ({"variant": "buffered", "buffer_channels": 2.5}, "buffer in channels"),
        ({"variant": "tiled", "tile": 0}, "0 is no tile"),
        ({"variant": "tiled", "tile": (4, 0)}, "0 is no number of columns"),
        ({"variant": "tiled", "tile": (4, 4, 4)}, "no tile"),
        ({"variant": "full", "overlap": "cash"}, "did you mean 'cache'"),
        ({"convention": "exactly"}, "did you mean 'exact'"),
        ({"bits": 0}, "0 is no word width"),
        ({"bits": 8.5}, "8.5 is no word width"),
        ({"batch": 2.5}, "batch of 2.5"),
        ({"time_limit_s": -1}, "time limit of -1"),
    ],
)
def test_bad_requests_say_what_is_missing(options: dict[str, object], words: str) -> None:
    with pytest.raises(EnergySimError, match=words):
        energysim.simulate("lightweight_cnn", "a2", **options)  # type: ignore[arg-type]
