"""Access counts x energy per action -> energy by level and tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Energy, Memory
from energysim.cost.access_energy import access_energy_pj
from energysim.cost.results import EnergyPj, EnergyShare, LevelCost
from energysim.energy import ActionEnergies
from energysim.graph.problem import Role
from energysim.mapping.counts import AccessCounts, Convention, Counts

_COMPUTE = "compute"
_LEAKAGE = "leakage"


@dataclass(frozen=True, slots=True)
class Operand:
    """What the energy of an access depends on besides the level: the role and the word width of the tensor."""

    role: Role
    bits: int


def energy_of(
    counts: Counts,
    operands: dict[str, Operand],
    arch: ArchSpec,
    energies: ActionEnergies,
    convention: Convention,
    latency_s: float,
    compute_bits: int,
    live_share: float = 1.0,
) -> tuple[tuple[EnergyShare, ...], tuple[LevelCost, ...]]:
    """Energy of one mapped layer: dynamic energy of every access, of every MAC, and leakage x latency.

    Parts of an ofmap: a word's last update at a level is `ofmap`, everything else (earlier updates, reads that
    accumulate, refills) is `psum`. ``live_share``: share of the MACs that are not gated off by a zero operand.
    """
    shares: list[EnergyShare] = []
    levels: list[LevelCost] = []
    memories = {memory.name: memory for memory in arch.memories}
    for access in counts.accesses:
        memory, operand = memories[access.level], operands[access.tensor]
        here = list(_access_shares(access, memory, operand, energies, convention))
        shares.extend(here)
        energy_pj = sum(share.energy.value for share in here)
        moved = (access.reads, access.fills, access.updates)
        levels.append(LevelCost(access.level, access.tensor, *moved, energy_pj, access.tile_words))
    compute = arch.compute
    if counts.macs:
        mac_energy = _times(energies.mac(compute_bits).pj, counts.macs * live_share)
        shares.append(EnergyShare(compute.name, _COMPUTE, mac_energy, "mac"))
    for name, leakage_w in leakage_of(arch, energies):
        shares.append(EnergyShare(name, _LEAKAGE, _times(leakage_w, latency_s * 1e12), _LEAKAGE))
    return tuple(shares), tuple(levels)


def leakage_of(arch: ArchSpec, energies: ActionEnergies) -> tuple[tuple[str, Sourced], ...]:
    """Leakage power in W of all instances of every component that states one."""
    stated: dict[str, Sourced | None] = {memory.name: memory.leakage_w for memory in energies.memories}
    stated[energies.compute.name] = energies.compute.leakage_w
    found = []
    for index, node in enumerate(arch.nodes):
        leakage_w = stated.get(node.name)
        if leakage_w is not None:
            found.append((node.name, leakage_w.scaled(arch.instances(index))))
    return tuple(found)


def _access_shares(
    access: AccessCounts, memory: Memory, operand: Operand, energies: ActionEnergies, convention: Convention
) -> Iterator[EnergyShare]:
    is_output = operand.role is Role.OFMAP
    word_bits = memory.bits_of(operand.bits, is_output)
    costs = energies.memory(memory.name)
    actions = (("read", access.reads, costs.read), ("write", access.fills, costs.write))
    for action, words, energy in (*actions, ("update", access.updates, costs.update)):
        if not words:
            continue
        spent = _spend(words, access.instances, energy, word_bits, convention)
        if not is_output:
            yield EnergyShare(memory.name, operand.role, spent, action)
        elif action == "update":
            final = (access.updates - access.reads) / access.updates
            yield EnergyShare(memory.name, "ofmap", _share(spent, final), action)
            if final < 1:
                yield EnergyShare(memory.name, "psum", _share(spent, 1 - final), action)
        else:
            yield EnergyShare(memory.name, "psum", spent, action)


def _spend(words: int, instances: float, energy: Energy, word_bits: int, convention: Convention) -> EnergyPj:
    if convention is Convention.TIMELOOP:
        block = max(1, energy.bits // word_bits)
        return _each(energy.pj, lambda pj: access_energy_pj(words / instances, instances, block, pj))
    return _times(energy.pj, words * word_bits / energy.bits)


def _each(constant: Sourced, formula: Callable[[float], float]) -> EnergyPj:
    return EnergyPj(formula(constant.value), formula(constant.low), formula(constant.high))


def _times(constant: Sourced, factor: float) -> EnergyPj:
    return _each(constant, lambda value: value * factor)


def _share(energy: EnergyPj, share: float) -> EnergyPj:
    return EnergyPj(energy.value * share, energy.low * share, energy.high * share)
