"""A table as plain text cells, drawn by rich on a terminal and as Markdown in a file."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Sheet:
    """``columns``: headings; ``rows``: as many cells each; ``notes`` stand below. The first column is left-aligned."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def to_rich(self) -> Group:
        table = Table(header_style="bold", pad_edge=False)
        for index, name in enumerate(self.columns):
            table.add_column(name, justify="left" if index == 0 else "right", no_wrap=index == 0)
        for row in self.rows:
            table.add_row(*row)
        return Group(Text(self.title, style="bold"), table, *(Text(note, style="dim") for note in self.notes))

    def to_markdown(self) -> str:
        aligned = [":--", *("--:" for _ in self.columns[1:])]
        lines = [f"**{self.title}**", "", _line(self.columns), _line(tuple(aligned)), *map(_line, self.rows)]
        if self.notes:
            lines += ["", *(f"{note}  " for note in self.notes)]
        return "\n".join(line.rstrip() if not line.endswith("  ") else line for line in lines) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
