"""Options that several commands share, with the sizes typed in them: tiles (16, 4x72), buffers (128KiB, 64ch)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]


class _Tile(click.ParamType):  # type: ignore[type-arg]  # generic only in newer releases
    """(rows, columns) of "16" or "4x72"."""

    name = "tile"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int] | None:
        match = re.fullmatch(r"\s*(\d+)\s*(?:[xX*]\s*(\d+)\s*)?", value)
        if match is None or int(match[1]) < 1 or (match[2] is not None and int(match[2]) < 1):
            self.fail(f"{value!r} is no tile: 16, or rows x columns as in 4x72", param, ctx)
        return int(match[1]), int(match[2] or match[1])


class _Buffer(click.ParamType):  # type: ignore[type-arg]
    """(bytes, None) of "128KiB", (None, channels) of "64ch"."""

    name = "buffer"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, int | None]:
        if isinstance(value, tuple):
            return value
        channels = re.fullmatch(r"\s*(\d+)\s*ch(?:annels)?\s*", value)
        if channels is None:
            from energysim.units import parse_size_bits

            return parse_size_bits(value) // 8, None
        if int(channels[1]) < 1:
            self.fail(f"{value!r}: at least one channel", param, ctx)
        return None, int(channels[1])


def schedule_options(tile: str = "", buffer: str = "") -> Callable[[Command], Command]:
    """``--tile``, ``--buffer`` and ``--overlap``; what the command takes without them stands in their help."""
    sizes = [f"  [default: {default}]" if default else "" for default in (tile, buffer)]
    return _options(
        click.option(
            "--tile", type=_Tile(), metavar="N|ROWSxCOLS", help=f"Tile of the ofmap plane (tiled, full).{sizes[0]}"
        ),
        click.option(
            "--buffer",
            type=_Buffer(),
            metavar="SIZE|Nch",
            default=(None, None),
            show_default=False,
            help=f"Feature-map buffer, 128KiB or 64ch (buffered, full).{sizes[1]}",
        ),
        click.option(
            "--overlap",
            type=click.Choice(["recompute", "cache_columns", "cache"]),
            default="recompute",
            help="What becomes of the halo between tiles (full).",
        ),
    )


def input_options(bits: str = "the device's") -> Callable[[Command], Command]:
    """``--input``, ``--batch`` and ``--bits``."""
    return _options(
        click.option("--input", "input_shape", help="Input shape, e.g. 1x3x224x224."),
        click.option("--batch", type=click.IntRange(min=1), help="Replaces the first axis of the input."),
        click.option("--bits", type=click.IntRange(1, 64), help=f"Word width of all tensors.  [default: {bits}]"),
    )


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
