"""What the search minimizes: the energy of every access to every memory, at the constants' nominal values."""

from __future__ import annotations

from energysim.arch.spec import ArchSpec, Energy, Memory
from energysim.cost.energy import leakage_of
from energysim.energy import ActionEnergies
from energysim.graph.problem import Tensor, TensorProblem
from energysim.mapping.cost_model import AccessCost, ActionCost, CostModel


def cost_model(problem: TensorProblem, arch: ArchSpec, energies: ActionEnergies) -> CostModel:
    """The same constants as :func:`energysim.cost.energy.energy_of` uses, in the form that the search needs."""
    bits = max((tensor.bits for tensor in problem.inputs), default=problem.output.bits)
    leakage_w = sum(leakage.value for _, leakage in leakage_of(arch, energies))
    return CostModel(
        accesses=tuple(
            tuple(access_cost(node, tensor, energies) for tensor in problem.tensors) if isinstance(node, Memory) else ()
            for node in arch.nodes
        ),
        mac_pj=energies.mac(bits).pj.value,
        leak_pj_per_cycle=leakage_w * 1e12 / arch.clock_hz,
    )


def access_cost(memory: Memory, tensor: Tensor, energies: ActionEnergies) -> AccessCost:
    """What the actions of one memory on one tensor cost."""
    costs = energies.memory(memory.name)
    bits = memory.bits_of(tensor.bits, tensor.is_output)

    def cost(energy: Energy) -> ActionCost:
        return ActionCost(energy.pj.value, energy.bits / bits)

    return AccessCost(cost(costs.read), cost(costs.write), cost(costs.update))
