"""Figures as SVG: hover texts on every datum, and elements that fit into an HTML page, light or dark."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.artist import Artist
from matplotlib.figure import Figure

_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_HOVER = "hover:"
_TEXT: Any = {"svg.fonttype": "none", "svg.hashsalt": "energysim", "font.sans-serif": ["DejaVu Sans"]}
_BLACK = re.compile(r"#000000\b")
_WHITE = re.compile(r"fill: #ffffff\b")
_URL = re.compile(r"url\(#([^)]+)\)")


def hover(artist: Artist, text: str) -> None:
    """What a reader sees who points at ``artist`` in an SVG. It travels as the artist's group id, the one thing that
    matplotlib writes into the file for an artist."""
    artist.set_gid(_HOVER + text.replace("\n", "; "))


def svg_file(figure: Figure, metadata: Mapping[str, str | None]) -> str:
    """A file of its own, with hover texts and ``metadata`` (matplotlib's keys: Title, Description, Creator, Date)."""
    for prefix, address in (
        ("", _SVG),
        ("dc", "http://purl.org/dc/elements/1.1/"),
        ("cc", "http://creativecommons.org/ns#"),
        ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
        ("xlink", "http://www.w3.org/1999/xlink"),
    ):
        ElementTree.register_namespace(prefix, address)
    root = _parsed(figure, metadata)
    _titles(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def inline_svg(figure: Figure, prefix: str | None = None) -> str:
    """An ``<svg>`` element for an HTML page: no XML header, nothing outside it referred to.

    Black becomes ``currentColor`` and white transparent, so that the figure has the page's own ink. Ids start with
    ``prefix``, by default one that belongs to this content: give one where a page shows the same figure twice.
    """
    ElementTree.register_namespace("", _SVG)
    root = _parsed(figure, {"Date": None})
    _titles(root)
    for name in ("metadata", "defs"):  # the first defs hold a style sheet, which in a page would be everybody's
        for child in root.findall(f"{{{_SVG}}}{name}"):
            if name == "metadata" or child.find(f"{{{_SVG}}}style") is not None:
                root.remove(child)
    _own_ids(root, prefix or "p" + hashlib.sha256(ElementTree.tostring(root)).hexdigest()[:10] + "-")
    for element in root.iter():
        for key, value in element.attrib.items():
            element.set(key, _BLACK.sub("currentColor", _WHITE.sub("fill: none", value)))
    width, height = (root.attrib.pop(side).removesuffix("pt") for side in ("width", "height"))
    root.attrib.update(
        width=width,
        height=height,
        role="img",
        fill="currentColor",  # matplotlib leaves black fills out
        style="max-width: 100%; height: auto; stroke-linejoin: round; stroke-linecap: butt",
    )
    root.set("aria-label", _heading(figure))
    return ElementTree.tostring(root, encoding="unicode")


class PageFigure(Figure):
    """A figure that notebooks show as an element of their page, with hover texts, whatever backend they have."""

    def _repr_html_(self) -> str:
        return inline_svg(self)


def _parsed(figure: Figure, metadata: Mapping[str, str | None]) -> ElementTree.Element:
    stream = io.BytesIO()
    with matplotlib.rc_context(_TEXT):
        figure.savefig(stream, format="svg", metadata=dict(metadata))
    return ElementTree.fromstring(stream.getvalue())


def _titles(root: ElementTree.Element) -> None:
    """A ``<title>`` in every element that :func:`hover` marked."""
    for element in root.iter():
        mark = element.get("id", "")
        if mark.startswith(_HOVER):
            title = ElementTree.Element(f"{{{_SVG}}}title")
            title.text = mark.removeprefix(_HOVER)
            element.insert(0, title)
            del element.attrib["id"]


def _own_ids(root: ElementTree.Element, prefix: str) -> None:
    """Ids that nothing refers to go; the others start with ``prefix``, as what refers to them does."""
    used: set[str] = set()
    for element in root.iter():
        link = element.attrib.pop(_LINK, None)
        if link is not None:
            used.add(link.removeprefix("#"))
            element.set("href", f"#{prefix}{link.removeprefix('#')}")
        for key, value in element.attrib.items():
            used.update(_URL.findall(value))
            element.set(key, _URL.sub(rf"url(#{prefix}\1)", value))
    for element in root.iter():
        mark = element.attrib.pop("id", None)
        if mark in used:
            element.set("id", f"{prefix}{mark}")


def _heading(figure: Figure) -> str:
    """The figure's title, or those of its panels."""
    titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
    return "; ".join(title.replace("\n", ", ") for title in titles if title)
