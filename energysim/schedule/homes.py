"""Where feature maps and weights live on chip while a stack runs, and the device as its tiles see it.

While the tiles of a stack run, everything they touch is on chip: feature maps in the outermost on-chip memory that
holds ifmaps and ofmaps, weights in the outermost on-chip memory that holds weights before any fan-out. A layer's tile
is then mapped onto the device without its DRAM; where no such memory holds weights, they go on streaming from DRAM.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from energysim.arch.spec import ArchSpec, Array, Constraints, Memory, Node
from energysim.errors import InfeasibleError

_PLANE = ("P", "Q", "D")


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


def homes(arch: ArchSpec) -> Homes:
    """Raises InfeasibleError where no on-chip memory holds both ifmaps and ofmaps."""
    maps = map_memory(arch)
    if maps is None:
        raise InfeasibleError(
            f"{arch.name!r} has no on-chip memory that holds both ifmaps and ofmaps",
            hint="feature maps cannot stay on chip between layers there; use the variants plain, layerwise or tiled",
        )
    nodes = list(arch.nodes[1:])
    weights = _weight_memory(nodes)
    at_maps = nodes.index(maps)
    nodes[at_maps] = maps = _keeping(maps, {"ifmap", "ofmap"})
    # A home holds its tensors whole (the stack's plan checks that they fit), so nothing ever refills it, and loops
    # further out than it only say in which order it is read.
    if weights is None:
        stream = replace(arch.memories[0], keep=frozenset({"weights"}), may_bypass=frozenset())
        nodes.insert(at_maps + 1, stream)
    else:
        at_weights = next(i for i, node in enumerate(nodes) if node.name == weights.name)
        nodes[at_weights] = weights = _keeping(nodes[at_weights], {"weights"})
    return Homes(maps, weights, replace(arch, nodes=tuple(nodes)))


def _weight_memory(nodes: list[Node]) -> Memory | None:
    for node in nodes:
        if isinstance(node, Array) and node.x * node.y > 1:
            return None
        if isinstance(node, Memory) and node.holds("weights", "weights"):
            return node
    return None


def _keeping(node: Node, roles: set[str]) -> Memory:
    assert isinstance(node, Memory)
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
