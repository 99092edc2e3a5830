"""Tiles and buffers as text: ``16``, ``4x72``; ``128 KiB``, ``64ch``."""

from __future__ import annotations

import re

from energysim.errors import UnitError
from energysim.units import parse_size_bits, whole_number

_TILE = re.compile(r"\s*(\d+)\s*(?:[xX*]\s*(\d+)\s*)?")
_CHANNELS = re.compile(r"\s*(\S+?)\s*ch(?:annels)?\s*")


def parse_tile(text: object) -> tuple[int, int]:
    """(rows, columns) of "16" or "4x72", or of a number or a pair of numbers. Raises UnitError."""
    if isinstance(text, tuple | list):
        if len(text) != 2:
            raise UnitError(f"{text!r} is no tile", hint="rows and columns")
        return whole_number(text[0], "number of rows"), whole_number(text[1], "number of columns")
    match = None if isinstance(text, bool) else _TILE.fullmatch(str(text))
    if match is None or int(match[1]) < 1 or (match[2] is not None and int(match[2]) < 1):
        raise UnitError(f"{text!r} is no tile", hint="16, or rows x columns as in 4x72")
    return int(match[1]), int(match[2] or match[1])


def parse_buffer(text: object) -> tuple[int | None, int | None]:
    """(bytes, None) of "128 KiB", (None, channels) of "64ch". Raises UnitError."""
    channels = _CHANNELS.fullmatch(str(text))
    if channels is None:
        return parse_size_bits(text) // 8, None
    if not channels[1].isdecimal() or int(channels[1]) < 1:
        raise UnitError(f"{text!r} is no buffer", hint="a whole number of channels from 1 on, as in 64ch")
    return None, int(channels[1])


def tile_text(tile: tuple[int, int]) -> str:
    """The text that :func:`parse_tile` reads as this tile."""
    rows, columns = tile
    return str(rows) if rows == columns else f"{rows}x{columns}"
