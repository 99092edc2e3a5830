"""The page in a real browser: no error, no request, and everything that is said to work by mouse or keyboard works."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from energysim.report.plots import PLOTS

_CHROMIUM, _DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (_CHROMIUM and _DRIVER), reason="needs chromium and chromedriver")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)
_LAYERS = 'table[data-table="layers"]'


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = Options()
    options.binary_location = _CHROMIUM or ""
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(_DRIVER))
    driver.get("about:blank")
    driver.get_log("performance")  # of the browser's own first page
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of the pages."""
    directory = tmp_path_factory.mktemp("pages")
    for name, text in texts.items():
        (directory / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: (directory / f"{name}.html").as_uri() for name in texts}


@pytest.fixture
def page(browser: webdriver.Chrome, pages: dict[str, str]) -> Iterator[webdriver.Chrome]:
    """The page, loaded afresh. Afterwards: the console is silent and nothing but files was asked for."""
    browser.get(pages["plain"])
    yield browser
    _check_logs(browser)


def _check_logs(browser: webdriver.Chrome) -> None:
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked and all(url.startswith(("file://", "data:")) for url in asked), asked


def _all(page: webdriver.Chrome, css: str) -> list[WebElement]:
    return page.find_elements(By.CSS_SELECTOR, css)


def _one(page: webdriver.Chrome, css: str) -> WebElement:
    return page.find_element(By.CSS_SELECTOR, css)


def _click(page: webdriver.Chrome, element: WebElement) -> None:
    page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
    element.click()


def _column(page: webdriver.Chrome, table: str, number: int) -> list[str]:
    script = """
      const rows = [...document.querySelectorAll(arguments[0])].filter(row => !row.hidden);
      return rows.map(row => row.cells[arguments[1]].innerText);
    """
    found: list[str] = page.execute_script(script, f"{table} tbody tr", number)
    return found


def _number(text: str) -> float:
    digits, _, unit = text.partition(" ")
    scale = {"pJ": 1.0, "nJ": 1e3, "µJ": 1e6, "mJ": 1e9, "": 1.0}[unit]
    return 0.0 if digits == "-" else float(digits.replace(",", "").removesuffix("%")) * scale


def test_a_click_on_a_heading_sorts_by_number_and_a_third_restores(page: webdriver.Chrome) -> None:
    head = _all(page, f"{_LAYERS} th")[4]
    given = _column(page, _LAYERS, 4)
    by_energy = sorted(given, key=_number)
    assert given not in (by_energy, by_energy[::-1]) and sorted(given) != by_energy
    for direction, wanted in (("descending", by_energy[::-1]), ("ascending", by_energy), ("none", given)):
        _click(page, head.find_element(By.TAG_NAME, "button"))
        assert head.get_attribute("aria-sort") == direction
        assert _column(page, _LAYERS, 4) == wanted
    assert _one(page, f"{_LAYERS} tfoot td:nth-child(2)").text == "total"


def test_headings_sort_by_keyboard_and_text_by_letter(page: webdriver.Chrome) -> None:
    button = _all(page, f"{_LAYERS} th button")[1]
    button.send_keys(Keys.ENTER)
    names = _column(page, _LAYERS, 1)
    assert names == sorted(names) and names != sorted(names, key=lambda name: -len(name))
    assert _all(page, f"{_LAYERS} th")[1].get_attribute("aria-sort") == "ascending"


def test_the_filter_leaves_the_rows_that_hold_all_words(page: webdriver.Chrome) -> None:
    field = _one(page, "#result-1-layers input[type=search]")
    everything = _column(page, _LAYERS, 1)
    field.send_keys("conv2d wide")
    assert _column(page, _LAYERS, 1) == ["wide"]
    assert _one(page, "#result-1-layers [data-count]").text == f"1 of {len(everything)}"
    field.clear()
    field.send_keys(" ")
    assert _column(page, _LAYERS, 1) == everything


@pytest.mark.parametrize("way", ["table", "graph", "keyboard", "plot"])
def test_a_layer_opens_its_panel_with_its_loop_nest(page: webdriver.Chrome, way: str, data: dict[str, Any]) -> None:
    panel = _one(page, "#panel")
    assert not panel.is_displayed()
    if way == "table":
        _click(page, _one(page, f'{_LAYERS} button[data-layer="wide"]'))
    elif way == "plot":
        _click(page, _one(page, 'figure:not([hidden]) [data-layer="wide"]'))
    else:
        node = _one(page, '.graph [data-layer="wide"]')
        if way == "graph":
            _click(page, node)
        else:
            page.execute_script("document.querySelector('.graph [tabindex=\"0\"]').focus()")
            for _ in range(10):
                if page.switch_to.active_element.get_attribute("data-layer") == "wide":
                    break
                page.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
            page.switch_to.active_element.send_keys(Keys.ENTER)
    assert panel.is_displayed() and _one(page, "#panel-name").text == "wide"
    best = _one(page, "[data-variants] input:checked").get_attribute("value")
    variant = next(variant for variant in data["variants"] if variant["variant"] == best)
    mapping = next(layer["mapping"] for layer in variant["layers"] if layer["name"] == "wide")
    lines = _one(page, ".nest").text.split("\n")
    loops = [line.strip() for line in mapping.split("\n") if line.strip().startswith(("for ", "par "))]
    assert loops and [line.strip() for line in lines if line.strip().startswith(("for ", "par "))] == loops
    assert "1x32x8x8" in panel.text and "Accesses in words" in panel.text and "bound by" in panel.text
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not panel.is_displayed()


def test_the_panel_steps_through_the_layers_and_gives_the_focus_back(page: webdriver.Chrome) -> None:
    button = _one(page, f'{_LAYERS} button[data-layer="stem"]')
    _click(page, button)
    assert page.switch_to.active_element == _one(page, "#panel")
    _click(page, _one(page, "[data-step='1']"))
    assert _one(page, "#panel-name").text == _column(page, _LAYERS, 1)[1]
    assert _one(page, "tr.chosen button").text == _one(page, "#panel-name").text
    _click(page, _one(page, "[data-close]"))
    assert page.switch_to.active_element == button


def test_a_layer_without_macs_says_why_it_has_no_nest(page: webdriver.Chrome) -> None:
    _click(page, _one(page, f'{_LAYERS} button[data-layer="add"]'))
    assert "No loop nest" in _one(page, "#panel").text
    assert _all(page, ".nest") == []


def test_choosing_a_variant_changes_tables_and_graph_and_keeps_the_order(
    page: webdriver.Chrome, data: dict[str, Any]
) -> None:
    _click(page, _all(page, f"{_LAYERS} th button")[4])
    seen = set()
    for stored in data["variants"]:
        name = stored["variant"]
        _click(page, _one(page, f'[data-variants] input[value="{name}"] + span'))
        energies = [_number(text) for text in _column(page, _LAYERS, 4)]
        assert energies == sorted(energies, reverse=True)
        assert sum(energies) == pytest.approx(stored["totals"]["energy_pj"], rel=1e-3)
        shares = page.execute_script("return [...document.querySelectorAll('.percent')].map(t => t.textContent)")
        whole = sum(layer["energy_pj"] for layer in stored["layers"])
        assert [float(text.removesuffix("%") or 0) for text in shares] == [
            pytest.approx(100 * layer["energy_pj"] / whole, abs=0.051) for layer in stored["layers"]
        ]
        fused = len(_all(page, ".graph .stacked"))
        assert fused == sum(len(s["layers"]) for s in stored["schedule"]["stacks"] if len(s["layers"]) > 1)
        seen.add(tuple(_column(page, _LAYERS, 10)))
    assert len(seen) > 1


def test_the_plots_show_the_chosen_variant_and_walk_to_its_layers(page: webdriver.Chrome, data: dict[str, Any]) -> None:
    names = [variant["variant"] for variant in data["variants"]]
    plots = [name for name, plot in PLOTS.items() if "variant" in plot.options]
    assert len(plots) == 5 and len(_all(page, "[data-result] figure[data-variant] svg")) == len(plots) * len(names)
    seen = set()
    for stored in data["variants"]:
        name = stored["variant"]
        _click(page, _one(page, f'[data-variants] input[value="{name}"] + span'))
        shown = [plot for plot in _all(page, "[data-result] figure[data-variant]") if plot.is_displayed()]
        assert {plot.get_attribute("data-variant") for plot in shown} == {name} and len(shown) == len(plots)
        assert _one(page, "#result-1-plots").text == f"Plots of {name}"
        datum = _one(page, 'figure:not([hidden]) [data-layer="wide"]')
        seen.add(datum.get_attribute("data-tip"))
        _click(page, datum)
        assert _one(page, "#panel-body p").text.endswith(name)
        page.switch_to.active_element.send_keys(Keys.ESCAPE)
        assert sum(plot.is_displayed() for plot in _all(page, "[data-result] figure")) == len(plots) + 1
    assert len(seen) == len(names)


def test_training_curves_stand_below_the_accuracies_and_tell_their_values(page: webdriver.Chrome) -> None:
    assert _column(page, 'table[data-table="training"]', 0) == ["Residual", "other"]
    tips = [datum.get_attribute("data-tip") for datum in _all(page, "#training + .plots [data-tip]")]
    for epoch, accuracy in ((1, 50), (2, 60), (3, 70)):
        assert f"Residual, epoch {epoch}: {accuracy} % ({accuracy} .. {accuracy} over the seeds)" in tips
        assert f"other, epoch {epoch}: {accuracy} %" in tips


def test_pointing_at_a_datum_shows_its_value(page: webdriver.Chrome) -> None:
    tip = _one(page, "#tip")
    datum = _one(page, 'figure:not([hidden]) [data-layer="wide"]')
    page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", datum)
    webdriver.ActionChains(page).move_to_element(datum).perform()
    assert tip.is_displayed() and tip.text == datum.get_attribute("data-tip") and tip.text.startswith("wide: ")
    assert _all(page, "figure g > title, figure path > title") == []
    webdriver.ActionChains(page).move_to_element(_one(page, "footer")).perform()
    assert not tip.is_displayed()


def test_arrow_keys_walk_the_data_of_a_plot(page: webdriver.Chrome) -> None:
    page.execute_script("document.querySelector('.graph [tabindex=\"0\"]').focus({focusVisible: true})")
    seen = []
    for _ in range(2):
        page.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
        tip = _one(page, "#tip")
        assert tip.is_displayed()
        seen.append(tip.text)
    assert seen[0] != seen[1] and len(_all(page, ".graph [tabindex='0']")) == 1


def test_the_theme_follows_the_system_until_the_button_says_otherwise(page: webdriver.Chrome) -> None:
    def ground() -> str:
        colour: str = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        return colour

    def system(scheme: str) -> None:
        page.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )

    try:
        system("dark")
        dark = ground()
        system("light")
        light = ground()
        assert dark != light
        button = _one(page, "#theme")
        for wanted, colour in (("light", light), ("dark", dark)):
            button.click()
            assert button.text == f"Theme: {wanted}" and ground() == colour
        page.refresh()
        assert ground() == dark  # the choice is kept
        _one(page, "#theme").click()
        assert _one(page, "#theme").text == "Theme: auto" and ground() == light
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_enough_contrast(page: webdriver.Chrome, theme: str) -> None:
    """WCAG 2.1, 1.4.3: 4.5 to 1 for text, of every pair of ink and ground that the style sheet uses."""
    page.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
    script = """
      const probe = document.body.appendChild(document.createElement("i"));
      return arguments[0].map(name => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; });
    """
    inks, grounds = ["ink", "dim", "accent", "space"], ["page", "raised", "hover"]
    colours = dict(zip([*inks, *grounds], page.execute_script(script, [*inks, *grounds]), strict=True))
    for ink in inks:
        for ground in grounds:
            bright, dim = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, ground, colours)


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1) of "rgb(r, g, b)"."""
    channels = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_the_page_fits_its_window(page: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_paper_gets_everything_and_the_screen_is_as_before(page: webdriver.Chrome) -> None:
    page.execute_script("""
      const unfolded = () => document.querySelectorAll("details[open]").length;
      addEventListener("beforeprint", () => { window.unfolded = unfolded(); });
    """)
    pdf = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF-") and pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") > 1
    folded = len(_all(page, "details"))
    assert folded > 0 and page.execute_script("return unfolded") == folded
    assert len(_all(page, "details[open]")) == 0


def test_hostile_names_are_shown_and_do_nothing(browser: webdriver.Chrome, pages: dict[str, str]) -> None:
    browser.get(pages["hostile"])
    assert "owned" not in browser.title.split(" - ")[-1] and browser.title.endswith("- energysim")
    button = next(b for b in _all(browser, f"{_LAYERS} button.layer") if b.text.startswith("<script>"))
    _click(browser, button)
    assert _one(browser, "#panel-name").text == button.text
    assert _all(browser, "#panel script, table script, svg script") == []
    _check_logs(browser)
