"""What a stack pays where not everything lives in one memory, without a mapping: the copies, and the larger tiles."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import prod

from energysim.arch.spec import Energy, Memory
from energysim.energy import ActionEnergies
from energysim.schedule.apart import Copies, copies
from energysim.schedule.plan import StackPlan
from energysim.simulation.places import Place


def apart_pj(
    place: Place, plan: StackPlan, energies: ActionEnergies, bits: int, least_update_pj: float
) -> dict[str, float]:
    """pJ per layer: all copies, and what results cost in their tiles' memory more than ``least_update_pj`` per word."""
    found: defaultdict[str, float] = defaultdict(float)
    for home, tiles in place.tiles:
        moved, seen = copies(plan, tiles), set[str]()
        more_pj = per_word_pj(energies.memory(home.maps.name).update, home.maps.bits_of(bits, True)) - least_update_pj
        for item in plan.weights:
            layer = plan.graph.layer(item.layer)
            new = {edge for edge in (*layer.inputs, *layer.outputs) if edge not in seen}
            seen |= new
            found[layer.name] += sum(copies_pj(moved[edge], home.maps, place, energies, bits) for edge in new)
            output = layer.outputs[0]
            rows, columns = plan.rows.fresh[output].at(tiles.rows), plan.columns.fresh[output].at(tiles.columns)
            pixels = int(rows.sizes.sum()) * int(columns.sizes.sum())
            found[layer.name] += more_pj * pixels * prod(plan.graph.edges[output].shape[:2])
    return found


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
        if store.name != tiles.name
    )
