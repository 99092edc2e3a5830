"""What a notebook does with results: tables, data frames, figures with hover texts, without IPython."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

import energysim
from energysim.report.plots import PLOTS, Source
from energysim.sensitivity import explain, with_device
from energysim.simulation import SimulationResult, StoredResult
from energysim.units import format_energy


@pytest.fixture(scope="module")
def result() -> SimulationResult:
    return energysim.simulate("ffnn", "jetson_nano")


def _table(html: str) -> list[list[str]]:
    """Cells of the table; raises where the HTML is not well-formed."""
    root = ElementTree.fromstring(f"<div>{html}</div>")
    return [["".join(cell.itertext()) for cell in row if cell.tag in ("td", "th")] for row in root.iter("tr")]


def test_a_result_shows_its_layers_and_total(result: SimulationResult) -> None:
    heading, *rows = _table(result._repr_html_())
    (variant,) = result.variants
    assert [row[0] for row in rows] == [*(layer.name for layer in variant.layers), "total"]
    assert rows[-1][heading.index("energy")] == format_energy(variant.energy.value)
    assert result.stored()._repr_html_() == result._repr_html_()


def test_a_result_of_several_variants_shows_these(stored: StoredResult) -> None:
    heading, *rows = _table(stored._repr_html_())
    assert [row[0] for row in rows] == [variant.variant for variant in stored.variants]
    assert [row[heading.index("energy")] for row in rows] == [format_energy(v.energy.value) for v in stored.variants]
    frame = stored.to_pandas()
    assert frame["energy_pj"].sum() == pytest.approx(sum(variant.energy.value for variant in stored.variants))


def test_a_graph_and_an_explanation_show_theirs(result: SimulationResult) -> None:
    heading, *rows = _table(result.graph._repr_html_())
    frame = result.graph.to_pandas()
    assert len(rows) == len(frame) and frame["macs"].sum() == result.graph.macs
    assert [row[heading.index("layer")] for row in rows] == list(frame["layer"])
    explanation = explain(with_device(result.stored()))
    frame = explanation.to_pandas()
    assert len(_table(explanation._repr_html_())) == len(frame) + 1
    assert frame.query("total == 'energy_pj'")["share"].sum() == pytest.approx(1)


def test_every_plot_of_a_result_is_a_method(result: SimulationResult) -> None:
    names = [name for name, plot in PLOTS.items() if plot.source in (Source.RESULT, Source.RESULTS)]
    assert dir(result.plot) == sorted(name.replace("-", "_") for name in names)
    figure = result.plot.layer_energy(variant="layerwise")
    assert figure.axes[0].get_title() == "ffnn on jetson_nano, layerwise: energy per layer"
    root = ElementTree.fromstring(figure._repr_html_())
    assert any((title.text or "").startswith(result.variants[0].layers[0].name) for title in root.iter() if title.text)
    assert "costliest" in (result.plot.layer_energy.__doc__ or "")
    with pytest.raises(AttributeError, match="no plot 'pie': energy, layer_energy"):
        _ = result.plot.pie
