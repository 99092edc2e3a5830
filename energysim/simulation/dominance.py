"""Places whose energy is sure to be less than that of another, so that nothing has to be mapped in the other.

Let tiles live in a memory right inside another one, the outer home, and let no memory further in hold what has a
sliding window. A mapping with the outer home becomes one without it: its loops there move to the inner home, outside
those that loop there already, and into the loop of the same dimension where there is one. Then no boundary further in
carries more. What has no window is exchanged once for every loop outside the innermost one that moves it, and no loop
that stood inside that one stands outside it now; what has one is read from the inner home for every MAC, whatever the
order. So, with the outer home, a tile costs at least what its best mapping without it costs, and on top each word of
the ifmaps that is read from there and written to the inner home, and each word of the ofmap that is written there.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from energysim.arch.spec import Memory
from energysim.cost.energy import leakage_of
from energysim.engines.registry import NativeEngine
from energysim.graph.problem import TensorProblem
from energysim.mapping.counts import Convention
from energysim.mapping.search.objective import Metric
from energysim.schedule.homes import Homes
from energysim.simulation.apart_energy import copies_pj, word_pj
from energysim.simulation.places import Part, Place
from energysim.simulation.setting import Setting

_UNKNOWN = float("-inf")


def decides(setting: Setting) -> bool:
    """Whether the energy of accesses is what is minimized, over the whole mapspace of perfect factors."""
    engine = setting.engine
    leaks = any(leakage.value for _, leakage in leakage_of(setting.arch, setting.energies))
    return (
        setting.objective.primary is Metric.ENERGY
        and not leaks
        and setting.convention is Convention.EXACT
        and isinstance(engine, NativeEngine)
        and not engine.imperfect
    )


def saved_pj(place: Place, parts: Sequence[Part], outer: Homes, staying: Set[str], setting: Setting) -> float:
    """What a stack costs less at least in ``place`` than with everything in ``outer``, where the best mapping of every
    tile is known. May be negative; -inf where the mappings cannot be compared.

    ``staying``: feature maps that are on chip whole anyway.
    """
    total_pj = 0.0
    for part in parts:
        copied = part.copies.values()
        total_pj -= sum(copies_pj(item, part.home.maps, place, setting.energies, setting.bits) for item in copied)
        if part.home.arch.nodes != outer.arch.nodes:
            total_pj += _moved_in_pj(part, outer, staying, setting)
    return total_pj


def _moved_in_pj(part: Part, outer: Homes, staying: Set[str], setting: Setting) -> float:
    """What tiles cost less at least because they live further in than ``outer``, copies left out."""
    inner = part.home
    if not _is_right_inside(inner, outer):
        return _UNKNOWN
    here, there = (word_pj(home.maps, setting.energies, setting.bits) for home in (inner, outer))
    loaded = sum(words for edge, words in part.plan.loads.items() if edge not in staying)
    total_pj = (there.fill - here.fill) * loaded
    for layer in part.plan.layers:
        for tile in layer.tiles:
            read_words = sum(words for _, words in tile.read_words)
            if tile.problem is None:
                less_pj = (there.read - here.read) * read_words + (there.update - here.update) * tile.write_words
            elif _comparable(tile.problem, inner) and _all_wide(tile.problem, setting.bits):
                less_pj = (there.read + here.fill) * read_words + there.update * tile.write_words
            else:
                return _UNKNOWN
            total_pj += less_pj * tile.repeats
    return total_pj


def _is_right_inside(inner: Homes, outer: Homes) -> bool:
    """Whether the device is the same but for the outer home right around the inner one, in which loops are free."""
    names = [node.name for node in outer.arch.nodes]
    at = names.index(outer.maps.name)
    home = outer.arch.nodes[at + 1]
    if not isinstance(home, Memory) or home.name != inner.maps.name:
        return False
    free = not (home.constraints.fixed or home.constraints.at_most or home.constraints.innermost)
    return free and inner.arch.nodes == (*outer.arch.nodes[:at], *outer.arch.nodes[at + 1 :])


def _comparable(problem: TensorProblem, inner: Homes) -> bool:
    """Whether no memory further in than the inner home holds a tensor with a sliding window."""
    at = [node.name for node in inner.arch.nodes].index(inner.maps.name)
    further_in = [node for node in inner.arch.nodes[at + 1 :] if isinstance(node, Memory)]
    windowed = [tensor for tensor in problem.tensors if any(len(rank.terms) > 1 for rank in tensor.ranks)]
    return not any(memory.holds(tensor.name, tensor.role) for tensor in windowed for memory in further_in)


def _all_wide(problem: TensorProblem, bits: int) -> bool:
    return all(tensor.bits == bits for tensor in problem.with_free_bits(bits).tensors)
