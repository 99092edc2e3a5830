"""Sizes as they are typed: tiles (16, 4x72) and buffers (128KiB, 64ch)."""

from __future__ import annotations

import re

import click


def parse_tile(text: str) -> tuple[int, int]:
    """(rows, columns) of "16" or "4x72"."""
    match = re.fullmatch(r"\s*(\d+)\s*(?:[xX*]\s*(\d+)\s*)?", text)
    if match is None or int(match[1]) < 1 or (match[2] is not None and int(match[2]) < 1):
        raise click.BadParameter(f"{text!r} is no tile: 16, or rows x columns as in 4x72", param_hint="--tile")
    return int(match[1]), int(match[2] or match[1])


def parse_buffer(text: str) -> tuple[int | None, int | None]:
    """(bytes, None) of "128KiB", (None, channels) of "64ch"."""
    channels = re.fullmatch(r"\s*(\d+)\s*ch(?:annels)?\s*", text)
    if channels is not None:
        if int(channels[1]) < 1:
            raise click.BadParameter(f"{text!r}: at least one channel", param_hint="--buffer")
        return None, int(channels[1])
    from energysim.units import parse_size_bits

    return parse_size_bits(text) // 8, None
