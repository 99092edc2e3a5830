"""How many complete mappings a search covers."""

from __future__ import annotations

from math import comb, prod

from energysim.arch.spec import Memory
from energysim.mapping.search.levels import Prepared
from energysim.mapping.search.setting import Setting


def mapspace_size(setting: Setting, prepared: list[Prepared]) -> float:
    """Factorizations over all nodes x hierarchies x the orders at each memory that differ in reuse.

    Before capacities and fan-outs cut it: the number a mapper without pruning would have to look at.
    """
    nodes = len(setting.nodes)
    factorizations = prod(_splits(bound, nodes) for bound in setting.space.bounds)
    total = 0.0
    for candidate in prepared:
        orders = 1.0
        for node, level in zip(setting.nodes, candidate.levels, strict=True):
            if isinstance(setting.arch.nodes[node], Memory):
                orders *= float(level.option_count[-1])
        total += factorizations * orders
    return total


def _splits(bound: int, parts: int) -> int:
    """Ways to write ``bound`` as an ordered product of ``parts`` factors."""
    ways, prime = 1, 2
    while bound > 1:
        power = 0
        while bound % prime == 0:
            bound //= prime
            power += 1
        ways *= comb(power + parts - 1, parts - 1)
        prime += 1
    return ways
