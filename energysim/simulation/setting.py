"""What every layer of one simulation shares, and the mappings found so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from energysim.arch.spec import ArchSpec, Memory, Node
from energysim.cost.model import cost_model
from energysim.energy import ActionEnergies
from energysim.engines.protocol import Engine, MappedLayer
from energysim.errors import InfeasibleError, ProgramError
from energysim.graph.problem import Role, TensorProblem
from energysim.mapping.cost_model import AccessCost, ActionCost, CostModel
from energysim.mapping.counts import Convention
from energysim.mapping.search import ENERGY, Metric, Objective

Progress = Callable[[int, int, str], None]
"""(distinct problems mapped, to map, the layer that is mapped now)"""

_REMEMBERED_SETTINGS = 16
_REMEMBERED_MAPPINGS = 2048
"""Per setting: a sweep over thousands of sizes takes no more memory than one over hundreds."""

Key = tuple[TensorProblem, tuple[Node, ...], tuple[tuple[Role, float], ...]]


@lru_cache(maxsize=_REMEMBERED_SETTINGS)
def _proven(
    engine: type[Engine], energies: ActionEnergies, clock_hz: float, objective: Objective, convention: Convention
) -> dict[Key, MappedLayer]:
    """The proven mappings that this process knows: points of a grid of tiles have most of their problems in common."""
    return {}


@dataclass(frozen=True, slots=True)
class Setting:
    """One device, word width, objective and engine. ``mapped`` remembers every search: equal work is done once.

    What is proven is also remembered from one simulation of the process to the next.
    """

    arch: ArchSpec
    energies: ActionEnergies
    engine: Engine
    objective: Objective
    convention: Convention
    bits: int
    time_limit_s: float | None
    mapped: dict[Key, MappedLayer] = field(default_factory=dict, compare=False)

    def words_of(self, problem: TensorProblem) -> TensorProblem:
        """The problem with this simulation's word widths, where the network does not fix them."""
        return problem.with_free_bits(self.bits)

    def search(
        self, problem: TensorProblem, arch: ArchSpec, name: str, off_chip: tuple[tuple[Role, float], ...] = ()
    ) -> MappedLayer:
        """The best mapping of a problem onto the device or a variant of it (same components, other constraints).

        ``off_chip``: for roles of which only a share of the words comes from DRAM, that share.
        """
        key = (problem, arch.nodes, off_chip)
        found = self.mapped.get(key)
        if found is None:
            proven = _proven(type(self.engine), self.energies, self.arch.clock_hz, self.objective, self.convention)
            found = proven.get(key) or self._searched(problem, arch, name, off_chip)
            self.mapped[key] = found
            if found.optimal:
                if len(proven) >= _REMEMBERED_MAPPINGS:
                    proven.pop(next(iter(proven)), None)  # the oldest
                proven[key] = found
        return found

    def _searched(
        self, problem: TensorProblem, arch: ArchSpec, name: str, off_chip: tuple[tuple[Role, float], ...]
    ) -> MappedLayer:
        costs, objective = cost_model(problem, arch, self.energies), self.objective
        if off_chip:
            costs = _cheaper(costs, problem, dict(off_chip))
        if off_chip and objective.primary is Metric.DRAM:
            # The engine's DRAM bytes know no shares; as an energy of nothing but those bytes they have them.
            costs, objective = _bytes_only(problem, arch, dict(off_chip)), ENERGY
        try:
            return self.engine.search(problem, arch, costs, objective, self.convention, self.time_limit_s)
        except InfeasibleError as error:
            what = f"layer {name!r} cannot be mapped onto {arch.name!r}: {error.what}"
            raise InfeasibleError(what, hint=error.hint) from error
        except ProgramError as error:
            what = f"layer {name!r} on {arch.name!r}: {error}"
            raise ProgramError(what) from error


def _bytes_only(problem: TensorProblem, arch: ArchSpec, share: dict[Role, float]) -> CostModel:
    """A cost of one per byte that crosses the outermost memory's port, of the words that really do, and of no other."""

    def access(level: Memory, role: Role, bits: int) -> AccessCost:
        outermost = level is arch.memories[0]
        action = ActionCost(level.bits_of(bits, role is Role.OFMAP) / 8 * share.get(role, 1.0) if outermost else 0.0)
        return AccessCost(action, action, action)

    return CostModel(
        tuple(
            tuple(access(node, tensor.role, tensor.bits) for tensor in problem.tensors)
            if isinstance(node, Memory)
            else ()
            for node in arch.nodes
        )
    )


def _cheaper(costs: CostModel, problem: TensorProblem, share: dict[Role, float]) -> CostModel:
    """Accesses to the outermost memory cost only the share of the words that really crosses it."""

    def scaled(cost: AccessCost, role: Role) -> AccessCost:
        factor = share.get(role, 1.0)
        actions = (cost.read, cost.write, cost.update)
        return AccessCost(*(replace(action, pj=action.pj * factor) for action in actions))

    outermost = tuple(
        scaled(cost, tensor.role) for cost, tensor in zip(costs.accesses[0], problem.tensors, strict=True)
    )
    return replace(costs, accesses=(outermost, *costs.accesses[1:]))
