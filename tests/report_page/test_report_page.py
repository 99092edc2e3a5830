"""The page says what the result says, all of it, needs nothing else, and lets no name become markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from energysim.cli import cli
from energysim.errors import EnergySimError
from energysim.report.page import Sources, figures, read_sources, report_page
from energysim.report.page.headline import best_variant
from energysim.report.page.table import units
from energysim.simulation import stored_result
from energysim.units import format_bytes, format_energy, format_time

_VOID = {"meta", "link", "input", "br"}


class _Page(HTMLParser):
    """Elements, attributes and text as a browser would take them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def _page(data: dict[str, Any]) -> str:
    return report_page(Sources((stored_result(data, "result.json"),)))


def _embedded(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    plain: dict[str, Any] = json.loads(found[1])
    return plain


@pytest.fixture(scope="session")
def text(texts: dict[str, str]) -> str:
    return texts["plain"]


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what stands around them: drawing takes most of a page's time."""
    monkeypatch.setattr(figures, "PLOTS", {})


def test_totals_of_the_best_variant_stand_on_top(text: str, data: dict[str, Any]) -> None:
    result = stored_result(data, "result.json")
    best = min(result.variants, key=lambda variant: variant.energy.value)
    assert best_variant(result) == best
    shown = " ".join(" ".join(_Page(text).texts).split())
    for quantity in (format_energy(best.energy.value), format_time(best.latency_s), format_bytes(best.dram_bytes)):
        assert f" {units(quantity)} " in shown
    assert units(f"{format_energy(best.energy.low)} .. {format_energy(best.energy.high)}") in shown
    for variant in result.variants:
        assert variant.variant in shown
    for sentence in (*result.notes, *result.not_modelled, result.arch_sha256, result.version):
        assert " ".join(sentence.split()) in shown


@pytest.mark.parametrize(
    ("objective", "measure"), [("latency", "latency_s"), ("edp", "edp_js"), ("dram,energy", "dram_bytes")]
)
def test_the_best_is_the_best_by_the_objective(data: dict[str, Any], objective: str, measure: str) -> None:
    result = stored_result({**data, "objective": objective}, "result.json")
    least = min(getattr(variant, measure) for variant in result.variants)
    assert getattr(best_variant(result), measure) == least


def test_every_layer_of_every_variant_has_its_details(text: str, data: dict[str, Any]) -> None:
    (told,) = _embedded(text).values()
    for variant, stored in zip(told["variants"], data["variants"], strict=True):
        assert variant["name"] == stored["variant"]
        assert list(variant["details"]) == [layer["name"] for layer in stored["layers"]]
        rows = variant["tables"]["layers"]["rows"]
        for layer, row in zip(stored["layers"], rows, strict=True):
            detail = told["details"][variant["details"][layer["name"]]]
            nest = None if detail["nest"] is None else told["nests"][detail["nest"]]
            assert nest == (layer["mapping"] or None)
            assert row["layer"] == layer["name"]
            energy = row["cells"][4]
            assert energy[0] == units(format_energy(layer["energy_pj"]))
            assert energy[1] == pytest.approx(layer["energy_pj"], rel=1e-5)
            reads = [level[3] for level in detail["accesses"]]
            assert reads == [
                [f"{n:,}", float(f"{n:.6g}")] if n else ["-", 0.0] for n in (x["reads"] for x in layer["levels"])
            ]
            assert [
                "DRAM",
                f"{format_bytes(layer['dram_read_bytes'])} read, {format_bytes(layer['dram_write_bytes'])} written",
            ] in detail["facts"]


def test_energies_of_the_matrix_add_up(text: str, data: dict[str, Any]) -> None:
    (told,) = _embedded(text).values()
    for variant, stored in zip(told["variants"], data["variants"], strict=True):
        table = variant["tables"]["energy"]
        whole = stored["totals"]["energy_pj"]
        assert sum(row["cells"][1][1] for row in table["rows"]) == pytest.approx(whole, rel=1e-4)
        assert sum(cell[1] for row in table["rows"] for cell in row["cells"][4:]) == pytest.approx(whole, rel=1e-4)
        assert sum(cell[1] for cell in table["foot"]["cells"][4:]) == pytest.approx(whole, rel=1e-4)
        moved = [sum(level["energy_pj"] for layer in stored["layers"] for level in layer["levels"])]
        rows = variant["tables"]["accesses"]["rows"]
        assert sum(row["cells"][5][1] for row in rows) == pytest.approx(moved[0], rel=1e-4)


def test_the_device_and_its_constants_are_there_with_their_sources(text: str) -> None:
    shown = " ".join(_Page(text).texts)
    assert "Constants behind the energy of" in shown and "estimate: " in shown
    assert "Energy per action" in shown and "Not shown:" not in shown


@pytest.mark.usefixtures("no_plots")
def test_a_device_that_changed_is_said_to_have_changed(data: dict[str, Any]) -> None:
    changed = {**data, "arch": {**data["arch"], "sha256": "0" * 64}}
    shown = " ".join(_Page(_page(changed)).texts)
    assert "Not shown: " in shown and "is not the one that the result was made with" in shown
    assert "Constants behind the energy of" not in shown


def test_nothing_outside_the_page_is_referred_to(text: str) -> None:
    page = _Page(text)
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            target = attributes.get(name)
            assert target is None or target.startswith(("#", "data:")), (tag, target)
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", text)
    assert "@import" not in text
    policies = [
        a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1 and policies[0] is not None and policies[0].startswith("default-src 'none'")


def test_the_same_sources_give_the_same_bytes(text: str, data: dict[str, Any], run_directory: Path) -> None:
    result = stored_result(json.loads(json.dumps(data)), "result.json")
    assert report_page(replace(read_sources([run_directory]), results=(result,))) == text


def test_headings_descend_step_by_step(text: str) -> None:
    levels = [int(tag[1]) for tag, _ in _Page(text).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_ids_are_unique_and_every_link_has_its_target(text: str) -> None:
    attributes = [found for _, found in _Page(text).tags]
    ids = [found["id"] for found in attributes if "id" in found]
    assert len(ids) == len(set(ids))
    for found in attributes:
        href = found.get("href")
        if href is not None and href.startswith("#"):
            assert href[1:] in ids
        for name in (found.get("aria-labelledby") or "").split():
            assert name in ids


def test_names_stay_text(texts: dict[str, str]) -> None:
    page = _Page(texts["hostile"])
    assert page.count("script") == _Page(texts["plain"]).count("script")
    assert any("<script>document.title='owned'</script>\"'&" in shown for shown in page.texts)
    (told,) = _embedded(texts["hostile"]).values()
    assert any(name.startswith("<script>") for name in told["layers"])


def test_the_page_of_a_small_network_is_small(text: str) -> None:
    assert len(text.encode()) < 1_500_000


@pytest.mark.usefixtures("no_plots")
def test_report_writes_one_page_of_several_results(result_file: Path, run_directory: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    named = [str(result_file), str(result_file), "--runs", str(run_directory)]
    found = CliRunner().invoke(cli, ["report", *named, "-o", str(target)], catch_exceptions=False)
    assert found.exit_code == 0
    page = _Page(target.read_text())
    assert [a["id"] for tag, a in page.tags if tag == "section"] == ["result-1", "result-2"]
    assert "All results, each with its best variant" in page.texts and "Accuracy beside energy" in page.texts
    refused = CliRunner().invoke(cli, ["report"])
    assert refused.exit_code == 2 and "nothing to show" in refused.output


def test_runs_are_read_once_per_model_and_drawn_per_data_set(run_directory: Path, tmp_path: Path) -> None:
    """However they are named: the directory of all, of one model, of one seed."""
    whole = read_sources([run_directory])
    assert [[group.label for group in groups] for groups in whole.runs] == [["Residual", "other"]]
    assert [model.top1.n for model in whole.models] == [2, 1]
    parts = [run_directory / "Residual" / "seed0", run_directory / "Residual", run_directory / "other" / "seed0"]
    assert read_sources(parts) == whole
    other = tmp_path / "else" / "seed0"
    other.mkdir(parents=True)
    text = (run_directory / "other" / "seed0" / "result.json").read_text()
    (other / "result.json").write_text(text.replace('"digits"', '"cifar10"'))
    both = read_sources([run_directory, tmp_path])
    assert [len(groups) for groups in both.runs] == [2, 1] and [m.data for m in both.models][2:] == ["cifar10"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "this is no JSON"),
        ("[]", "holds nothing that a report shows"),
        ('{"variants": []}', "no result of a simulation"),
        ('{"models": [1]}', "no summary of training runs"),
    ],
)
def test_what_is_no_result_is_refused_and_nothing_is_written(content: str, message: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source.json", tmp_path / "report.html"
    source.write_text(content)
    with pytest.raises(EnergySimError, match=message):
        CliRunner().invoke(
            cli, ["report", str(source), "-o", str(target)], standalone_mode=False, catch_exceptions=False
        )
    assert list(tmp_path.iterdir()) == [source]


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(EnergySimError, match="no file"):
        read_sources([tmp_path / "none.json"])
