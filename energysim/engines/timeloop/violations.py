"""Where a given mapping breaks the constraints of its architecture (Timeloop refuses such a mapping)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from energysim.arch.spec import Array, Constraints, Memory, Node
from energysim.mapping.nest import Loop, Mapping


def violations(mapping: Mapping, nodes: Sequence[Node]) -> Iterator[str]:
    """One line for each factor, axis or loop order that a constraint forbids."""
    for index, node in enumerate(nodes):
        if isinstance(node, Memory | Array):
            loops = [loop for loop in mapping.loops if loop.node == index]
            for what in _at(loops, node.constraints):
                yield f"the mapping breaks a constraint of {node.name}: {what}"


def _at(loops: Sequence[Loop], constraints: Constraints) -> Iterator[str]:
    factors = {loop.dim: prod(other.bound for other in loops if other.dim == loop.dim) for loop in loops}
    for dim, bound in constraints.fixed:
        if factors.get(dim, 1) != bound:
            yield f"{dim}={factors.get(dim, 1)}, must be {bound}"
    for dim, bound in constraints.at_most:
        if factors.get(dim, 1) > bound:
            yield f"{dim}={factors[dim]}, may be {bound} at most"
    for loop in loops:
        allowed = constraints.x_dims if loop.axis == "x" else constraints.y_dims
        if loop.axis is not None and allowed is not None and loop.dim not in allowed:
            yield f"{loop.dim} lies along {loop.axis.upper()}"
    inner_to_outer = [loop.dim for loop in reversed(loops)]
    listed = [dim for dim in constraints.innermost if dim in inner_to_outer]
    if inner_to_outer[: len(listed)] != listed:
        yield f"the loops from the innermost are {' '.join(inner_to_outer)}, must begin with {' '.join(listed)}"
