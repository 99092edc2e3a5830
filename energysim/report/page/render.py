"""The page's text: one HTML file that needs nothing outside itself."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from energysim.report.page.details import result_data
from energysim.report.page.sources import Sources
from energysim.report.page.view import page_view
from energysim.version import __version__

_SCRIPTS = ("theme.js", "tables.js", "tips.js", "panel.js", "variants.js", "print.js")


def report_page(sources: Sources) -> str:
    """HTML. The same sources give the same text."""
    view = page_view(sources)
    data = {result.anchor: result_data(stored) for result, stored in zip(view.results, sources.results, strict=True)}
    template = _environment().get_template("page.html")
    return template.render(
        page=view,
        version=__version__,
        style=Markup(_asset("page.css")),
        script=Markup("\n".join(map(_asset, _SCRIPTS))),
        data=htmlsafe_json_dumps(data, _compact),
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("energysim.report.page", "assets"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def _asset(name: str) -> str:
    return resources.files("energysim.report.page").joinpath("assets", name).read_text(encoding="utf-8")


def _compact(value: Any) -> str:
    """JSON's own numbers only: NaN and infinity would not be read back."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
