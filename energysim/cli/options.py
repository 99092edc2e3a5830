"""Options that several commands share, with the sizes typed in them: tiles (16, 4x72), buffers (128KiB, 64ch)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from energysim.errors import EnergySimError

Command = Callable[..., Any]


class _Tile(click.ParamType):  # type: ignore[type-arg]  # generic only in newer releases
    """(rows, columns) of "16" or "4x72"."""

    name = "tile"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int] | None:
        from energysim.schedule.sizes import parse_tile

        try:
            return parse_tile(value)
        except EnergySimError as error:
            self.fail(f"{error.what}: {error.hint}", param, ctx)


class _Buffer(click.ParamType):  # type: ignore[type-arg]
    """(bytes, None) of "128KiB", (None, channels) of "64ch"."""

    name = "buffer"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, int | None]:
        if isinstance(value, tuple):
            return value
        from energysim.schedule.sizes import parse_buffer

        return parse_buffer(value)


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
