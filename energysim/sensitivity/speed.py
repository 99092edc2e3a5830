"""The latency of one result as a function of clock, bandwidths, efficiencies and launch overheads of its device."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec
from energysim.cost.latency import COMPUTE, slowdowns, span
from energysim.cost.results import VariantCost
from energysim.sensitivity.busy import Busy, Slowness, Speed
from energysim.sensitivity.spread import Spread


def speed_of(variant: VariantCost, arch: ArchSpec, side: str) -> Speed:
    """``side`` tells apart what two results must not be taken to share: of several ports of one memory any may be the
    one that binds, so its range is that of all of them, and each result has it for itself."""
    builder = _Builder(arch, side)
    resources = tuple(dict.fromkeys(name for layer in variant.layers for name, _ in layer.peak_s))
    seconds = np.zeros((len(variant.layers), len(resources)))
    used: list[tuple[int, int, Hashable]] = []
    speeds = {efficiency.op_class: efficiency for efficiency in arch.efficiency}
    for row, layer in enumerate(variant.layers):
        speed = speeds.get(layer.op_class)
        for name, peak_s in layer.peak_s:
            column = resources.index(name)
            seconds[row, column] = peak_s
            keys = builder.of_resource(name)
            share = (
                None if speed is None else {COMPUTE: speed.compute, arch.memories[0].name: speed.bandwidth}.get(name)
            )
            if share is not None:
                seconds[row, column] /= share.value
                keys = (*keys, builder.own(f"efficiency.{'compute' if name == COMPUTE else 'bandwidth'}", share))
            used += [(row, column, key) for key in keys]
        if speed is not None:
            builder.launched(speed.launch_overhead_s)
    names = tuple(builder.ranges)
    uses = np.zeros((*seconds.shape, len(names)), dtype=bool)
    for row, column, key in used:
        uses[row, column, names.index(key)] = True
    return Speed(Busy(names, seconds, uses), builder.ranges, builder.launches)


@dataclass
class _Builder:
    arch: ArchSpec
    side: str
    ranges: Slowness = field(default_factory=dict)
    launches: dict[Hashable, Spread] = field(default_factory=dict)

    def own(self, what: str, constant: Sourced) -> Hashable:
        """A constant of this device's name: the same number of the same source is the same constant."""
        key = (self.arch.name, what, constant)
        self.ranges[key] = span(constant)
        return key

    def launched(self, overhead_s: Sourced) -> None:
        key = (self.arch.name, "launch", overhead_s)
        before = self.launches.get(key, Spread(0.0, 0.0, 0.0))
        self.launches[key] = before + Spread(overhead_s.low, overhead_s.value, overhead_s.high)

    def of_resource(self, name: str) -> tuple[Hashable, ...]:
        stated = dict(self.arch.provenance)
        clocked = name == COMPUTE or name != self.arch.memories[0].name
        keys: tuple[Hashable, ...] = (self.own("clock", stated["clock"]),) if clocked and "clock" in stated else ()
        ports = [(key, port) for key, port in stated.items() if key.startswith(f"{name}.bandwidth.")]
        if len(ports) == 1:
            return (*keys, self.own(*ports[0]))
        if any(port.low < port.high for _, port in ports):
            clock = self.ranges[keys[0]] if keys else (1.0, 1.0)
            both = slowdowns(self.arch)[name]
            key = (self.side, name, "ports")
            self.ranges[key] = both[0] / clock[0], both[1] / clock[1]
            return (*keys, key)
        return keys
