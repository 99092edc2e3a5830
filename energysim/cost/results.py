"""What a simulation returns: plain values, per layer and in total, to and from the JSON form of DESIGN section 4."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

SCHEMA = 1
TENSORS = ("weights", "ifmap", "ofmap", "psum", "compute", "leakage")


@dataclass(frozen=True, slots=True)
class EnergyPj:
    """An energy with the interval that the constants' low and high values give."""

    value: float
    low: float
    high: float

    def __add__(self, other: EnergyPj) -> EnergyPj:
        return EnergyPj(self.value + other.value, self.low + other.low, self.high + other.high)


ZERO = EnergyPj(0.0, 0.0, 0.0)


def total(energies: Iterable[EnergyPj]) -> EnergyPj:
    result = ZERO
    for energy in energies:
        result += energy
    return result


@dataclass(frozen=True, slots=True)
class LevelCost:
    """Accesses of one tensor at one memory (words, all instances) and their energy. ``part``: see TENSORS.

    ``tile_words``: the largest tile that one instance keeps (0 for what only passes through).
    """

    level: str
    tensor: str
    reads: int
    fills: int
    updates: int
    energy_pj: float
    tile_words: int


@dataclass(frozen=True, slots=True)
class EnergyShare:
    """Energy at one level for one part of TENSORS. ``action``: what is paid for (read, write, update, mac, leakage);
    level and action together name the constant behind the energy."""

    level: str
    part: str
    energy: EnergyPj
    action: str


@dataclass(frozen=True)
class LayerCost:
    """One layer of one variant. ``macs_executed`` includes recomputed halos; bytes are DRAM traffic.

    ``latency_low_s``, ``latency_high_s``: over the low and high values of efficiencies, clock and bandwidths.
    ``peak_s``: seconds that each resource would need on its own at its peak; ``op_class`` says which efficiencies and
    launch overhead turn them into the latency. ``homes``: of a layer in a stack, what lives in which memory (tiles,
    columns and lines kept for later tiles, weights unless they stream).
    """

    name: str
    op: str
    macs: int
    macs_executed: int
    params: int
    dram_read_bytes: float
    dram_write_bytes: float
    latency_s: float
    latency_low_s: float
    latency_high_s: float
    bottleneck: str
    utilization: float
    op_class: str
    peak_s: tuple[tuple[str, float], ...]
    shares: tuple[EnergyShare, ...]
    levels: tuple[LevelCost, ...]
    mapping: str = ""
    optimal: bool = True
    gap: float = 0.0
    stack: int = 0
    homes: tuple[tuple[str, str], ...] = ()

    @cached_property
    def energy(self) -> EnergyPj:
        return total(share.energy for share in self.shares)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "op": self.op,
            "macs": self.macs,
            "macs_executed": self.macs_executed,
            "params": self.params,
            "dram_read_bytes": self.dram_read_bytes,
            "dram_write_bytes": self.dram_write_bytes,
            **_interval_data(self.energy),
            "latency_s": self.latency_s,
            "latency_low_s": self.latency_low_s,
            "latency_high_s": self.latency_high_s,
            "bottleneck": self.bottleneck,
            "utilization": self.utilization,
            "op_class": self.op_class,
            "peak_s": dict(self.peak_s),
            "stack": self.stack,
            "homes": dict(self.homes),
            "optimal": self.optimal,
            "gap": self.gap,
            "mapping": self.mapping,
            "levels": [asdict(level) for level in self.levels],
            "shares": [
                {"level": share.level, "part": share.part, "action": share.action, **_interval_data(share.energy)}
                for share in self.shares
            ],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The layer that :meth:`to_dict` told. Raises KeyError, TypeError or ValueError for other ``data``."""
        plain = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        plain["peak_s"] = tuple((str(name), float(seconds)) for name, seconds in data["peak_s"].items())
        plain["homes"] = tuple((str(what), str(where)) for what, where in data.get("homes", {}).items())
        plain["levels"] = tuple(LevelCost(**level) for level in data["levels"])
        plain["shares"] = tuple(
            EnergyShare(share["level"], share["part"], _interval(share), share["action"]) for share in data["shares"]
        )
        return cls(**plain)


@dataclass(frozen=True)
class VariantCost:
    """One network under one schedule variant. ``dram_floor_bytes``: weights, network input and output, once each.

    ``optimal``, ``gap``: of the variant `optimal`, whether no schedule among its candidates is better, else how much
    better one could be at most (relative). The other variants have no choice: their layers' mappings say theirs.
    """

    variant: str
    layers: tuple[LayerCost, ...]
    params: int
    dram_floor_bytes: float
    tile: tuple[int, int] | None = None
    buffer_bytes: float | None = None
    overlap: str | None = None
    optimal: bool = True
    gap: float = 0.0

    @cached_property
    def energy(self) -> EnergyPj:
        return total(layer.energy for layer in self.layers)

    @cached_property
    def latency_s(self) -> float:
        return sum(layer.latency_s for layer in self.layers)

    @cached_property
    def latency_interval_s(self) -> tuple[float, float]:
        """Latency with every constant at its fastest, and at its slowest."""
        return sum(layer.latency_low_s for layer in self.layers), sum(layer.latency_high_s for layer in self.layers)

    @cached_property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @cached_property
    def macs_executed(self) -> int:
        return sum(layer.macs_executed for layer in self.layers)

    @cached_property
    def dram_read_bytes(self) -> float:
        return sum(layer.dram_read_bytes for layer in self.layers)

    @cached_property
    def dram_write_bytes(self) -> float:
        return sum(layer.dram_write_bytes for layer in self.layers)

    @property
    def dram_bytes(self) -> float:
        return self.dram_read_bytes + self.dram_write_bytes

    @property
    def edp_js(self) -> float:
        """Energy-delay product of one inference, joule seconds."""
        return self.energy.value * 1e-12 * self.latency_s

    @property
    def edp_interval_js(self) -> tuple[float, float]:
        """The energy-delay product with energy and latency both at their low, and both at their high."""
        low_s, high_s = self.latency_interval_s
        return self.energy.low * 1e-12 * low_s, self.energy.high * 1e-12 * high_s

    @cached_property
    def energy_by_level(self) -> dict[str, EnergyPj]:
        return _grouped((share.level, share.energy) for layer in self.layers for share in layer.shares)

    @cached_property
    def energy_by_action(self) -> dict[str, EnergyPj]:
        """Keys "DRAM.read", "FMA.mac", "GLB.leakage": one per constant that energy is paid at."""
        return _grouped((f"{s.level}.{s.action}", s.energy) for layer in self.layers for s in layer.shares)

    @cached_property
    def energy_by_tensor(self) -> dict[str, EnergyPj]:
        found = _grouped((share.part, share.energy) for layer in self.layers for share in layer.shares)
        return {part: found.get(part, ZERO) for part in TENSORS}

    def totals(self) -> dict[str, Any]:
        """``totals`` of :meth:`to_dict`."""
        return {
            "macs": self.macs,
            "macs_executed": self.macs_executed,
            "params": self.params,
            **_interval_data(self.energy),
            "latency_s": self.latency_s,
            "latency_low_s": self.latency_interval_s[0],
            "latency_high_s": self.latency_interval_s[1],
            "edp_js": self.edp_js,
            "edp_low_js": self.edp_interval_js[0],
            "edp_high_js": self.edp_interval_js[1],
            "dram_read_bytes": self.dram_read_bytes,
            "dram_write_bytes": self.dram_write_bytes,
            "dram_floor_bytes": self.dram_floor_bytes,
            "optimal": self.optimal,
            "gap": self.gap,
        }

    def to_dict(self) -> dict[str, Any]:
        return {
            "variant": self.variant,
            "tile": None if self.tile is None else list(self.tile),
            "buffer_bytes": self.buffer_bytes,
            "overlap": self.overlap,
            "totals": self.totals(),
            "energy_pj_by_level": {level: energy.value for level, energy in self.energy_by_level.items()},
            "energy_pj_by_tensor": {part: energy.value for part, energy in self.energy_by_tensor.items()},
            "energy_pj_by_action": {action: asdict(energy) for action, energy in self.energy_by_action.items()},
            "layers": [layer.to_dict() for layer in self.layers],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The variant that :meth:`to_dict` told. Raises KeyError, TypeError or ValueError for other ``data``.

        Totals and sums are computed again from the layers.
        """
        totals = data["totals"]
        return cls(
            variant=str(data["variant"]),
            layers=tuple(LayerCost.from_dict(layer) for layer in data["layers"]),
            params=int(totals["params"]),
            dram_floor_bytes=float(totals["dram_floor_bytes"]),
            tile=None if data["tile"] is None else (int(data["tile"][0]), int(data["tile"][1])),
            buffer_bytes=data["buffer_bytes"],
            overlap=data["overlap"],
            optimal=bool(totals["optimal"]),
            gap=float(totals["gap"]),
        )


def _interval_data(energy: EnergyPj) -> dict[str, float]:
    return {"energy_pj": energy.value, "energy_low_pj": energy.low, "energy_high_pj": energy.high}


def _interval(data: dict[str, Any]) -> EnergyPj:
    return EnergyPj(float(data["energy_pj"]), float(data["energy_low_pj"]), float(data["energy_high_pj"]))


def _grouped(pairs: Iterable[tuple[str, EnergyPj]]) -> dict[str, EnergyPj]:
    sums: dict[str, EnergyPj] = {}
    for key, energy in pairs:
        sums[key] = sums.get(key, ZERO) + energy
    return sums
