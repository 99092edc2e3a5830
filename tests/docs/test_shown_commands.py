"""Every `energysim` command line that the README and the pages show is one: its commands and options exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from energysim.cli import cli

ROOT = Path(__file__).parent.parent.parent
_PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
_ENDS = {"|", ">", ">>", "&&", ";", "2>", "#"}


def _code(text: str) -> Iterator[str]:
    """Lines of fenced and indented blocks of code, continued ones joined."""
    fenced, held = False, ""
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if fenced or line.startswith("    "):
            held += line.strip().removesuffix("\\")
            if not line.rstrip().endswith("\\"):
                yield held
                held = ""


def shown_commands(text: str) -> list[tuple[str, ...]]:
    """The words after `energysim` of every command shown, up to a pipe, a redirection or a comment."""
    found = []
    for line in _code(text):
        match = re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*energysim (.+)", line)
        if match is None:
            continue
        words = shlex.split(match[1], comments=True)
        end = next((at for at, word in enumerate(words) if word in _ENDS), len(words))
        found.append(tuple(words[:end]))
    return found


def parse(words: tuple[str, ...]) -> None:
    """Raises click.UsageError for a command or an option that does not exist, or one that lacks what it needs."""
    command: click.Command = cli
    context = command.make_context("energysim", list(words))
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, found.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_of_the_pages_parse(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    wrong = []
    for words in shown_commands(page.read_text(encoding="utf-8")):
        try:
            parse(words)
        except click.exceptions.Exit:
            pass
        except click.UsageError as error:
            if "does not exist" not in error.message:
                wrong.append(f"energysim {shlex.join(words)}: {error.format_message()}")
    assert not wrong, "\n".join(wrong)


def test_the_readme_shows_commands() -> None:
    assert len(shown_commands((ROOT / "README.md").read_text(encoding="utf-8"))) > 10


@pytest.mark.parametrize("words", ["simulat resnet18", "simulate resnet18 --arhc x", "arch shwo a2", "simulate"])
def test_a_wrong_command_is_noticed(words: str) -> None:
    with pytest.raises(click.UsageError):
        parse(tuple(words.split()))


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        below = click.Context(command, info_name=name, parent=context)
        yield below.command_path, command
        if isinstance(command, click.Group):
            yield from _commands(command, below)


_COMMANDS = dict(_commands(cli, click.Context(cli, info_name="energysim")))


@pytest.mark.parametrize("path", _COMMANDS)
def test_examples_of_the_help_parse_and_every_command_has_one(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    examples = re.findall(r"^\s*(energysim .+)$", (_COMMANDS[path].help or "").replace("\\\n", ""), re.MULTILINE)
    assert examples
    for example in examples:
        for words in shown_commands(f"    {example}"):
            try:
                parse(words)
            except click.UsageError as error:
                assert "does not exist" in error.message, f"{example}: {error.format_message()}"
