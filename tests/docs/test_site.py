"""The documentation site builds without a warning, and no page of it loads anything from another host."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
_LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}


class _Page(HTMLParser):
    """What a browser fetches for a page (links that a reader may follow are none of it)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.classes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.classes.update((found.get("class") or "").split())
        target = found.get(_LOADS.get(tag, ""))
        if target and not (tag == "link" and found.get("rel") in ("canonical", "prev", "next")):
            self.loaded.append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def _pages(site: Path) -> dict[str, _Page]:
    pages = {path.relative_to(site).as_posix(): _Page(path.read_text("utf-8")) for path in site.rglob("*.html")}
    assert len(pages) > 25
    return pages


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    for name, page in _pages(site).items():
        away = [target for target in page.loaded if re.match(r"(?:[a-z]+:)?//", target)]
        assert page.loaded and not away, f"{name}: {away}"
        # The theme's script fetches mermaid from elsewhere where a page has such a diagram.
        assert "mermaid" not in page.classes, name
    for sheet in site.rglob("*.css"):
        text = sheet.read_text("utf-8")
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//|@import", text), sheet.name


def test_every_command_and_every_public_name_has_its_place(site: Path) -> None:
    from energysim import __all__ as names
    from energysim.cli import _COMMANDS

    commands = (site / "cli.html").read_text("utf-8")
    for command in _COMMANDS:
        assert f'id="energysim-{command}"' in commands, command
    reference = "".join(path.read_text("utf-8") for path in (site / "api").glob("*.html"))
    for name in names:
        assert name == "__version__" or re.search(rf'id="energysim\.[\w.]+\.{name}"', reference), name


def test_sphinx_roles_are_no_text(site: Path) -> None:
    for path in (site / "api").glob("*.html"):
        assert not re.search(r":(?:func|class|mod|meth|attr):", path.read_text("utf-8")), path.name
