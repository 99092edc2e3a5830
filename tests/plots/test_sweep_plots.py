"""Figures of sweeps show the points' own numbers; a front is what brute force finds."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from energysim.errors import EnergySimError
from energysim.report.plots.ablation import ablation
from energysim.report.plots.growth import growth
from energysim.report.plots.heatmap import heatmap
from energysim.report.plots.pareto import front, pareto
from energysim.report.plots.points import METRICS, metric_of, ordered, points_of, swept
from energysim.report.plots.style import luminance


def _row(variant: str, tile: int | None, buffer: int | None, **more: Any) -> dict[str, Any]:
    dram = 1000.0 + 10 * (tile or 0) - (buffer or 0) / 64
    return {
        "workload": "net", "arch": "chip", "variant": variant, "tile_rows": tile, "tile_columns": tile,
        "buffer_bytes": buffer, "buffer_channels": None, "batch": 1, "bits": 8, "status": "ok",
        "energy_pj": 2e6 + dram, "energy_low_pj": 1e6 + dram, "energy_high_pj": 4e6 + dram, "latency_s": 1e-3 / dram,
        "latency_low_s": 0.9e-3 / dram, "latency_high_s": 2e-3 / dram, "edp_js": 1e-9, "dram_read_bytes": dram - 100,
        "dram_write_bytes": 100.0, "dram_floor_bytes": 600.0, "macs_executed": 10**6, "accuracy": None, **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rows = [_row("full", tile, buffer) for tile, buffer in product((4, 8, 16), (16384, 32768))]
    rows += [_row("layerwise", None, None), {**_row("full", 32, 16384), "status": "failed", "energy_pj": None}]
    return pd.DataFrame(rows).astype({"tile_rows": "Int64", "tile_columns": "Int64", "buffer_bytes": "Int64"})


def _cells(figure: Figure) -> dict[tuple[float, float], tuple[float, Any]]:
    axes = figure.axes[0]
    texts = {(text.get_position()): float(text.get_text()) for text in axes.texts}
    patches = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return {
        (p.get_x() + 0.5, p.get_y() + 0.5): (texts[p.get_x() + 0.5, p.get_y() + 0.5], p.get_facecolor())
        for p in patches
    }


def test_cells_hold_the_points_and_darker_is_more(frame: pd.DataFrame) -> None:
    figure = heatmap(frame, "dram")
    cells = _cells(figure)
    tiles, buffers = (4, 8, 16), (16384, 32768)
    assert len(cells) == 6
    for (column, line), (value, _) in cells.items():
        row = _row("full", tiles[int(line)], buffers[int(column)])
        assert value == pytest.approx((row["dram_read_bytes"] + 100) / 1, rel=0.01)
    by_value = sorted(cells.values(), key=lambda cell: cell[0])
    shades = [luminance(colour[:3]) for _, colour in by_value]
    assert shades == sorted(shades, reverse=True)
    assert figure.axes[0].get_xlabel() == "buffer" and figure.axes[0].get_ylabel() == "tile"
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["4x4", "8x8", "16x16"]
    assert figure.get_suptitle() == "net on chip: DRAM traffic"


def test_of_several_points_in_a_cell_the_best_counts(frame: pd.DataFrame) -> None:
    worse = frame.assign(energy_pj=frame["energy_pj"] * 2, overlap="recompute")
    both = pd.concat([frame.assign(overlap="cache"), worse], ignore_index=True)
    assert {at: v for at, (v, _) in _cells(heatmap(both)).items()} == {
        at: v for at, (v, _) in _cells(heatmap(frame)).items()
    }
    gids = [str(patch.get_gid()) for patch in heatmap(both).axes[0].patches]
    assert all("the best of 2" in gid for gid in gids)


def test_lines_go_through_the_points(frame: pd.DataFrame) -> None:
    axes = growth(frame, "energy", "tile").axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) > 1]  # type: ignore[arg-type]
    assert {str(line.get_label()) for line in lines} == {"16 KiB", "32 KiB"}
    for line in lines:
        buffer = 16384 if line.get_label() == "16 KiB" else 32768
        expected = [_row("full", tile, buffer)["energy_pj"] / 1e6 for tile in (4, 8, 16)]
        assert np.allclose(np.asarray(line.get_ydata(), dtype=float), expected)
        assert list(line.get_xdata()) == [16.0, 64.0, 256.0]  # type: ignore[arg-type]  # words of a tile
    assert axes.get_ylabel() == "energy (uJ)"


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25))
def test_the_front_is_what_no_point_beats(values: list[tuple[int, int]]) -> None:
    points = pd.DataFrame({"energy_pj": [a for a, _ in values], "accuracy": [b for _, b in values]}, dtype=float)
    found = front(points, METRICS["energy"], METRICS["accuracy"])
    expected = {
        at for at, (a, b) in enumerate(values) if not any(c <= a and d >= b and (c < a or d > b) for c, d in values)
    }
    assert set(found) == expected
    assert [values[at][0] for at in found] == sorted(values[at][0] for at in found)


def test_a_pareto_figure_joins_the_front(frame: pd.DataFrame) -> None:
    axes = pareto(frame).axes[0]
    (line,) = [line for line in axes.lines if line.get_label() == "Pareto front"]
    best = points_of(frame).sort_values("energy_pj")
    kept = best[best["latency_s"].cummin() == best["latency_s"]]
    assert np.allclose(np.asarray(line.get_xdata(), dtype=float), kept["energy_pj"] / 1e6)
    with pytest.raises(EnergySimError, match="no point of the sweep has a value of accuracy"):
        pareto(frame, "energy", "accuracy")


def test_an_ablation_has_a_row_per_point_by_variant_and_size(frame: pd.DataFrame) -> None:
    figure = ablation(frame)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels[:3] == ["layerwise", "full, 4x4, 16 KiB", "full, 4x4, 32 KiB"] and len(labels) == 7
    headings = [axes.get_xlabel() for axes in figure.axes]
    assert headings == ["DRAM traffic (B), | the floor", "energy (uJ)", "latency (us)"]
    bars = [patch.get_width() for patch in figure.axes[1].patches]  # type: ignore[attr-defined]
    assert bars[0] == pytest.approx(_row("layerwise", None, None)["energy_pj"] / 1e6)
    floors = [line.get_xdata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 2]  # type: ignore[index,arg-type]
    assert floors == pytest.approx([600] * 7)


def test_what_was_not_swept_or_does_not_exist_is_one_clear_error(frame: pd.DataFrame) -> None:
    with pytest.raises(EnergySimError, match=r"no metric 'enrgy' \(did you mean 'energy'"):
        metric_of("enrgy")
    with pytest.raises(EnergySimError, match=r"no different values of 'batch' \(swept: variant, tile, buffer\)"):
        growth(frame, "energy", "batch")
    with pytest.raises(EnergySimError, match="no point of the sweep has a"):
        heatmap(frame.assign(status="failed"))


def test_parameters_of_devices_are_swept_too() -> None:
    rows = [_row("layerwise", None, None, **{"arch.GLB.capacity": size}) for size in ("128 KiB", "64 KiB")]
    points = points_of(pd.DataFrame(rows))
    assert swept(points) == ["arch.GLB.capacity"]
    assert ordered(points["arch.GLB.capacity"]) == ["64 KiB", "128 KiB"]
    axes = growth(pd.DataFrame(rows), "dram", "arch.GLB.capacity").axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["64 KiB", "128 KiB"]
