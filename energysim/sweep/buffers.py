"""The feature-map buffer that a point asks for, and what its device has for one: known without a simulation."""

from __future__ import annotations

from dataclasses import replace

from energysim.errors import InfeasibleError
from energysim.graph.layers import LayerGraph
from energysim.schedule.buffering import largest_plane_bytes
from energysim.schedule.homes import capacity_bytes, homes
from energysim.simulation.variants import OPTIMAL
from energysim.simulation.widths import with_widths
from energysim.sweep.point import BUFFERED, Point
from energysim.sweep.resolve import arch_of, workload_of


def asked_bytes(point: Point) -> int | None:
    """Bytes of the buffer (``used_buffer_bytes`` of a result), 0 of a variant that has none; None where only the search
    for the best schedule says it (`optimal`), or where the device's memory has no end.

    Channels are those of the largest plane, for which the network is traced. Raises what tracing raises, SpecError, and
    InfeasibleError where the device has no memory for feature maps.
    """
    if point.variant == OPTIMAL:
        return None
    if point.variant not in BUFFERED:
        return 0
    if point.buffer_bytes is not None:
        return point.buffer_bytes
    arch = arch_of(point.arch, point.overrides)
    if point.buffer_channels is None:
        return capacity_bytes(homes(arch).maps)
    graph, bits = with_widths(_graph(point), arch, point.bits, point.variant)
    return point.buffer_channels * largest_plane_bytes(graph, bits)


def room_bytes(point: Point) -> int | None:
    """Bytes that the point's variant may take of its device's feature-map memory: all of it, half for `buffered`, whose
    layers need room to work. None where there is no end, or no such memory."""
    try:
        size = capacity_bytes(homes(arch_of(point.arch, point.overrides)).maps)
    except InfeasibleError:
        return None
    return size if size is None or point.variant != "buffered" else size // 2


def fitted(point: Point) -> Point:
    """The point with a buffer that its device has: the one it asks for, or the room there is. Raises like
    :func:`asked_bytes`."""
    if point.variant not in BUFFERED or (point.buffer_bytes is None and point.buffer_channels is None):
        return point
    room = room_bytes(point)
    asked = None if room is None else asked_bytes(point)
    if room is None or asked is None or asked <= room:
        return point
    return replace(point, buffer_bytes=room, buffer_channels=None)


def _graph(point: Point) -> LayerGraph:
    return workload_of(point.workload, point.input, point.batch).trace()
