"""Cycles -> seconds, and which resource binds."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Efficiency, Memory
from energysim.mapping.counts import Counts

COMPUTE = "compute"
LAUNCH = "launch"


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of one layer, what binds ("compute", a level, or "launch"), and the share of peak MACs/s reached.

    ``low_s``, ``high_s``: the same with every constant at its fastest, and at its slowest. ``peak_s``: what each
    resource ("compute", the levels) would take on its own at its peak.
    """

    latency_s: float
    bottleneck: str
    utilization: float
    low_s: float
    high_s: float
    peak_s: tuple[tuple[str, float], ...]


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
    resources = ((COMPUTE, counts.compute_cycles), *counts.level_cycles)
    peak_s = tuple((name, needed / arch.clock_hz) for name, needed in resources)
    low_s, high_s = _interval_s(dict(peak_s), arch, efficiency)
    return Latency(latency_s, LAUNCH if overhead_s > busy_s else bottleneck, utilization, low_s, high_s, peak_s)


def peak_bytes_per_s(arch: ArchSpec) -> tuple[tuple[str, float | None], ...]:
    """What all instances of each memory pass at most, over all ports; None where it is not bounded. Outermost first."""
    found: list[tuple[str, float | None]] = []
    for index, memory in enumerate(arch.nodes):
        if isinstance(memory, Memory):
            apart = (memory.read_bandwidth, memory.write_bandwidth)
            limits = [memory.shared_bandwidth, None if None in apart else sum(bits for bits in apart if bits)]
            bits = min((limit for limit in limits if limit is not None), default=None)
            found.append((memory.name, None if bits is None else bits / 8 * arch.clock_hz * arch.instances(index)))
    return tuple(found)


def slowdowns(arch: ArchSpec) -> dict[str, tuple[float, float]]:
    """By resource: what its time at peak is multiplied by where clock and bandwidths are at their high and at their
    low values.

    The clock moves compute and on-chip memories; the outermost memory has a clock of its own. Of several ports of a
    memory the one that moves most counts, so that the interval holds for whichever binds.
    """
    stated = dict(arch.provenance)
    clock = span(stated["clock"]) if "clock" in stated else (1.0, 1.0)
    found = {COMPUTE: clock}
    for memory in arch.memories:
        ports = [span(s) for key, s in stated.items() if key.startswith(f"{memory.name}.bandwidth.")]
        fast, slow = min((low for low, _ in ports), default=1.0), max((high for _, high in ports), default=1.0)
        own = (1.0, 1.0) if memory is arch.memories[0] else clock
        found[memory.name] = fast * own[0], slow * own[1]
    return found


def span(rate: Sourced) -> tuple[float, float]:
    """What a time is multiplied by where the rate behind it is at its high, and at its low value."""
    return rate.value / rate.high, rate.value / rate.low if rate.low else 1.0


def _interval_s(peak_s: dict[str, float], arch: ArchSpec, efficiency: Efficiency | None) -> tuple[float, float]:
    factors = slowdowns(arch)
    fast = {name: seconds * factors[name][0] for name, seconds in peak_s.items()}
    slow = {name: seconds * factors[name][1] for name, seconds in peak_s.items()}
    if efficiency is None:
        return max(fast.values()), max(slow.values())
    for name, share in ((COMPUTE, efficiency.compute), (arch.memories[0].name, efficiency.bandwidth)):
        if name in peak_s:
            fast[name] /= share.high
            slow[name] /= share.low
    overhead = efficiency.launch_overhead_s
    return max(fast.values()) + overhead.low, max(slow.values()) + overhead.high


def _overhead(efficiency: Efficiency | None) -> float:
    return 0.0 if efficiency is None else efficiency.launch_overhead_s.value
