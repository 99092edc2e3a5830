"""Where feature maps and weights live on chip while a stack runs, and the device as its tiles see it.

While the tiles of a stack run, everything they touch is on chip: feature maps in a memory that holds ifmaps and ofmaps,
weights in one that holds weights before any fan-out. The outermost of these is the roomiest; where all that a stack
keeps fits in one further in that is theirs alone (a local buffer), it lives there and never passes the outer one. A
layer's tile is then mapped onto the device without the memories outside its homes; where no memory holds weights, they
go on streaming from DRAM.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from energysim.arch.spec import ArchSpec, Array, Constraints, Memory, Node
from energysim.errors import InfeasibleError

_PLANE = ("P", "Q", "D")
_MAPS = ("ifmap", "ofmap")
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Homes:
    """``maps``: the feature-map buffer; ``weights``: None where they stream from DRAM; ``arch``: what tiles run on."""

    maps: Memory
    weights: Memory | None
    arch: ArchSpec

    @property
    def shared(self) -> bool:
        """Whether weights take room from the feature maps."""
        return self.weights is not None and self.weights.name == self.maps.name


def map_memory(arch: ArchSpec) -> Memory | None:
    """The outermost on-chip memory that holds ifmaps and ofmaps; None where the device has none."""
    return next((m for m in arch.memories[1:] if m.holds("ifmap", "ifmap") and m.holds("ofmap", "ofmap")), None)


def capacity_bytes(memory: Memory) -> int | None:
    """Usable bytes; None where the memory is unbounded."""
    if memory.capacity_bits is None:
        return None
    return int(memory.capacity_bits / memory.multiple_buffering / 8)


@lru_cache(maxsize=_REMEMBERED)
def homes(arch: ArchSpec) -> Homes:
    """The outermost homes. Raises InfeasibleError where no on-chip memory holds both ifmaps and ofmaps."""
    maps = map_memory(arch)
    if maps is None:
        raise InfeasibleError(
            f"{arch.name!r} has no on-chip memory that holds both ifmaps and ofmaps",
            hint="feature maps cannot stay on chip between layers there; use the variants plain, layerwise or tiled",
        )
    weights = next(_before_fan_out(arch, "weights"), None)
    return _homes(arch, maps, weights)


@lru_cache(maxsize=_REMEMBERED)
def homes_inwards(arch: ArchSpec) -> tuple[Homes, ...]:
    """Homes from the innermost to the outermost pair. Further in than the outermost, a home holds only its own kind, so
    that a tile's mapping cannot need its room for anything else. Raises InfeasibleError as :func:`homes` does."""
    outer = homes(arch)
    maps = [m for m in _before_fan_out(arch, *_MAPS) if m.name == outer.maps.name or not _holds(m, "weights")]
    weights: list[Memory | None] = [
        m
        for m in _before_fan_out(arch, "weights")
        if (outer.weights is not None and m.name == outer.weights.name) or not any(_holds(m, kind) for kind in _MAPS)
    ]
    pairs = product(reversed(maps), [*reversed(weights or [None])])
    return tuple(_homes(arch, maps_home, weights_home) for maps_home, weights_home in pairs)


def _before_fan_out(arch: ArchSpec, *kinds: str) -> Iterator[Memory]:
    """On-chip memories that all PEs share and that hold the kinds, outermost first."""
    for node in arch.nodes[1:]:
        if isinstance(node, Array) and node.x * node.y > 1:
            return
        if isinstance(node, Memory) and all(_holds(node, kind) for kind in kinds):
            yield node


def _holds(memory: Memory, kind: str) -> bool:
    return memory.holds(kind, kind)


def _homes(arch: ArchSpec, maps: Memory, weights: Memory | None) -> Homes:
    # A home holds its tensors whole (the stack's plan checks that they fit), so nothing ever refills it, and loops
    # further out than it only say in which order it is read.
    nodes: list[Node] = []
    outside = {"ifmap", "ofmap", "weights"}
    if weights is None:
        outside.remove("weights")
    for node in arch.nodes[1:]:
        if not isinstance(node, Memory):
            nodes.append(node)
            continue
        here = ({"ifmap", "ofmap"} if node.name == maps.name else set()) | (
            {"weights"} if weights is not None and node.name == weights.name else set()
        )
        outside -= here
        kept = _keeping(_without(node, outside), here)
        if kept.keep or kept.may_bypass:
            nodes.append(kept)
        if node.name == maps.name:
            maps = kept
            if weights is None:
                nodes.append(replace(arch.memories[0], keep=frozenset({"weights"}), may_bypass=frozenset()))
        if weights is not None and node.name == weights.name:
            weights = kept
    return Homes(maps, weights, replace(arch, nodes=tuple(nodes)))


def _without(memory: Memory, kinds: set[str]) -> Memory:
    return replace(memory, keep=memory.keep - kinds, may_bypass=memory.may_bypass - kinds)


def _keeping(node: Memory, roles: set[str]) -> Memory:
    return replace(node, keep=node.keep | roles, may_bypass=node.may_bypass - roles)


def whole_planes(arch: ArchSpec) -> ArchSpec:
    """The device where no loop over the plane may stand at DRAM: an untiled implementation."""
    return _with_outermost(arch, Constraints(fixed=tuple((dim, 1) for dim in _PLANE)))


def streaming(arch: ArchSpec) -> ArchSpec:
    """The same, where feature maps need not stay in any memory: what does not fit is fetched again and again."""
    nodes: list[Node] = [whole_planes(arch).nodes[0]]
    for node in arch.nodes[1:]:
        if isinstance(node, Memory):
            free = {role for role in ("ifmap", "ofmap") if node.holds(role, role)}
            node = replace(node, keep=node.keep - free, may_bypass=node.may_bypass | free)
        nodes.append(node)
    return replace(arch, nodes=tuple(nodes))


def _with_outermost(arch: ArchSpec, constraints: Constraints) -> ArchSpec:
    outermost = replace(arch.memories[0], constraints=constraints)
    return replace(arch, nodes=(outermost, *arch.nodes[1:]))


def reserving(arch: ArchSpec, memory: Memory, reserved_bytes: int) -> ArchSpec:
    """The device with that much of a memory taken by retained feature maps."""
    if not reserved_bytes or memory.capacity_bits is None:
        return arch
    left = memory.capacity_bits - int(reserved_bytes * 8 * memory.multiple_buffering)
    if left <= 0:
        raise InfeasibleError(
            f"{memory.name!r}: retained feature maps take {reserved_bytes:,} of {memory.capacity_bits // 8:,} bytes",
            hint="choose a smaller buffer",
        )
    smaller = replace(memory, capacity_bits=left)
    return replace(arch, nodes=tuple(smaller if node.name == memory.name else node for node in arch.nodes))
