"""SVG of figures: well-formed, self-contained, every datum with its text, the page's own ink."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from PIL import Image

from energysim.errors import EnergySimError
from energysim.report.plots import PLOTS, Source, inline_svg, save_figure
from energysim.simulation import StoredResult
from energysim.version import __version__

COMMAND = "energysim plot energy 'a & <b>.json'"
_SVG = "{http://www.w3.org/2000/svg}"
_OF_RESULTS = [name for name, plot in PLOTS.items() if plot.source in (Source.RESULT, Source.RESULTS)]


def _draw(name: str, stored: StoredResult) -> Figure:
    plot = PLOTS[name]
    return plot.draw([stored]) if plot.source is Source.RESULTS else plot.draw(stored)


@pytest.fixture(scope="module")
def inline(stored: StoredResult) -> dict[str, str]:
    return {name: inline_svg(_draw(name, stored)) for name in _OF_RESULTS}


def _titles(root: ElementTree.Element) -> list[str]:
    return [title.text or "" for title in root.iter(f"{_SVG}title")]


@pytest.mark.parametrize("name", _OF_RESULTS)
def test_an_inline_figure_stands_on_its_own(name: str, inline: dict[str, str]) -> None:
    text = inline[name]
    assert text.startswith("<svg ") and "<?xml" not in text and "DOCTYPE" not in text and "<style" not in text
    root = ElementTree.fromstring(text)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    targets = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    assert targets == set(ids)
    outside = set(re.findall(r"https?://[^\"' )]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not outside
    assert root.get("aria-label") and root.get("viewBox")


@pytest.mark.parametrize("name", _OF_RESULTS)
def test_an_inline_figure_has_the_pages_ink(name: str, inline: dict[str, str]) -> None:
    text = inline[name]
    assert "currentColor" in text and "#000000" not in text and "fill: #ffffff" not in text
    assert ElementTree.fromstring(text).get("fill") == "currentColor"


def test_ids_of_two_figures_in_a_page_differ(stored: StoredResult, inline: dict[str, str]) -> None:
    first, second = (set(re.findall(r' id="([^"]+)"', inline[name])) for name in ("energy", "traffic"))
    assert first and second and not first & second
    again = set(re.findall(r' id="([^"]+)"', inline_svg(_draw("energy", stored), "again-")))
    assert again and not again & first and all(mark.startswith("again-") for mark in again)


def test_every_layer_can_be_pointed_at(stored: StoredResult, inline: dict[str, str]) -> None:
    for name in ("layer-energy", "traffic", "roofline"):
        titles = _titles(ElementTree.fromstring(inline[name]))
        for layer in stored.variants[0].layers:
            if layer.macs or name != "roofline":
                assert any(title.startswith(f"{layer.name}") for title in titles), (name, layer.name)


def test_files_tell_how_they_were_made(stored: StoredResult, tmp_path: Path) -> None:
    figure = _draw("energy", stored)
    save_figure(figure, tmp_path / "energy.png", COMMAND)
    with Image.open(tmp_path / "energy.png") as image:
        assert image.info["Description"] == COMMAND
        assert image.info["Software"] == f"energysim {__version__}"
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    save_figure(figure, tmp_path / "energy.svg", COMMAND)
    root = ElementTree.parse(tmp_path / "energy.svg").getroot()
    said = [(element.text or "").strip() for element in root.iter()]
    assert COMMAND in said and f"energysim {__version__}" in said
    assert any("DRAM" in title for title in _titles(root))


def test_the_same_figure_gives_the_same_file(stored: StoredResult, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        save_figure(_draw("traffic", stored), tmp_path / name, COMMAND)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_file_that_cannot_be_written_is_one_clear_error(stored: StoredResult, tmp_path: Path) -> None:
    figure = _draw("energy", stored)
    with pytest.raises(EnergySimError, match=r"figures are no jpg \(.png, .svg, .pdf\)"):
        save_figure(figure, tmp_path / "energy.jpg", COMMAND)
    (tmp_path / "file").write_text("")
    with pytest.raises(EnergySimError, match="cannot write"):
        save_figure(figure, tmp_path / "file" / "energy.svg", COMMAND)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
