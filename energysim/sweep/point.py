"""One point of a design space: a network, a device, and how the network is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from energysim.schedule.sizes import tile_text
from energysim.schedule.values import Overlap

Override = str | int | float | bool | None
BUFFERED = ("buffered", "full")
"""Variants that take a feature-map buffer."""
_TILED, _OVERLAPPING = ("tiled", "full"), ("full",)


@dataclass(frozen=True, slots=True)
class Point:
    """What `simulate` is asked for. ``overrides``: values of the device that differ, by path ("GLB.capacity").

    ``buffer_bytes`` or ``buffer_channels``, not both. ``ert``, ``art``: files in Accelergy's format.
    """

    workload: str
    arch: str
    variant: str = "layerwise"
    tile: tuple[int, int] | None = None
    buffer_bytes: int | None = None
    buffer_channels: int | None = None
    overlap: str = Overlap.RECOMPUTE.value
    input: str | None = None
    batch: int | None = None
    bits: int | None = None
    objective: str = "energy"
    overrides: tuple[tuple[str, Override], ...] = ()
    convention: str | None = None
    engine: str = "native"
    estimator: str = "table"
    imperfect: bool = False
    time_limit_s: float | None = None
    ert: tuple[str, ...] = ()
    art: tuple[str, ...] = ()

    def canonical(self) -> Point:
        """Without the sizes that the variant does not use: points of equal work are equal.

        `optimal` chooses its own tiles, buffers and overlap. Where `full` has no tile there are no neighbours whose
        halo could be kept.
        """
        tile = self.tile if self.variant in _TILED else None
        buffered = self.variant in BUFFERED
        return replace(
            self,
            tile=tile,
            buffer_bytes=self.buffer_bytes if buffered else None,
            buffer_channels=self.buffer_channels if buffered else None,
            overlap=self.overlap if self.variant in _OVERLAPPING and tile is not None else Overlap.RECOMPUTE.value,
            overrides=tuple(sorted(self.overrides, key=lambda pair: pair[0])),
        )

    @property
    def buffer(self) -> str | None:
        """The buffer as it is written: "131072 B", "64ch"."""
        if self.buffer_channels is not None:
            return f"{self.buffer_channels}ch"
        return None if self.buffer_bytes is None else f"{self.buffer_bytes} B"

    def options(self) -> Mapping[str, Any]:
        """The keyword arguments of ``energysim.simulate``, but for the model and the device."""
        return {
            "variant": self.variant,
            "tile": self.tile,
            "buffer_bytes": self.buffer_bytes,
            "buffer_channels": self.buffer_channels,
            "overlap": self.overlap,
            "bits": self.bits,
            "objective": self.objective,
            "convention": self.convention,
            "engine": self.engine,
            "estimator": self.estimator,
            "imperfect": self.imperfect,
            "time_limit_s": self.time_limit_s,
            "ert": self.ert,
            "art": self.art,
        }

    def __str__(self) -> str:
        sizes = (
            None if self.tile is None else f"tile {tile_text(self.tile)}",
            None if self.buffer is None else f"buffer {self.buffer}",
            self.overlap if self.variant in _OVERLAPPING and self.tile is not None else None,
            self.input,
            None if self.batch is None else f"batch {self.batch}",
            None if self.bits is None else f"{self.bits} bits",
            *(f"{path} = {value}" for path, value in self.overrides),
        )
        return " ".join((self.workload, "on", self.arch, self.variant, *(text for text in sizes if text)))
