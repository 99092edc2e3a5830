"""The variants as schedules: how each cuts a network. Their meanings are fixed in ``docs/schedules.md``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from energysim.errors import EnergySimError, InfeasibleError, NotFoundError, did_you_mean
from energysim.graph.layers import Layer, LayerGraph, LayerKind
from energysim.schedule.buffering import largest_plane_bytes, retain
from energysim.schedule.moments import need_bytes
from energysim.schedule.plan import StackFrame, StackPlan, plan_stack
from energysim.schedule.spatial import axis_maps
from energysim.schedule.values import Overlap, Schedule, Stack

VARIANTS = ("plain", "layerwise", "tiled", "buffered", "full")


@dataclass(frozen=True, slots=True)
class _Request:
    bits: int
    tile: tuple[int, int] | None
    overlap: Overlap
    buffer_bytes: int | None


def make_schedule(
    graph: LayerGraph,
    variant: str,
    *,
    bits: int = 8,
    tile: tuple[int, int] | None = None,
    overlap: Overlap = Overlap.RECOMPUTE,
    buffer_bytes: int | None = None,
    buffer_channels: int | None = None,
    capacity_bytes: int | None = None,
) -> Schedule:
    """The schedule of a variant.

    ``tile``: rows and columns (`tiled`, `full`; `full` without one runs whole planes). ``buffer_bytes`` or
    ``buffer_channels`` (of the network's largest plane, one image): the feature-map buffer of `buffered`, and what a
    stack of `full` may need on chip; without either, `full` may take ``capacity_bytes``, the on-chip memory.

    Raises NotFoundError for an unknown variant, EnergySimError where a size is missing or not positive,
    InfeasibleError where the buffer is larger than the memory.
    """
    if variant not in _MAKERS:
        raise NotFoundError(
            f"unknown variant {variant!r}", hint=did_you_mean(variant, VARIANTS) or f"one of {', '.join(VARIANTS)}"
        )
    buffer = _buffer_bytes(graph, bits, buffer_bytes, buffer_channels)
    if buffer is not None and capacity_bytes is not None and buffer > capacity_bytes:
        raise InfeasibleError(
            f"a feature-map buffer of {buffer:,} bytes does not fit in {capacity_bytes:,} bytes of on-chip memory",
            hint="choose a smaller buffer or fewer channels",
        )
    if tile is not None and min(tile) < 1:
        raise EnergySimError(f"a tile of {tile[0]}x{tile[1]}", hint="rows and columns are at least 1")
    if variant == "full" and buffer is None:
        buffer = capacity_bytes
    return _MAKERS[variant](graph, _Request(bits, tile, overlap, buffer))


def _buffer_bytes(graph: LayerGraph, bits: int, size_bytes: int | None, channels: int | None) -> int | None:
    if size_bytes is not None and channels is not None:
        raise EnergySimError("a buffer given both in bytes and in channels", hint="give one of the two")
    size = size_bytes if channels is None else channels * largest_plane_bytes(graph, bits)
    if size is not None and size < 1:
        raise EnergySimError(f"a buffer of {size} bytes", hint="it holds at least one byte")
    return size


def _moving(graph: LayerGraph) -> list[Layer]:
    return [layer for layer in graph.layers if layer.kind is not LayerKind.VIEW]


def _plain(graph: LayerGraph, request: _Request) -> Schedule:
    return Schedule("plain", tuple(Stack((layer.name,)) for layer in _moving(graph)))


def _layerwise(graph: LayerGraph, request: _Request) -> Schedule:
    return Schedule("layerwise", tuple(_alone(layer) for layer in _moving(graph)))


def _alone(layer: Layer) -> Stack:
    return Stack((layer.name,), free=True)


def _tiled(graph: LayerGraph, request: _Request) -> Schedule:
    if request.tile is None:
        raise EnergySimError("the variant 'tiled' has no tile", hint="give rows and columns, for example 16x16")
    cut = Stack((), request.tile)
    stacks = (
        _alone(layer) if axis_maps(layer, graph) is None else replace(cut, layers=(layer.name,))
        for layer in _moving(graph)
    )
    return Schedule("tiled", tuple(stacks))


def _buffered(graph: LayerGraph, request: _Request) -> Schedule:
    if request.buffer_bytes is None:
        raise EnergySimError("the variant 'buffered' has no buffer", hint="give its size in bytes or in channels")
    kept = retain(graph, request.buffer_bytes, request.bits)
    return Schedule("buffered", _layerwise(graph, request).stacks, kept, request.buffer_bytes)


def _full(graph: LayerGraph, request: _Request) -> Schedule:
    """Stacks as long as they fit, first to last; a stack of one layer is left to the mapper."""
    if request.buffer_bytes is None:
        raise EnergySimError("the variant 'full' has no buffer", hint="give its size in bytes or in channels")
    stacks: list[Stack] = []
    current: StackPlan | None = None
    for layer in graph.layers:
        extended = None if axis_maps(layer, graph) is None else _extend(graph, current, layer, request)
        if extended is None and current is not None:
            stacks.append(current.stack)
            current = None
            extended = None if axis_maps(layer, graph) is None else _extend(graph, None, layer, request)
        if extended is None and layer.kind is not LayerKind.VIEW:
            stacks.append(_alone(layer))
        current = extended
    if current is not None:
        stacks.append(current.stack)
    finished = (stack if len(stack.layers) > 1 else Stack(stack.layers, free=True) for stack in stacks)
    return Schedule("full", tuple(finished), buffer_bytes=request.buffer_bytes)


def _extend(graph: LayerGraph, current: StackPlan | None, layer: Layer, request: _Request) -> StackPlan | None:
    """``current`` with one more layer, where its need fits in the buffer; None where it does not.

    Weights stay where they fit. Where they do not, they are fetched for every tile, if that moves no more than ending
    the stack here would: the layer alone moves each of its words once at best.
    """
    names = (layer.name,) if current is None else (*current.stack.layers, layer.name)
    stack = Stack(names, request.tile, request.overlap)
    frame = StackFrame(graph, names)
    plan = frame.plan(stack)
    if _fits(plan, request):
        return plan
    plan = frame.plan(replace(stack, weights_resident=False))
    if not _fits(plan, request):
        return None
    alone = plan_stack(graph, Stack((layer.name,)))
    apart = alone.dram_words + (0 if current is None else current.dram_words)
    return plan if plan.dram_words <= apart else None


def _fits(plan: StackPlan, request: _Request) -> bool:
    assert request.buffer_bytes is not None
    if plan.need_bytes(request.bits) <= request.buffer_bytes:
        return True  # the bound of all tiles at once
    return need_bytes(plan, request.bits) <= request.buffer_bytes


_MAKERS: dict[str, Callable[[LayerGraph, _Request], Schedule]] = {
    "plain": _plain,
    "layerwise": _layerwise,
    "tiled": _tiled,
    "buffered": _buffered,
    "full": _full,
}
