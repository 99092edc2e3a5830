"""The objective as sums: per word moved, what each count adds to energy, DRAM bytes and the time of each port."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energysim.arch.spec import ArchSpec, Memory
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import Convention
from energysim.mapping.search.objective import Metric, Objective
from energysim.mapping.search.records import Goal
from energysim.mapping.search.space import Floats

METRICS = {Metric.ENERGY: 0, Metric.LATENCY: 1, Metric.EDP: 2, Metric.DRAM: 3}


@dataclass(frozen=True)
class Component:
    """One sum over all traffic. ``read``, ``fill``, ``update``: [node, tensor], per word.

    ``per_instance``: the sum is divided by the instances of the memory (a port's cycles, not a total).
    """

    name: str
    read: Floats
    fill: Floats
    update: Floats
    per_instance: bool = False


def throughput(problem: TensorProblem, arch: ArchSpec) -> float:
    """MACs per cycle of one compute instance for the widest operand."""
    bits = max((tensor.bits for tensor in problem.inputs), default=problem.output.bits)
    return arch.compute.throughput(bits)


def needs_cycles(objective: Objective, costs: CostModel) -> bool:
    for metric in objective.metrics:
        if metric in (Metric.LATENCY, Metric.EDP) or (metric is Metric.ENERGY and costs.leak_pj_per_cycle > 0):
            return True
    return False


def components_of(
    problem: TensorProblem, arch: ArchSpec, costs: CostModel, objective: Objective, convention: Convention
) -> tuple[Component, ...]:
    """Energy and DRAM bytes where the objective needs them, then the ports that can limit the speed."""
    result = []
    if any(metric in (Metric.ENERGY, Metric.EDP) for metric in objective.metrics):
        result.append(_energy(problem, arch, costs, convention))
    if Metric.DRAM in objective.metrics:
        result.append(_dram(problem, arch))
    if needs_cycles(objective, costs):
        result.extend(_ports(problem, arch))
    if not result:
        zeros = _zeros(problem, arch)
        result.append(Component("nothing", zeros, zeros, zeros))
    return tuple(result)


def goal_of(
    problem: TensorProblem,
    arch: ArchSpec,
    costs: CostModel,
    components: tuple[Component, ...],
    metric: Metric,
    timed: bool,
    limited: tuple[Metric, float] | None = None,
) -> Goal:
    """``limited``: a metric that must not exceed a value."""
    names = [component.name for component in components]
    resources = sum(not component.per_instance for component in components)
    limit_metric, limit = limited or (metric, float("inf"))
    return Goal(
        metric=METRICS[metric],
        limit_metric=METRICS[limit_metric],
        limit=limit,
        energy=names.index("energy") if "energy" in names else 0,
        dram=names.index("dram") if "dram" in names else 0,
        resources=resources,
        components=len(components),
        constant_pj=float(costs.mac_pj * problem.macs),
        leak_pj=float(costs.leak_pj_per_cycle),
        macs_per_cycle=float(throughput(problem, arch)),
        timed=timed,
    )


def _zeros(problem: TensorProblem, arch: ArchSpec) -> Floats:
    return np.zeros((len(arch.nodes), len(problem.tensors)))


def _energy(problem: TensorProblem, arch: ArchSpec, costs: CostModel, convention: Convention) -> Component:
    read, fill, update = (_zeros(problem, arch) for _ in range(3))
    for node, tensors in enumerate(costs.accesses):
        for t, cost in enumerate(tensors):
            read[node, t] = cost.read.pj / cost.read.block(convention)
            fill[node, t] = cost.write.pj / cost.write.block(convention)
            update[node, t] = cost.update.pj / cost.update.block(convention)
    return Component("energy", read, fill, update)


def _word_bits(problem: TensorProblem, memory: Memory) -> Floats:
    return np.array([memory.bits_of(tensor.bits, tensor.is_output) for tensor in problem.tensors], dtype=float)


def _dram(problem: TensorProblem, arch: ArchSpec) -> Component:
    table = _zeros(problem, arch)
    node = arch.nodes.index(arch.memories[0])
    table[node] = _word_bits(problem, arch.memories[0]) / 8
    return Component("dram", table, table, table)


def _ports(problem: TensorProblem, arch: ArchSpec) -> list[Component]:
    """One component per limited port. A port that its MACs can never saturate is left out."""
    rate = throughput(problem, arch)
    macs = arch.instances(len(arch.nodes) - 1)
    result = []
    for index, memory in enumerate(arch.nodes):
        if not isinstance(memory, Memory):
            continue
        bits = _word_bits(problem, memory)
        # Per cycle a MAC reads every operand at most once, accumulates once, and fills no more than it reads.
        demand = macs / arch.instances(index) * rate * bits.sum()
        ports = (
            ("read", memory.read_bandwidth, 1, 0),
            ("write", memory.write_bandwidth, 0, 1),
            ("shared", memory.shared_bandwidth, 1, 1),
        )
        outputs = np.array([tensor.is_output for tensor in problem.tensors])
        for name, bandwidth, reads, writes in ports:
            worst = demand * reads + (demand + macs / arch.instances(index) * rate * bits[outputs].sum()) * writes
            if bandwidth is None or worst <= bandwidth:
                continue
            read, fill, update = (_zeros(problem, arch) for _ in range(3))
            read[index] = reads * bits / bandwidth
            fill[index] = writes * bits / bandwidth
            update[index] = writes * bits / bandwidth
            result.append(Component(f"{memory.name} {name}", read, fill, update, per_instance=True))
    return result
