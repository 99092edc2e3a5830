"""pJ of words in the homes of a stack, and of the copies that it pays for where not everything lives in one."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.arch.spec import Energy, Memory
from energysim.energy import ActionEnergies
from energysim.schedule.apart import Copies
from energysim.simulation.places import Place


def per_word_pj(energy: Energy, word_bits: int) -> float:
    """pJ of one word, of an access that moves many."""
    return energy.pj.value * word_bits / energy.bits


@dataclass(frozen=True, slots=True)
class WordPj:
    """pJ of a word of a feature map at one memory: read as an ifmap, written as one, written as a result."""

    read: float
    fill: float
    update: float


def word_pj(memory: Memory, energies: ActionEnergies, bits: int) -> WordPj:
    costs, wide = energies.memory(memory.name), memory.bits_of(bits)
    return WordPj(
        per_word_pj(costs.read, wide),
        per_word_pj(costs.write, wide),
        per_word_pj(costs.update, memory.bits_of(bits, True)),
    )


def copies_pj(item: Copies, tiles: Memory, place: Place, energies: ActionEnergies, bits: int) -> float:
    """pJ of all copies of one feature map between the tiles' memory and those of what is kept."""

    def moving_pj(source: Memory, target: Memory) -> float:
        return word_pj(source, energies, bits).read + word_pj(target, energies, bits).fill

    stores = ((place.columns, item.columns_in, item.columns_out), (place.lines, item.lines_in, item.lines_out))
    return sum(
        into * moving_pj(store, tiles) + out_of * moving_pj(tiles, store)
        for store, into, out_of in stores
        if store.name != tiles.name and (into or out_of)
    )
