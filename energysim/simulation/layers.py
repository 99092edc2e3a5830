"""The cost of one layer on its own: mapped whole, or streamed where it has no MACs."""

from __future__ import annotations

from dataclasses import replace

from energysim.arch.spec import ArchSpec
from energysim.cost.energy import Operand, energy_of
from energysim.cost.latency import latency_of
from energysim.cost.layers import dram_bytes, live_share, op_class, operands_of, problem_operands, streams_of
from energysim.cost.results import LayerCost
from energysim.engines.protocol import MappedLayer
from energysim.engines.streaming import stream
from energysim.errors import InfeasibleError
from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.problem import Role
from energysim.mapping.counts import AccessCounts, Counts
from energysim.mapping.render import loop_nest_text
from energysim.schedule.homes import map_memory, streaming, whole_planes
from energysim.simulation.setting import Setting

Shares = dict[Role, float]
"""Share of a role's words that crosses DRAM; 1 where a role is not named."""


def layer_alone(
    layer: Layer, graph: LayerGraph, setting: Setting, arch: ArchSpec, shares: Shares | None = None
) -> LayerCost:
    """One layer between DRAM and DRAM on ``arch`` (the device, or a constrained form of it)."""
    shares = shares or {}
    if layer.problem is None:
        streams = streams_of(layer, graph, setting.bits)
        counts = stream(streams, arch)
        return cost_of(
            layer,
            graph,
            _staying(counts, {role.value: share for role, share in shares.items()}, arch),
            operands_of(streams),
            setting,
        )
    problem = setting.words_of(layer.problem)
    off_chip = tuple(sorted(shares.items()))
    mapped = setting.search(problem, arch, layer.name, off_chip)
    counts = _staying(mapped.counts, {t.name: shares.get(t.role, 1.0) for t in problem.tensors}, arch)
    cost = cost_of(layer, graph, counts, problem_operands(problem), setting)
    return with_mapping(cost, mapped, loop_nest_text(problem, arch, mapped.mapping))


def layer_untiled(layer: Layer, graph: LayerGraph, setting: Setting) -> LayerCost:
    """One layer whose plane is never cut at DRAM; feature maps are streamed where that cannot be mapped otherwise."""
    try:
        return layer_alone(layer, graph, setting, whole_planes(setting.arch))
    except InfeasibleError:
        return layer_alone(layer, graph, setting, streaming(setting.arch))


def with_mapping(cost: LayerCost, mapped: MappedLayer, text: str) -> LayerCost:
    return replace(cost, mapping=text, optimal=mapped.optimal, gap=mapped.gap)


def cost_of(
    layer: Layer,
    graph: LayerGraph,
    counts: Counts,
    operands: dict[str, Operand],
    setting: Setting,
    stack: int = 0,
) -> LayerCost:
    """Counts -> energy, latency and DRAM bytes of one layer."""
    kind = op_class(layer)
    arch = setting.arch
    bits = max((operand.bits for operand in operands.values() if operand.role is not Role.OFMAP), default=setting.bits)
    latency = latency_of(counts, arch, kind, bits)
    live = live_share(layer, graph, arch.compute.gates_zeros)
    shares, levels = energy_of(
        counts, operands, arch, setting.energies, setting.convention, latency.latency_s, bits, live
    )
    read, written = dram_bytes(counts, operands, setting.arch)
    return LayerCost(
        name=layer.name,
        op=layer.op,
        macs=layer.macs,
        macs_executed=counts.macs,
        params=sum(graph.edges[name].words for name in layer.parameters),
        dram_read_bytes=read,
        dram_write_bytes=written,
        latency_s=latency.latency_s,
        latency_low_s=latency.low_s,
        latency_high_s=latency.high_s,
        bottleneck=latency.bottleneck,
        utilization=latency.utilization,
        op_class=kind,
        peak_s=latency.peak_s,
        shares=shares,
        levels=levels,
        stack=stack,
    )


def _staying(counts: Counts, shares: dict[str, float], arch: ArchSpec) -> Counts:
    """The counts where only a share of a tensor's words comes from DRAM and goes there: the rest is already on chip.

    What stays is not read from DRAM, does not fill the memory that it stays in, and is not written back. Where the
    mapping passes that memory by, what it would have moved at DRAM it moves there.
    """
    if all(share == 1.0 for share in shares.values()):
        return counts
    outermost, home = arch.memories[0].name, map_memory(arch)
    at_home = {access.tensor for access in counts.accesses if home is not None and access.level == home.name}
    accesses: list[AccessCounts] = []
    for access in counts.accesses:
        share = shares.get(access.tensor, 1.0)
        if access.level == outermost:
            reads, updates = round(access.reads * share), round(access.updates * share)
            accesses.append(replace(access, reads=reads, updates=updates))
            if home is not None and share < 1.0 and access.tensor not in at_home:
                moved = replace(access, reads=access.reads - reads, fills=0, updates=access.updates - updates)
                accesses.append(replace(moved, level=home.name, tile_words=0))
        elif home is not None and access.level == home.name:
            accesses.append(replace(access, fills=round(access.fills * share)))
        else:
            accesses.append(access)
    before = {a.tensor: a for a in counts.accesses if a.level == outermost}
    saved = 1.0
    if before:
        words = sum(a.reads + a.fills + a.updates for a in before.values())
        left = sum(a.reads + a.fills + a.updates for a in accesses if a.level == outermost)
        saved = left / words if words else 1.0
    level_cycles = tuple((name, cycles * (saved if name == outermost else 1.0)) for name, cycles in counts.level_cycles)
    cycles = max([counts.compute_cycles, *[value for _, value in level_cycles]])
    return replace(counts, accesses=tuple(accesses), level_cycles=level_cycles, cycles=cycles)
