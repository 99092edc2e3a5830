"""Dataflow templates: constraints under the names that the field knows.

*X-stationary*: at every memory the loops that do not move X are the innermost ones, so that what lies inside holds its
part of X until every use of it is made; the factors stay free. *Row-stationary* (Chen, Emer, Sze: Eyeriss, ISCA
2016): a PE keeps a row of the kernel (S) and slides it over a row of the ifmap, for some channels and filters; kernel
rows (R) go down the array, ofmap rows (P) across; rows, channels, filters or groups that are left are folded onto what
is free.
"""

from __future__ import annotations

from dataclasses import replace

from energysim.arch.spec import ArchSpec, Array, Constraints, Memory, Node
from energysim.errors import MappingError

_INNERMOST = {
    "weight-stationary": ("Q", "P", "N"),
    "output-stationary": ("S", "R", "C"),
    "input-stationary": ("K",),
}
"""The dimensions of a convolution that do not move the tensor, innermost first."""
_ROW = "row-stationary"
DATAFLOWS = (*_INNERMOST, _ROW)

_ACROSS = frozenset({"P", "K", "G"})
_DOWN = frozenset({"R", "P", "C", "K", "G"})
_NOT_IN_A_PE = ("G", "N", "P", "Q", "R")


def with_dataflow(arch: ArchSpec, name: str) -> ArchSpec:
    """The device with the constraints of a dataflow beside its own. Raises MappingError where the two exclude each
    other, where the device has no place for the dataflow, or for an unknown name."""
    if name not in DATAFLOWS:
        raise MappingError(f"no dataflow {name!r}", hint=f"one of {', '.join(DATAFLOWS)}")
    if name == _ROW:
        nodes = _row_stationary(arch)
    else:
        innermost = _INNERMOST[name]
        nodes = [_ordered(arch, node, innermost, name) if isinstance(node, Memory) else node for node in arch.nodes]
    return replace(arch, nodes=tuple(nodes), assumptions=(*arch.assumptions, f"mapped {name} only"))


def _ordered(arch: ArchSpec, memory: Memory, innermost: tuple[str, ...], name: str) -> Memory:
    own = memory.constraints.innermost
    shared = min(len(own), len(innermost))
    if own[:shared] != innermost[:shared]:
        raise MappingError(
            f"{name} wants {', '.join(innermost)} innermost at {memory.name}, where {arch.name!r} itself wants "
            f"{', '.join(own)}",
            hint="a device whose `constraints` leave the loop order open",
        )
    longer = max(own, innermost, key=len)
    return replace(memory, constraints=replace(memory.constraints, innermost=longer))


def _row_stationary(arch: ArchSpec) -> list[Node]:
    arrays = [i for i, node in enumerate(arch.nodes) if isinstance(node, Array)]
    if not arrays or not any(isinstance(node, Memory) for node in arch.nodes[arrays[-1] :]):
        raise MappingError(
            f"row-stationary needs an array of PEs with memories of their own, which {arch.name!r} lacks",
            hint="`energysim arch show NAME` draws a device; eyeriss has one",
        )
    last = arrays[-1]
    outer = max(i for i, node in enumerate(arch.nodes[:last]) if isinstance(node, Memory))
    nodes = list(arch.nodes)
    for index, node in enumerate(arch.nodes):
        if isinstance(node, Array) and index == last:
            limits = node.constraints
            across, down = _both(limits.x_dims, _ACROSS), _both(limits.y_dims, _DOWN)
            nodes[index] = replace(node, constraints=replace(limits, x_dims=across, y_dims=down))
        elif isinstance(node, Memory) and index == outer:
            nodes[index] = _ordered(arch, node, ("Q",), _ROW)
        elif isinstance(node, Memory) and index > last:
            nodes[index] = replace(node, constraints=_without(arch, node.name, node.constraints))
    return nodes


def _both(own: frozenset[str] | None, wanted: frozenset[str]) -> frozenset[str]:
    return wanted if own is None else own & wanted


def _without(arch: ArchSpec, name: str, limits: Constraints) -> Constraints:
    """The constraints of a PE's memory with no loop over what lies across PEs or passes through them."""
    for dim, factor in limits.fixed:
        if dim in _NOT_IN_A_PE and factor != 1:
            raise MappingError(
                f"row-stationary has no loop over {dim} in a PE, where {arch.name!r} fixes one of {factor} at {name}",
                hint=f"a device whose `constraints` leave {dim} open there",
            )
    fixed = dict(limits.fixed) | dict.fromkeys(_NOT_IN_A_PE, 1)
    return replace(limits, fixed=tuple(fixed.items()))
