"""The rows of system S4's tables as points of the design space, under every condition that the write-up leaves open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from energysim.arch.loader import load_arch
from energysim.reproduce.check import graph_of
from energysim.reproduce.evidence import Condition
from energysim.schedule.buffering import largest_plane_bytes
from energysim.spec_files import SpecModel
from energysim.sweep import Point
from energysim.sweep.buffers import room_bytes

LIGHT, RESNET = "lightweight_cnn", "resnet18"
ARCHS = ("jetson_nano", "meta_proto_df")
IMAGES = ((32, 32), (224, 224), (480, 640))
QUICK_IMAGES = IMAGES[:2]
BATCHES = (1, 128)
BITS = (8, 16, 32)
_ENERGY_LIMIT_S = 60.0  # of search per layer: traffic is proven least, energies are of the best mapping found


@dataclass(frozen=True, slots=True)
class Setup:
    """Device, image (rows, columns), batch and word width."""

    arch: str
    rows: int
    columns: int
    batch: int
    bits: int

    @property
    def input(self) -> str:
        return f"{self.batch}x3x{self.rows}x{self.columns}"

    @property
    def labels(self) -> Condition:
        return self.arch, f"{self.columns}x{self.rows}", f"batch {self.batch}", f"{self.bits} bits"

    def __str__(self) -> str:
        return ", ".join(self.labels)


class Row(SpecModel):
    """A line of a table. ``model``: resnet (its convolutions and linear layer), resnet_all (pooling and additions as
    well), or the lightweight CNN plain, layerwise, tiled (``tile``), buffered (``channels``), full (both)."""

    model: str
    tile: int | None = None
    channels: int | None = None

    def __str__(self) -> str:
        sizes = [] if self.tile is None else [f"{self.tile}x{self.tile}"]
        sizes += [] if self.channels is None else [f"{self.channels} channels"]
        return " ".join([self.model, ", ".join(sizes)]).strip()


def setups(quick: bool) -> tuple[Setup, ...]:
    """Every condition, smallest work first; ``quick``: batch 1, without the largest image."""
    images, batches = (QUICK_IMAGES, BATCHES[:1]) if quick else (IMAGES, BATCHES)
    found = [
        Setup(arch, rows, columns, n, bits) for arch, (rows, columns), n, bits in product(ARCHS, images, batches, BITS)
    ]
    return tuple(sorted(found, key=lambda setup: (setup.rows * setup.columns * setup.batch, setup.bits)))


def point(row: Row, setup: Setup, objective: str = "dram") -> Point:
    """The simulation behind a row under a condition.

    A buffer of n channels has n times the bytes of the largest plane of one image, or what the device has for it: half
    of its feature-map memory for `buffered`, whose layers need room to work.
    """
    workload = RESNET if row.model.startswith("resnet") else LIGHT
    variant = "layerwise" if workload == RESNET else row.model
    size = None if row.channels is None else min(_wanted(row.channels, setup), room(variant, setup.arch))
    return Point(
        workload,
        setup.arch,
        variant,
        tile=None if row.tile is None else (row.tile, row.tile),
        buffer_bytes=size,
        input=setup.input,
        bits=setup.bits,
        objective=objective,
        time_limit_s=_ENERGY_LIMIT_S if objective == "energy" else None,
    )


def clipped(row: Row, setup: Setup) -> bool:
    """Whether the device has less memory than the buffer of a row asks for."""
    return row.channels is not None and _wanted(row.channels, setup) > room(row.model, setup.arch)


def energy_setups(quick: bool) -> Iterator[Setup]:
    """Conditions of energies: batch 1, words as wide as the device's."""
    return (s for s in setups(quick) if s.batch == 1 and s.bits == load_arch(s.arch).default_bits)


@lru_cache(maxsize=16)
def room(variant: str, arch: str) -> int:
    """Bytes that a variant may take of a device's feature-map memory."""
    size = room_bytes(Point(LIGHT, arch, variant=variant))
    assert size is not None
    return size


def _wanted(channels: int, setup: Setup) -> int:
    return channels * largest_plane_bytes(graph_of(LIGHT, setup.input), setup.bits)
