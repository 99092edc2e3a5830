"""The input of one Timeloop run as text, and the time unit that it is written in."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace

from energysim.arch.spec import ArchSpec, Array, Constraints, Memory
from energysim.engines.timeloop.writer import (
    Layout,
    MapperSettings,
    actions_of_costs,
    architecture_yaml,
    art_yaml,
    constraints_yaml,
    dump,
    ert_yaml,
    layout,
    mapper_yaml,
    mapping_yaml,
    metrics_of,
    problem_yaml,
)
from energysim.errors import UnavailableError
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.nest import Mapping
from energysim.mapping.search import Objective

Actions = Dict[str, Dict[str, float]]
"""Component -> action -> pJ."""


@dataclass(frozen=True)
class RunInput:
    """``text``: everything that one run reads. A cycle of the run lasts ``1 / macs_per_cycle`` of a device's cycle:
    a compute unit of Timeloop makes one MAC per cycle, so cycles are counted in MACs of one unit."""

    text: str
    layout: Layout
    macs_per_cycle: float
    link_transfers: bool


def model_input(problem: TensorProblem, arch: ArchSpec, mapping: Mapping, actions: Actions | None = None) -> RunInput:
    """What `timeloop-model` reads. ``actions`` (pJ) leaves counts alone; without them every action costs nothing.

    Raises SpecError for what Timeloop has no words for.
    """
    rate = _rate(problem, arch)
    found = layout(_unconstrained(_without_links(_in_macs(arch, rate))), problem, mapping)
    free = {level.name: dict.fromkeys(("read", "write", "update", "leak"), 0.0) for level in found.storages}
    free[found.units.name] = {"compute": 0.0, "leak": 0.0}
    document = {
        **architecture_yaml(found),
        **problem_yaml(problem),
        "mapping": mapping_yaml(found, mapping),
        **ert_yaml(found, actions or free),
        **art_yaml(found),
    }
    return RunInput(dump(document), found, rate, _links(arch))


def mapper_input(
    problem: TensorProblem, arch: ArchSpec, costs: CostModel, objective: Objective, settings: MapperSettings
) -> RunInput:
    """What `timeloop-mapper` reads: the same constraints, energies and objective that the native search has."""
    rate = _rate(problem, arch)
    found = layout(_without_links(_in_macs(arch, rate)), problem)
    costs = replace(costs, leak_pj_per_cycle=costs.leak_pj_per_cycle / rate)
    document = {
        **architecture_yaml(found),
        **constraints_yaml(found),
        **problem_yaml(problem),
        **mapper_yaml(replace(settings, metrics=metrics_of(objective))),
        **ert_yaml(found, actions_of_costs(found, costs)),
        **art_yaml(found),
    }
    return RunInput(dump(document), found, rate, _links(arch))


def _rate(problem: TensorProblem, arch: ArchSpec) -> float:
    bits = max((tensor.bits for tensor in problem.inputs), default=problem.output.bits)
    return arch.compute.throughput(bits)


def _in_macs(arch: ArchSpec, rate: float) -> ArchSpec:
    """The device with the time that one unit takes for one MAC as its cycle."""
    if rate == 1.0:
        return arch

    def slower(memory: Memory) -> Memory:
        read, write, shared = (
            None if width is None else width / rate
            for width in (memory.read_bandwidth, memory.write_bandwidth, memory.shared_bandwidth)
        )
        return replace(memory, read_bandwidth=read, write_bandwidth=write, shared_bandwidth=shared)

    nodes = tuple(slower(node) if isinstance(node, Memory) else node for node in arch.nodes)
    return replace(arch, nodes=nodes, clock_hz=arch.clock_hz * rate)


def _links(arch: ArchSpec) -> bool:
    """Whether neighbours forward words. Raises UnavailableError where only some arrays do: Timeloop has one switch."""
    arrays = [node for node in arch.nodes if isinstance(node, Array) and node.x * node.y > 1]
    linked = [array.name for array in arrays if array.link_transfers]
    if linked and len(linked) < len(arrays):
        raise UnavailableError(
            f"{arch.name}: only {', '.join(linked)} has link transfers, and Timeloop knows them for all arrays or none"
        )
    return bool(linked)


def _unconstrained(arch: ArchSpec) -> ArchSpec:
    """Without what bounds a search: a given mapping needs none of it, and an array whose axes take different dimensions
    then stands as one level, in which Timeloop sees what its rows and columns share."""
    nodes = tuple(replace(node, constraints=Constraints()) if isinstance(node, Array) else node for node in arch.nodes)
    return replace(arch, nodes=nodes)


def _without_links(arch: ArchSpec) -> ArchSpec:
    """The architecture as its files state it: link transfers are a switch of the run, not of the architecture."""
    nodes = tuple(replace(node, link_transfers=False) if isinstance(node, Array) else node for node in arch.nodes)
    return replace(arch, nodes=nodes)
