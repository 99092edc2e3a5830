"""Which feature maps stay on chip between producer and last consumer, in a buffer of given size.

A feature map held for n steps of the network occupies its bytes n times; it saves one write and one read per consumer.
Maps are therefore kept in order of words saved per byte and step; where a map does not fit whole, its first channels
are kept. Maps and their views share their words and so live and stay together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, prod

from energysim.graph.layers import LayerGraph, LayerKind, TensorKind
from energysim.schedule.live import Content, LiveRange
from energysim.schedule.values import Retained


@dataclass(frozen=True, slots=True)
class Candidate:
    """A feature map that may stay on chip while the layers ``first`` to ``last`` (indices into the graph) run.

    ``channel_words``: of one channel, over the whole batch; ``accesses``: the write and the reads that keeping saves;
    ``divisible``: its first channels can stay without the others.
    """

    edge: str
    channels: int
    channel_words: int
    first: int
    last: int
    accesses: int
    divisible: bool

    def size_bytes(self, channels: int, bits: int) -> int:
        return ceil(channels * self.channel_words * bits / 8)


def candidates(graph: LayerGraph) -> tuple[Candidate, ...]:
    """Every feature map between two layers, in execution order; network inputs and outputs are no candidates."""
    families: dict[str, list[str]] = {}
    for edge in graph.edges.values():
        families.setdefault(edge.storage, []).append(edge.name)
    position = {layer.name: index for index, layer in enumerate(graph.layers)}
    found = []
    for storage, family in families.items():
        root = graph.edges[storage]
        if any(graph.edges[name].kind is not TensorKind.ACTIVATION for name in family):
            continue
        readers = [name for edge in family for name in graph.consumers.get(edge, ())]
        reading = {name for name in readers if graph.layers[position[name]].kind is not LayerKind.VIEW}
        if storage not in graph.producers or not reading:
            continue
        channels = root.shape[1] if len(root.shape) > 1 else 1
        found.append(
            Candidate(
                edge=storage,
                channels=channels,
                channel_words=prod(root.shape) // max(1, channels),
                first=position[graph.producers[storage]],
                last=max(position[name] for name in readers),
                accesses=1 + len(reading),
                divisible=len(root.shape) == 4 and len(family) == 1,
            )
        )
    return tuple(sorted(found, key=lambda item: item.first))


def retain(graph: LayerGraph, buffer_bytes: int, bits: int) -> tuple[Retained, ...]:
    """The feature maps, or first channels of them, kept in ``buffer_bytes``, in execution order.

    The live bytes exceed the buffer in no step.
    """
    free = [buffer_bytes] * len(graph.layers)
    found = candidates(graph)
    kept: dict[str, Retained] = {}
    for item in sorted(found, key=_worth):
        room = min(free[item.first : item.last + 1])
        channels = min(item.channels, room * 8 // (item.channel_words * bits)) if item.channel_words else 0
        if channels == 0 or (channels < item.channels and not item.divisible):
            continue
        kept[item.edge] = Retained(item.edge, None if channels == item.channels else channels)
        for step in range(item.first, item.last + 1):
            free[step] -= item.size_bytes(channels, bits)
    return tuple(kept[item.edge] for item in found if item.edge in kept)


def _worth(item: Candidate) -> tuple[float, int, int]:
    return -item.accesses / (item.last - item.first + 1), item.last - item.first, item.first


def retained_ranges(graph: LayerGraph, retained: Iterable[Retained], bits: int) -> tuple[LiveRange, ...]:
    """When the retained feature maps are on chip; steps are indices into the graph's layers."""
    known = {item.edge: item for item in candidates(graph)}
    return tuple(
        LiveRange(
            keep.edge,
            Content.MAP,
            known[keep.edge].size_bytes(keep.channels or known[keep.edge].channels, bits),
            known[keep.edge].first,
            known[keep.edge].last,
        )
        for keep in retained
    )


def largest_plane_bytes(graph: LayerGraph, bits: int) -> int:
    """Bytes of one channel of one image, of the largest feature-map plane: the unit of a buffer given in channels."""
    stored = (TensorKind.PARAMETER, TensorKind.CONSTANT)
    planes = [prod(edge.shape[2:]) for edge in graph.edges.values() if len(edge.shape) == 4 and edge.kind not in stored]
    return ceil(max(planes, default=1) * bits / 8)
