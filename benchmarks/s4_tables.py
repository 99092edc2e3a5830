"""Memory access of the S4 models on two devices, at every image, batch and word width.

Run: python benchmarks/s4_tables.py [--quick]
It writes docs/s4_memory_access.md; stopped and started again, it goes on where it was (build/s4_tables.json). About
half an hour of CPU time, half of it for three conditions (meta_proto_df, batch 128, 640x480).
DRAM traffic is that of the least-traffic mapping of every layer; energies are those of the least-energy mapping.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from s4_report import report

from energysim.arch.loader import load_arch
from energysim.cost.layers import floor_bytes
from energysim.cost.results import LayerCost
from energysim.energy import estimate
from energysim.engines.registry import get_engine
from energysim.errors import InfeasibleError
from energysim.graph.layers import LayerGraph
from energysim.mapping.counts import Convention
from energysim.mapping.search import Objective
from energysim.schedule.buffering import largest_plane_bytes
from energysim.schedule.homes import capacity_bytes, homes
from energysim.schedule.plan import plan_stack
from energysim.schedule.values import Overlap, Schedule, Stack
from energysim.schedule.variants import make_schedule
from energysim.simulation.schedules import KeptMaps, one_stack, schedule_costs
from energysim.simulation.setting import Setting
from energysim.simulation.stacks import stack_fits
from energysim.workload import resolve_workload

ARCHS = ("jetson_nano", "meta_proto_df")
IMAGES = ((32, 32), (224, 224), (480, 640))
BATCHES = (1, 128)
BITS = (8, 16, 32)
TILES = (16, 32, 64)
CHANNELS = (32, 64, 128)
# Seconds of search per layer: traffic is proven least, energies are of the best mapping found.
_LIMIT_S = {"dram": None, "energy": 60.0}


@dataclass(frozen=True)
class Condition:
    """Device, image (rows, columns), batch and word width."""

    arch: str
    rows: int
    columns: int
    batch: int
    bits: int

    @property
    def shape(self) -> str:
        return f"{self.batch}x3x{self.rows}x{self.columns}"

    @property
    def key(self) -> str:
        return f"{self.arch} {self.shape} {self.bits}"


class Cell:
    """Everything computed under one condition."""

    def __init__(self, condition: Condition, resnet: LayerGraph, light: LayerGraph) -> None:
        self._bits, self._resnet, self._light = condition.bits, resnet, light
        self._arch = load_arch(condition.arch)
        self._energies = estimate(self._arch)
        self._place = homes(self._arch)
        room = capacity_bytes(self._place.maps)
        assert room is not None
        self._room = room
        self._setting = self._with("dram")
        self.clipped: list[str] = []
        self.proven = True

    @property
    def at_its_width(self) -> bool:
        """Whether words are as wide as the device's."""
        return self._bits == self._arch.default_bits

    def _with(self, objective: str) -> Setting:
        return Setting(
            self._arch,
            self._energies,
            get_engine("native"),
            Objective.parse(objective),
            Convention.EXACT,
            self._bits,
            _LIMIT_S[objective],
        )

    def traffic(self) -> dict[str, float | None]:
        """DRAM bytes of every model of the write-up; None where the device cannot run it."""
        found: dict[str, float | None] = {}
        resnet = schedule_costs(self._resnet, self._schedule(self._resnet, "layerwise"), self._setting)
        macs_only = [cost for cost in resnet if self._resnet.layer(cost.name).problem is not None]
        found["ResNet-18"] = _bytes(resnet)
        found["ResNet-18, convolutions and linear layer"] = _bytes(macs_only)
        for variant in ("plain", "layerwise"):
            found[f"lightweight CNN, {variant}"] = self._bytes_of(self._schedule(self._light, variant))
        for tile in TILES:
            found[f"tiling {tile}x{tile}"] = self._bytes_of(self._schedule(self._light, "tiled", tile=(tile, tile)))
        for channels in CHANNELS:
            size = self._buffer(f"buffering {channels} ch", channels, self._room // 2)
            found[f"buffering {channels} ch"] = self._bytes_of(
                self._schedule(self._light, "buffered", buffer_bytes=size)
            )
        for tile, channels in (*((tile, 64) for tile in TILES), *((32, c) for c in CHANNELS if c != 64)):
            name = f"full {tile}x{tile}, {channels} ch"
            found[name] = self._bytes_of(self._full(name, tile, channels))
        found["floor of the lightweight CNN"] = floor_bytes(self._light, self._bits)
        return found

    def energy_pj(self) -> dict[str, tuple[float, float] | None]:
        """(all, DRAM's) energy of the untiled network and of the full model."""
        setting = self._with("energy")
        found: dict[str, tuple[float, float] | None] = {}
        for name, schedule in (
            ("plain", self._schedule(self._light, "plain")),
            ("full", self._full("full 32x32, 64 ch", 32, 64)),
        ):
            try:
                costs = schedule_costs(self._light, schedule, setting)
            except InfeasibleError:
                found[name] = None
                continue
            dram = self._arch.memories[0].name
            shares = [share for cost in costs for share in cost.shares]
            found[name] = (
                sum(share.energy.value for share in shares),
                sum(share.energy.value for share in shares if share.level == dram and share.part != "leakage"),
            )
        return found

    def _full(self, name: str, tile: int, channels: int) -> Schedule:
        size = self._buffer(name, channels, self._room)
        return self._schedule(self._light, "full", tile=(tile, tile), buffer_bytes=size)

    def _schedule(self, graph: LayerGraph, variant: str, **sizes: object) -> Schedule:
        return make_schedule(graph, variant, bits=self._bits, overlap=Overlap.RECOMPUTE, **sizes)  # type: ignore[arg-type]

    def _buffer(self, name: str, channels: int, most: int) -> int:
        """A buffer of so many channels of the largest plane, or what the device has for it."""
        wanted = channels * largest_plane_bytes(self._light, self._bits)
        if wanted > most and name not in self.clipped:
            self.clipped.append(name)
        return min(wanted, most)

    def _bytes_of(self, schedule: Schedule) -> float | None:
        kept = KeptMaps(self._light, schedule, self._setting)
        try:
            return sum(self._stack_bytes(stack, kept) for stack in schedule.stacks)
        except InfeasibleError:
            return None

    def _stack_bytes(self, stack: Stack, kept: KeptMaps) -> float:
        """Of a stack whose tiles and weights are on chip the plan has the words; what a layer is mapped to there is all
        the same."""
        if stack.tile is not None and not stack.free and self._place.weights is not None:
            plan = plan_stack(self._light, stack)
            if stack_fits(plan, self._bits, self._place):
                return plan.dram_words * self._bits / 8
        costs = one_stack(self._light, stack, self._setting, kept)
        self.proven = self.proven and all(cost.optimal for cost in costs)
        return _bytes(costs)


def _bytes(costs: tuple[LayerCost, ...] | list[LayerCost]) -> float:
    return sum(cost.dram_read_bytes + cost.dram_write_bytes for cost in costs)


def compute(condition: Condition) -> dict[str, object]:
    """Everything about one condition, as plain values."""
    started = time.process_time()
    resnet = resolve_workload("resnet18", condition.shape).trace()
    light = resolve_workload("lightweight_cnn", condition.shape).trace()
    cell = Cell(condition, resnet, light)
    traffic = cell.traffic()
    return {
        "condition": asdict(condition),
        "traffic": traffic,
        "energy_pj": cell.energy_pj() if condition.batch == 1 and cell.at_its_width else None,
        "clipped": cell.clipped,
        "proven": cell.proven,
        "parameters": {"ResNet-18": resnet.parameters, "lightweight CNN": light.parameters},
        "macs": {"ResNet-18": resnet.macs, "lightweight CNN": light.macs},
        "cpu_s": time.process_time() - started,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only 32x32, batch 1, 8 bits")
    parser.add_argument("--state", type=Path, default=Path("build/s4_tables.json"), help="what is computed already")
    parser.add_argument("--out", type=Path, default=Path("docs/s4_memory_access.md"))
    options = parser.parse_args()
    images, batches, widths = (IMAGES[:1], (1,), (8,)) if options.quick else (IMAGES, BATCHES, BITS)
    conditions = [Condition(arch, *image, n, bits) for arch, image, n, bits in product(ARCHS, images, batches, widths)]
    known = json.loads(options.state.read_text()) if options.state.exists() else {}
    options.state.parent.mkdir(parents=True, exist_ok=True)
    for condition in conditions:
        if condition.key not in known:
            known[condition.key] = compute(condition)
            partial = options.state.with_suffix(".partial")
            partial.write_text(json.dumps(known))
            partial.replace(options.state)
            print(f"{condition.key} bits: {known[condition.key]['cpu_s']:.1f} CPU s", flush=True)
    options.out.write_text(report([known[condition.key] for condition in conditions]))


if __name__ == "__main__":
    main()
