"""MACs and DRAM words of FSRCNN run depth-first, 960x540 ofmap, 8-bit: the independent closed form's numbers.

fused_fsrcnn.csv holds what an independent closed form gives for tile sizes and overlap modes of DeFiNES' case study.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from schedule_nets import graph_of
from torch import nn

from energysim.schedule.moments import need_bytes
from energysim.schedule.plan import plan_stack
from energysim.schedule.values import Overlap, Stack
from energysim.schedule.variants import make_schedule

# ifmap channels, ofmap channels, kernel; valid convolutions
LAYERS = [(1, 56, 5), (56, 12, 1), *[(12, 12, 3)] * 4, (12, 56, 1), (56, 16, 3)]
MARGIN = sum(kernel - 1 for *_, kernel in LAYERS)
GRAPH = graph_of(
    nn.Sequential(*(nn.Conv2d(c, k, kernel, bias=False) for c, k, kernel in LAYERS)), (540 + MARGIN, 960 + MARGIN), 1
)
ROWS = list(csv.DictReader((Path(__file__).parent / "fused_fsrcnn.csv").open()))


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r['overlap']}-{r['tile_width']}x{r['tile_height']}")
def test_macs_and_dram_words_equal_the_closed_form(row: dict[str, str]) -> None:
    tile = int(row["tile_height"]), int(row["tile_width"])
    plan = plan_stack(GRAPH, Stack(tuple(layer.name for layer in GRAPH.layers), tile, Overlap(row["overlap"])))
    assert (plan.macs_executed, plan.dram_words) == (int(row["macs"]), int(row["dram_words"]))
    # It is what the variant `full` does with the 1 MiB of meta_proto_df.
    schedule = make_schedule(GRAPH, "full", tile=tile, overlap=Overlap(row["overlap"]), capacity_bytes=1 << 20)
    assert schedule.stacks == (plan.stack,)


def test_the_widest_tile_has_inherited_nothing_and_so_fits_in_one_mebibyte() -> None:
    plan = plan_stack(GRAPH, Stack(tuple(layer.name for layer in GRAPH.layers), (540, 16), Overlap.CACHE))
    # The second layer (1x1) runs in the first tile; five 3x3 layers follow.
    rows, columns = 540 + 2 * 5, 16 + 2 * 5
    live = rows * columns * (56 + 12) + (rows + 4) * 4  # its ifmap and ofmap, the network input's last 4 columns
    weights = sum(c * k * kernel**2 for c, k, kernel in LAYERS)
    assert need_bytes(plan, 8) == live + weights < 1 << 20 < plan.need_bytes(8)
