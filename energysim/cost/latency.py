"""Cycles -> seconds, and which resource binds."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.arch.spec import ArchSpec, Efficiency
from energysim.mapping.counts import Counts

COMPUTE = "compute"
LAUNCH = "launch"


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of one layer, what binds ("compute", a level, or "launch"), and the share of peak MACs/s reached."""

    latency_s: float
    bottleneck: str
    utilization: float


def latency_of(counts: Counts, arch: ArchSpec, op_class: str, bits: int) -> Latency:
    """Latency = max over compute and each level's bandwidth (roofline per level, as Timeloop's), plus the launch
    overhead where the device states one.

    A device with measured or estimated efficiencies reaches only that share of its peak and of its DRAM bandwidth
    (energy-roofline form of Choi and Vuduc, 2012).
    """
    efficiency = next((e for e in arch.efficiency if e.op_class == op_class), None)
    cycles = dict(counts.level_cycles)
    cycles[COMPUTE] = counts.compute_cycles
    if efficiency is not None:
        cycles[COMPUTE] /= efficiency.compute.value
        outermost = arch.memories[0].name
        if outermost in cycles:
            cycles[outermost] /= efficiency.bandwidth.value
    # On a tie compute is named, then the innermost level.
    bottleneck = max(reversed(cycles), key=lambda name: cycles[name])
    busy_s = cycles[bottleneck] / arch.clock_hz
    overhead_s = _overhead(efficiency)
    latency_s = busy_s + overhead_s
    peak_macs = arch.instances(len(arch.nodes) - 1) * arch.compute.throughput(bits) * arch.clock_hz
    utilization = counts.macs / (latency_s * peak_macs) if latency_s else 0.0
    return Latency(latency_s, LAUNCH if overhead_s > busy_s else bottleneck, utilization)


def _overhead(efficiency: Efficiency | None) -> float:
    return 0.0 if efficiency is None else efficiency.launch_overhead_s.value
