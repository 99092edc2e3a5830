"""What every action of every component costs: the energy reference table of an architecture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from energysim.arch.sourced import Sourced
from energysim.arch.spec import Energy
from energysim.errors import NotFoundError, did_you_mean


@dataclass(frozen=True, slots=True)
class MemoryEnergies:
    """One instance of a memory: energy of one physical access (``Energy.bits`` at once), leakage power or None (not
    modelled). ``update`` is a result that arrives from below."""

    name: str
    read: Energy
    write: Energy
    update: Energy
    leakage_w: Sourced | None


@dataclass(frozen=True, slots=True)
class ComputeEnergies:
    """One compute unit: energy of one MAC by operand width in bits, ascending."""

    name: str
    mac: tuple[tuple[int, Energy], ...]
    leakage_w: Sourced | None

    def at(self, operand_bits: int) -> Energy:
        """Energy of one MAC: of the narrowest width of the unit that holds the operands. Wider operands than it has
        take several passes: quadratically more."""
        for bits, energy in self.mac:
            if operand_bits <= bits:
                return energy
        bits, widest = self.mac[-1]
        return Energy(widest.pj.scaled((operand_bits / bits) ** 2), operand_bits)


@dataclass(frozen=True)
class ActionEnergies:
    """Energies of every component of one architecture, each with its range and source.

    ``areas_um2``: of one instance, of the components whose area is known. ``notes``: what the estimator said.
    """

    arch: str
    estimator: str
    memories: tuple[MemoryEnergies, ...]
    compute: ComputeEnergies
    areas_um2: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, MemoryEnergies]:
        return {memory.name: memory for memory in self.memories}

    def memory(self, name: str) -> MemoryEnergies:
        """The energies of a memory. Raises NotFoundError."""
        found = self._by_name.get(name)
        if found is None:
            hint = did_you_mean(name, self._by_name) or f"memories: {', '.join(self._by_name)}"
            raise NotFoundError(f"{self.arch} has no memory {name!r}", hint=hint)
        return found

    def mac(self, operand_bits: int) -> Energy:
        """Energy of one multiply-accumulate of operands of this width."""
        return self.compute.at(operand_bits)
