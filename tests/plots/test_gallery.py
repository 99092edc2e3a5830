"""The gallery: every picture is the one that the command above it makes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
_FIGURES = DOCS / "figures" / "gallery"
_PAGE = (DOCS / "gallery.md").read_text()
_SHOWN = re.findall(r"^    (energysim plot .+)\n\n!\[[^\]]+\]\(([^)]+)\)$", _PAGE, re.MULTILINE)


def test_every_picture_has_its_command() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", _PAGE)
    assert [picture for _, picture in _SHOWN] == pictures and len(pictures) >= 10
    assert {path.name for path in _FIGURES.iterdir()} == {Path(picture).name for picture in pictures}


@pytest.mark.parametrize(("command", "picture"), _SHOWN, ids=[Path(picture).stem for _, picture in _SHOWN])
def test_the_picture_says_that_the_command_made_it(command: str, picture: str) -> None:
    words = shlex.split(command)
    assert words[words.index("-o") + 1] == f"docs/{picture}"
    root = ElementTree.parse(DOCS / picture).getroot()
    described = root.findall(".//{http://purl.org/dc/elements/1.1/}description")
    assert [element.text for element in described] == [command]
    assert (DOCS / picture).stat().st_size < 200_000
