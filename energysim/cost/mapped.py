"""The cost of one mapped problem: accesses, their energy, and the total, as Timeloop or as the search states it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from energysim.arch.spec import ArchSpec
from energysim.cost.access_energy import access_energy_pj
from energysim.energy import ActionEnergies
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import AccessCounts, Convention, Counts
from energysim.mapping.nest import Mapping


@dataclass(frozen=True, slots=True)
class AccessCost:
    """Accesses of one tensor at one memory and the energy of all instances."""

    access: AccessCounts
    energy_pj: float


@dataclass(frozen=True)
class MappedCost:
    """Outermost memory first. ``energy_pj`` is dynamic: all accesses and all MACs; leakage stands beside it."""

    accesses: tuple[AccessCost, ...]
    compute_pj: float
    leakage_pj: float

    @property
    def energy_pj(self) -> float:
        return sum(cost.energy_pj for cost in self.accesses) + self.compute_pj


def cost_of_mapping(
    problem: TensorProblem, arch: ArchSpec, mapping: Mapping, counts: Counts, energies: ActionEnergies
) -> MappedCost:
    """Energy of every access and MAC, and the leakage of memories, by Timeloop's rules.

    An instance pays whole physical accesses: ceil(words / words per access). Leakage is instances in use x cycles x
    leakage per cycle; that of the compute units is not counted.
    """
    order = [memory.name for memory in arch.memories]
    accesses = _outermost_first(counts, arch)
    seconds = counts.cycles / arch.clock_hz
    leakage_pj = 0.0
    for index, node in enumerate(arch.nodes):
        leakage_w = energies.memory(node.name).leakage_w if node.name in order else None
        if leakage_w is not None:
            leakage_pj += leakage_w.value * 1e12 * seconds * _instances_in_use(index, node.name, mapping, counts)
    operand_bits = max((tensor.bits for tensor in problem.inputs), default=arch.compute.bits)
    return MappedCost(
        tuple(AccessCost(access, _energy_pj(access, problem, arch, energies)) for access in accesses),
        counts.macs * energies.mac(operand_bits).pj.value,
        leakage_pj,
    )


def cost_of_search(
    problem: TensorProblem, arch: ArchSpec, counts: Counts, costs: CostModel, convention: Convention
) -> MappedCost:
    """The same as the search minimizes it: energy of words in proportion (`exact`) or of whole accesses (`timeloop`),
    and the leakage of all instances of the device, used or not."""
    nodes = {node.name: index for index, node in enumerate(arch.nodes)}
    tensors = {tensor.name: index for index, tensor in enumerate(problem.tensors)}

    def energy_pj(access: AccessCounts) -> float:
        cost = costs.accesses[nodes[access.level]][tensors[access.tensor]]
        moved = ((cost.read, access.reads), (cost.write, access.fills), (cost.update, access.updates))
        return sum(action.energy_pj(words, access.instances, convention) for action, words in moved)

    return MappedCost(
        tuple(AccessCost(access, energy_pj(access)) for access in _outermost_first(counts, arch)),
        counts.macs * costs.mac_pj,
        counts.cycles * costs.leak_pj_per_cycle,
    )


def _outermost_first(counts: Counts, arch: ArchSpec) -> list[AccessCounts]:
    order = {memory.name: position for position, memory in enumerate(arch.memories)}
    return sorted(counts.accesses, key=lambda access: order[access.level])


def _energy_pj(access: AccessCounts, problem: TensorProblem, arch: ArchSpec, energies: ActionEnergies) -> float:
    memory = next(memory for memory in arch.memories if memory.name == access.level)
    tensor = problem.tensor(access.tensor)
    word_bits = memory.bits_of(tensor.bits, tensor.is_output)
    costs = energies.memory(memory.name)
    moved = ((access.reads, costs.read), (access.fills, costs.write), (access.updates, costs.update))
    return sum(
        access_energy_pj(words / access.instances, access.instances, max(1, energy.bits // word_bits), energy.pj.value)
        for words, energy in moved
    )


def _instances_in_use(index: int, name: str, mapping: Mapping, counts: Counts) -> float:
    """As counted; for a memory that keeps nothing, as many as the loops above it reach."""
    counted = [access.instances for access in counts.accesses if access.level == name]
    reached = prod(loop.bound for loop in mapping.loops if loop.axis is not None and loop.node < index)
    return max(counted, default=float(reached))
