"""The Markdown of the comparisons: sums, errors and verdicts are those of the values handed in."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from energysim.report.chip_plots import eyeriss_figure
from energysim.report.chips import error, eyeriss_energy, eyeriss_traffic, markdown_table
from energysim.report.defines import defines_parts, defines_table, defines_verdict
from energysim.report.plots.save import save_figure
from energysim.report.plots.svg import inline_svg
from energysim.schedule.values import Overlap
from energysim.validation.chip_energy import fit_chip_energy
from energysim.validation.defines import PARTS, Cost, FusedPoint, their_parts
from energysim.validation.eyeriss import compare_eyeriss
from energysim.validation.published import DATA

ALEXNET = compare_eyeriss("alexnet")


def _point(side: int, overlap: Overlap, theirs_j: float, energy_j: float, remainders_j: float) -> FusedPoint:
    ours, remainders = (Cost(joules, 1.0, 1.0, {"DRAM": joules}) for joules in (energy_j, remainders_j))
    return FusedPoint((side, side), overlap, theirs_j, 1.0, 1.0, ours, remainders)


def test_error_is_signed_and_relative() -> None:
    assert error(1.1, 1.0) == "+10.0 %"
    assert error(0.5, 1.0) == "-50.0 %"


def test_the_last_row_is_the_sum() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in eyeriss_traffic(ALEXNET).splitlines()]
    assert rows[0][3] == "GLB MB measured"
    assert len({len(row) for row in rows}) == 1
    assert float(rows[-1][3]) == pytest.approx(sum(float(row[3]) for row in rows[2:-1]), abs=0.01)
    assert float(rows[-1][10]) == pytest.approx(sum(x.predicted.latency_s for x in ALEXNET) * 1e3, abs=0.06)


def test_left_out_errors_stand_beside_the_layers_that_were_fitted() -> None:
    fit = fit_chip_energy(ALEXNET)
    table = eyeriss_energy(ALEXNET, fit, fitted=True)
    for layer, left_out in zip(ALEXNET, fit.left_out, strict=True):
        (row,) = re.findall(rf"^\| {layer.measured.name} .*$", table, flags=re.MULTILINE)
        assert row.endswith(f"{100 * left_out:+.1f} % |")
    assert "left out" not in eyeriss_energy(ALEXNET, fit, fitted=False)


def test_verdict_names_the_best_tile_and_the_orders() -> None:
    cached = [_point(1, Overlap.CACHE, 3e-6, 9e-6, 5e-6), _point(4, Overlap.CACHE, 2e-6, 4e-6, 2e-6)]
    recomputed = [
        _point(1, Overlap.RECOMPUTE, 5e-6, 1e-5, 6e-6),
        _point(4, Overlap.RECOMPUTE, 6e-6, 5e-6, 7e-6),
        _point(9, Overlap.RECOMPUTE, 8e-6, 7e-6, 6.5e-6),
    ]
    verdict = defines_verdict([*cached, *recomputed])
    assert "`cache`: 4 x 4 is best there; ours the same order of all tiles; with remainders the same order" in verdict
    assert "`recompute`: 1 x 1 is best there; ours another best tile, in order 4 x 4, 9 x 9, 1 x 1" in verdict
    assert "with remainders the same best tile, in order 1 x 1, 9 x 9, 4 x 4" in verdict


def test_parts_stand_side_by_side_where_theirs_are_known() -> None:
    points = [_point(1, Overlap.CACHE, 3e-6, 9e-6, 5e-6), _point(4, Overlap.CACHE, 2e-6, 4e-6, 2e-6)]
    table = defines_parts(points, {((4, 4), Overlap.CACHE): {"DRAM": 1e-6}})
    assert table.splitlines()[0] == "| uJ of | 4 x 4 cache, theirs | ours |"
    assert table.splitlines()[-1] == "| DRAM | 1 | 2 |"
    assert "| +66.7 % |" in defines_table(points)


def test_their_parts_sum_to_their_energies() -> None:
    known = their_parts()
    assert len(known) >= 3
    with (DATA / "defines_fsrcnn.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for (tile, overlap), parts in known.items():
        assert set(parts) == set(PARTS) and tile is not None
        (row,) = [r for r in rows if (r["tile_height"], r["tile_width"], r["overlap"]) == (*map(str, tile), overlap)]
        assert sum(parts.values()) * 1e6 == pytest.approx(float(row["energy_uj"]), rel=1e-3)


def test_a_table_is_one_line_per_row() -> None:
    assert markdown_table(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---:|\n| 1 | 2 |"


def test_the_figure_carries_its_command_and_every_layer_its_numbers(tmp_path: Path) -> None:
    figure, fit = eyeriss_figure(ALEXNET, ALEXNET, fit_chip_energy(ALEXNET)), fit_chip_energy(ALEXNET)
    save_figure(figure, tmp_path / "chips.png", "energysim validate chips")
    written = (tmp_path / "chips.png").read_bytes()
    assert written.startswith(b"\x89PNG")
    assert b"energysim validate chips" in written
    told = re.findall(r"<title>([^<]+)</title>", inline_svg(figure))
    assert len(told) == 3 * 2 * len(ALEXNET)
    layer = ALEXNET[0]
    measured, predicted = layer.measured.energy_j, fit.energy_j(layer, layer.measured.total_s)
    assert (
        f"{layer.measured.name}, AlexNet: {predicted * 1e3:.4g} mJ, measured {measured * 1e3:.4g} mJ "
        f"({error(predicted, measured)})"
    ) in told
