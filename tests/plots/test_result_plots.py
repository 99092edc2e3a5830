"""What is drawn is what the result says: heights, positions and whiskers read back from the artists."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from energysim.errors import EnergySimError
from energysim.report.plots.energy import energy, layer_energy
from energysim.report.plots.occupancy import occupancy_figure
from energysim.report.plots.roofline import points, roofline, roofs
from energysim.report.plots.rows import layer_rows
from energysim.report.plots.sensitivity import tornado
from energysim.report.plots.style import luminance
from energysim.report.plots.traffic import traffic
from energysim.schedule.allocator import allocate
from energysim.schedule.live import Content, LiveRange
from energysim.sensitivity import explain, with_device
from energysim.simulation import StoredResult
from energysim.simulation.occupancy import Occupancy
from energysim.units import bytes_unit, energy_unit, time_unit


def _bars(figure: Figure, panel: int = 0) -> dict[str, BarContainer]:
    found = [item for item in figure.axes[panel].containers if isinstance(item, BarContainer)]
    return {str(item.get_label()): item for item in found}


def test_bars_of_variants_have_the_energies_by_level_and_by_tensor(stored: StoredResult) -> None:
    figure = energy([stored])
    _, one = energy_unit(max(variant.energy.value for variant in stored.variants))
    for panel, split in ((0, "energy_by_level"), (1, "energy_by_tensor")):
        for name, drawn in _bars(figure, panel).items():
            expected = [getattr(variant, split)[name].value / one for variant in stored.variants]
            assert [bar.get_height() for bar in drawn] == pytest.approx(expected)
    tops = [bar.get_y() + bar.get_height() for bar in list(_bars(figure).values())[-1]]
    assert tops == pytest.approx([variant.energy.value / one for variant in stored.variants])


def test_whiskers_go_from_low_to_high(stored: StoredResult) -> None:
    figure = energy([stored])
    _, one = energy_unit(max(variant.energy.value for variant in stored.variants))
    (lines,) = [item for item in figure.axes[0].collections if isinstance(item, LineCollection)]
    ends = [segment[:, 1] for segment in lines.get_segments()]
    assert np.allclose(ends, [(v.energy.low / one, v.energy.high / one) for v in stored.variants])


def test_results_of_several_workloads_say_whose_they_are(stored: StoredResult, other: StoredResult) -> None:
    labels = [text.get_text() for text in energy([stored, other]).axes[0].get_xticklabels()]
    assert labels[0].startswith("lightweight_cnn\n") and labels[-1] == "ffnn\nlayerwise"


def test_layers_sum_to_their_energies(stored: StoredResult) -> None:
    figure = layer_energy(stored, "layerwise")
    variant = stored.variant("layerwise")
    unit, one = energy_unit(max(layer.energy.value for layer in variant.layers))
    widths = np.sum([[bar.get_width() for bar in drawn] for drawn in _bars(figure).values()], axis=0)
    assert widths == pytest.approx([layer.energy.value / one for layer in variant.layers])
    assert figure.axes[0].get_xlabel() == f"energy ({unit})"
    assert figure.axes[0].get_title() == "lightweight_cnn on jetson_nano, layerwise: energy per layer"


@pytest.mark.parametrize("limit", [1, 3, 6])
def test_of_many_layers_the_cheap_ones_share_a_row(stored: StoredResult, limit: int) -> None:
    layers = stored.variants[0].layers
    rows = layer_rows(layers, lambda layer: layer.energy.value, limit)
    assert len(rows) == limit and rows[-1][0] == f"{len(layers) - limit + 1} other layers"
    assert sorted(layer.name for _, row in rows for layer in row) == sorted(layer.name for layer in layers)
    least = min((layer.energy.value for _, row in rows[:-1] for layer in row), default=np.inf)
    assert all(layer.energy.value <= least for layer in rows[-1][1])
    widths = np.sum([[b.get_width() for b in d] for d in _bars(layer_energy(stored, None, limit)).values()], axis=0)
    _, one = energy_unit(max(sum(layer.energy.value for layer in row) for _, row in rows))
    assert widths.sum() * one == pytest.approx(stored.variants[0].energy.value)


def test_traffic_is_reads_and_writes_and_the_floors(stored: StoredResult) -> None:
    variant = stored.variant("tiled")
    figure = traffic(stored, "tiled")
    most = max(max(x.dram_read_bytes + x.dram_write_bytes, stored.layer_floor_bytes[x.name]) for x in variant.layers)
    unit, one = bytes_unit(most)
    drawn = _bars(figure)
    assert [b.get_width() * one for b in drawn["reads"]] == pytest.approx([x.dram_read_bytes for x in variant.layers])
    assert [b.get_width() * one for b in drawn["writes"]] == pytest.approx([x.dram_write_bytes for x in variant.layers])
    marks = [line.get_xdata()[0] * one for line in figure.axes[0].lines]  # type: ignore[index]
    assert marks == pytest.approx([stored.layer_floor_bytes[layer.name] for layer in variant.layers])
    assert figure.axes[0].get_xlabel() == f"DRAM traffic ({unit})"
    _, one = bytes_unit(max(variant.dram_bytes for variant in stored.variants))
    assert figure.axes[1].lines[0].get_xdata()[0] * one == pytest.approx(variant.dram_floor_bytes)  # type: ignore[index]


def test_a_layer_on_its_own_moves_at_least_its_floor(stored: StoredResult, other: StoredResult) -> None:
    alone = [(stored, v) for v in stored.variants if v.variant != "buffered"] + [(other, other.variants[0])]
    for result, variant in alone:
        for layer in variant.layers:
            assert layer.dram_read_bytes + layer.dram_write_bytes >= result.layer_floor_bytes[layer.name] > 0


def test_the_floor_of_a_layer_is_its_tensors_once_each(other: StoredResult) -> None:
    # The first fully connected layer: 784 ifmap words, as many ofmap words as units, a weight for each pair.
    layer = next(layer for layer in other.graph["layers"] if layer["dims"] is not None)
    inputs, units = layer["dims"]["C"], layer["dims"]["K"]
    assert other.layer_floor_bytes[layer["name"]] == (inputs * units + inputs + units) * other.bits / 8


def test_no_layer_is_above_a_roof(stored: StoredResult) -> None:
    for variant in stored.variants:
        roof = roofs(stored, variant.layers)
        bandwidth = next(iter(roof.bytes_per_s.values()))
        shown = points(variant.layers)
        assert len(shown) == sum(layer.macs > 0 for layer in variant.layers if layer.dram_read_bytes)
        for point in shown:
            assert point.low <= point.rate <= point.high
            assert point.rate <= min(roof.macs_per_s, bandwidth * point.per_byte) * (1 + 1e-9)


def test_the_roofs_are_the_devices(stored: StoredResult) -> None:
    roof = roofs(stored, stored.variants[0].layers)
    assert next(iter(roof.bytes_per_s)) == "DRAM"
    assert roof.bytes_per_s["DRAM"] == pytest.approx(25.6e9, rel=1e-6)  # stated in jetson_nano.yaml
    assert roof.macs_per_s == pytest.approx(128 * 2 * 921.6e6, rel=1e-6)  # FP16: two per lane
    assert roof.ridge == pytest.approx(roof.macs_per_s / 25.6e9, rel=1e-6)


def test_roofline_points_lie_where_the_layers_are(stored: StoredResult) -> None:
    variant = stored.variant("layerwise")
    axes = roofline(stored, "layerwise").axes[0]
    drawn = sorted(
        (float(c.lines[0].get_xdata()[0]), float(c.lines[0].get_ydata()[0]))
        for c in axes.containers
        if hasattr(c, "has_yerr")
    )
    assert np.allclose(drawn, sorted((p.per_byte, p.rate) for p in points(variant.layers)))
    assert "MAC per byte" in axes.get_xlabel() and "MAC/s" in axes.get_ylabel()


def test_neighbouring_classes_differ_in_greyscale(stored: StoredResult) -> None:
    for figure in (energy([stored]), layer_energy(stored), traffic(stored)):
        for panel in range(len(figure.axes)):
            classes = list(_bars(figure, panel).values())
            shades = [luminance(drawn[0].get_facecolor()[:3]) for drawn in classes]
            assert all(after - before > 0.06 for before, after in pairwise(shades))
            hatches = [drawn[0].get_hatch() for drawn in classes]
            assert len(set(hatches)) == len(hatches)


def test_bars_of_occupancy_lie_where_the_allocation_put_them() -> None:
    ranges = [
        LiveRange("conv<1>", Content.WEIGHTS, 100, 0, 2),
        LiveRange('a"b', Content.TILE, 60, 0, 1),
        LiveRange("out & more", Content.HALO, 40, 1, 2),
    ]
    allocation = allocate(ranges, 256)
    axes = occupancy_figure([Occupancy("full", "GLB", ("one", "two", "three"), allocation)], "title").axes[0]
    found = {str(bar.get_gid()).split(" (")[0]: bar.get_bbox().bounds for bar in axes.patches}  # type: ignore[attr-defined]
    for placement in allocation.placements:
        live, (piece,) = placement.live, placement.pieces
        x, y, width, height = found[f"hover:{live.name}"]
        assert (x, width) == (live.first - 0.5, live.last - live.first + 1)
        assert (y, height) == (piece.address, piece.size)
    assert axes.get_ylim() == (0, 256) and axes.get_ylabel() == "address (B)"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["one", "two", "three"]
    assert any(list(line.get_ydata()) == [200, 200] for line in axes.lines)  # type: ignore[arg-type]


def test_the_tornado_has_the_swings_widest_first(stored: StoredResult) -> None:
    explanation = explain(with_device(stored), "tiled")
    for metric, swings, total, unit in (
        ("energy", explanation.energy_swings, explanation.energy.value, energy_unit),
        ("latency", explanation.latency_swings, explanation.latency_s, time_unit),
    ):
        shown = [swing for swing in swings if swing.width > 0][:12]
        axes = tornado(explanation, metric).axes[0]
        name, one = unit(max(max(s.at_low, s.at_high) for s in shown))
        low, high = _bars(axes.figure).values()  # type: ignore[arg-type]
        assert [bar.get_x() + bar.get_width() for bar in low] == pytest.approx([s.at_low / one for s in shown])
        assert [bar.get_x() + bar.get_width() for bar in high] == pytest.approx([s.at_high / one for s in shown])
        assert all(bar.get_x() == pytest.approx(total / one) for bar in (*low, *high))
        assert [text.get_text() for text in axes.get_yticklabels()] == [swing.name for swing in shown]
        assert axes.get_xlabel().startswith(f"{metric} ({name})")
    with pytest.raises(EnergySimError, match="'area' has no constants"):
        tornado(explanation, "area")
