"""Pages that are made from what exists elsewhere: the README, the changelog, and the command line's own help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent.parent
_FROM_ROOT = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages."""
    for page, source in _FROM_ROOT.items():
        files.append(File.generated(config, page, content=_linked((ROOT / source).read_text(encoding="utf-8"))))
    files.append(File.generated(config, "cli.md", content="\n".join(_command_line())))
    return files


def _linked(text: str) -> str:
    """Links from the repository's top level, as links between pages."""
    for page, source in _FROM_ROOT.items():
        text = text.replace(f"]({source}", f"]({page}")
    return text.replace("](docs/", "](")


def _command_line() -> Iterator[str]:
    from energysim.cli import cli

    context = click.Context(cli, info_name="energysim")
    yield "# Command line\n"
    yield "What `--help` of every command prints, in one page. Bad input ends with exit code 2 and one message.\n"
    yield from _commands(cli, context, 2)


def _commands(group: click.Group, context: click.Context, depth: int) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        below = click.Context(command, info_name=name, parent=context)
        yield f"{'#' * depth} {below.command_path}\n"
        yield f"```text\n{below.command_path} {' '.join(command.collect_usage_pieces(below))}\n```\n"
        yield from _paragraphs(command.help or "")
        if isinstance(command, click.Group):
            yield from _commands(command, below, depth + 1)
        else:
            yield from _options(command, below)


def _paragraphs(text: str) -> Iterator[str]:
    """A paragraph that click must not wrap (it starts with a backspace) is a block of code."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if paragraph.startswith("\b"):
            yield f"```text\n{paragraph.removeprefix('\b').strip()}\n```\n"
        else:
            yield f"{_escaped(paragraph)}\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    options = [parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    found = [
        record for option in options if "--help" not in option.opts and (record := option.get_help_record(context))
    ]
    if not found:
        return
    yield "| option | meaning |"
    yield "|:--|:--|"
    for names, meaning in found:
        yield f"| `{names}` | {_escaped(' '.join(meaning.split()))} |"
    yield ""


def _escaped(text: str) -> str:
    """Text of the help as Markdown; what it quotes stays code."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([|*_\[\]])", r"\\\1", escape(part, quote=False)) for part in parts[::2]]
    return "`".join(parts)
