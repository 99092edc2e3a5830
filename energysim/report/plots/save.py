"""Figures into files: 300 DPI, whole or not at all, with the command and version that made them in the metadata."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from energysim.errors import EnergySimError
from energysim.files import write_whole
from energysim.report.plots.svg import svg_file
from energysim.version import __version__

DPI = 300
FORMATS = ("png", "svg", "pdf")


def figure_bytes(figure: Figure, kind: str, command: str) -> bytes:
    """The file's content. ``kind``: one of FORMATS. The same figure and command give the same bytes."""
    by = f"energysim {__version__}"
    if kind == "svg":
        about: dict[str, str | None] = {"Description": command, "Creator": by, "Date": None}
        return svg_file(figure, about).encode()
    stream = io.BytesIO()
    if kind == "pdf":
        figure.savefig(stream, format=kind, metadata={"Subject": command, "Creator": by, "CreationDate": None})
    else:
        figure.savefig(stream, dpi=DPI, format=kind, metadata={"Description": command, "Software": by})
    return stream.getvalue()


def check_format(path: Path) -> str:
    """The format that a file's suffix names, PNG where it has none. Raises EnergySimError for another one."""
    kind = path.suffix.lower().removeprefix(".") or "png"
    if kind not in FORMATS:
        raise EnergySimError(f"{str(path)!r}: figures are no {kind}", hint=", ".join(f".{name}" for name in FORMATS))
    return kind


def save_figure(figure: Figure, path: Path, command: str) -> None:
    """In the format of the suffix; directories are made.

    Raises EnergySimError for another format, and where the file cannot be written: it is then as it was.
    """
    write_whole(path, figure_bytes(figure, check_format(path), command))
