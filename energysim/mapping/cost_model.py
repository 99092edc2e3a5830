"""What the search minimizes, as plain numbers: energy per physical access of every memory and tensor.

The package `mapping` knows nothing of estimators; who has them builds a :class:`CostModel` (``energysim.cost``).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from energysim.arch.spec import ArchSpec
from energysim.graph.problem import TensorProblem
from energysim.mapping.counts import Convention, Counts


@dataclass(frozen=True, slots=True)
class ActionCost:
    """``pj`` per physical access, which moves ``words`` words of the tensor (a fraction where a word is wider)."""

    pj: float
    words: float = 1.0

    def block(self, convention: Convention) -> float:
        """Words that one access is charged for: whole words in Timeloop's convention."""
        return float(max(1, int(self.words))) if convention is Convention.TIMELOOP else self.words

    def energy_pj(self, words: float, instances: float, convention: Convention) -> float:
        """Energy in pJ of ``words`` words in all instances together.

        `exact`: in proportion. `timeloop`: each instance pays whole accesses, instances * ceil(words / block) * pJ.
        """
        block = self.block(convention)
        if convention is Convention.TIMELOOP:
            return instances * ceil(words / instances / block) * self.pj if words else 0.0
        return words / block * self.pj


@dataclass(frozen=True, slots=True)
class AccessCost:
    """The actions of one memory on one tensor."""

    read: ActionCost
    write: ActionCost
    update: ActionCost


@dataclass(frozen=True)
class CostModel:
    """``accesses[node][tensor]`` in the order of ``ArchSpec.nodes`` and ``TensorProblem.tensors``.

    The inner tuple is empty for nodes that are no memory. ``mac_pj`` is per multiply-accumulate,
    ``leak_pj_per_cycle`` the leakage of all instances of all nodes.
    """

    accesses: tuple[tuple[AccessCost, ...], ...]
    mac_pj: float = 0.0
    leak_pj_per_cycle: float = 0.0

    def energy_pj(self, problem: TensorProblem, arch: ArchSpec, counts: Counts, convention: Convention) -> float:
        """Energy of counted accesses, MACs and leakage, in pJ."""
        nodes = {node.name: index for index, node in enumerate(arch.nodes)}
        tensors = {tensor.name: index for index, tensor in enumerate(problem.tensors)}
        total = self.mac_pj * counts.macs + self.leak_pj_per_cycle * counts.cycles
        for access in counts.accesses:
            cost = self.accesses[nodes[access.level]][tensors[access.tensor]]
            total += cost.read.energy_pj(access.reads, access.instances, convention)
            total += cost.write.energy_pj(access.fills, access.instances, convention)
            total += cost.update.energy_pj(access.updates, access.instances, convention)
        return total
