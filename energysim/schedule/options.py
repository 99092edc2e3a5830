"""The ways in which consecutive layers can run as a stack: tiles, overlap modes, weights resident or not.

Tiles come from a geometric grid over the last ofmap: the whole plane, full-width strips, parts of one line, and tiles
that cut both axes alike. Where only words count, of two settings of which one is no worse in anything (bytes of every
feature map on chip, words loaded) only that one is an option; else all are: the shape of a tile also says how well it
can be mapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

from energysim.graph.layers import Layer, LayerGraph
from energysim.schedule.live import Content, LiveRange, peak_bytes
from energysim.schedule.plan import StackFrame, StackPlan
from energysim.schedule.spatial import axis_maps
from energysim.schedule.values import Overlap, Stack


@dataclass(frozen=True, slots=True)
class LayerWork:
    """What all tiles of one layer do together.

    ``runs``: tiles in which it computes something (a layer with MACs: by at least one of them), of all images.
    ``loads``: (feature map, words) that the layer is the first of its stack to read; ``stores``: those of its ofmaps
    that leave the stack.
    """

    name: str
    macs: int
    runs: int
    out_words: int
    weight_words: int
    weight_fetches: int
    loads: tuple[tuple[str, int], ...]
    stores: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """A stack with what it needs on chip and what it does, without its plan (which is large).

    ``peak_bytes``: of feature maps and weights together.
    """

    stack: Stack
    ranges: tuple[LiveRange, ...]
    work: tuple[LayerWork, ...]
    tiles: int
    peak_bytes: int

    @property
    def macs(self) -> int:
        return sum(item.macs for item in self.work)


def tile_grid(rows: int, columns: int) -> tuple[tuple[int, int], ...]:
    """Tiles of a plane, largest first. Halves are rounded up, so that they cut in two."""
    tall, wide = _halves(rows), _halves(columns)
    strips = [(size, columns) for size in tall]
    lines = [(1, size) for size in wide]
    longest = max(len(tall), len(wide))
    both = [(tall[min(i, len(tall) - 1)], wide[min(i, len(wide) - 1)]) for i in range(longest)]
    return tuple(sorted({*strips, *lines, *both}, reverse=True))


def _halves(size: int) -> list[int]:
    found = [max(1, size)]
    while found[-1] > 1:
        found.append(ceil(found[-1] / 2))
    return found


def extensible(graph: LayerGraph, layers: tuple[Layer, ...]) -> int:
    """How many of ``layers`` (without views, in execution order), from the first on, can be one stack."""
    produced: set[str] = set()
    for count, layer in enumerate(layers):
        if axis_maps(layer, graph) is None:
            return count
        if any(edge not in produced and graph.edges[edge].storage in produced for edge in layer.inputs):
            return count
        produced.update(layer.outputs)
    return len(layers)


def stack_options(
    graph: LayerGraph,
    layers: tuple[Layer, ...],
    bits: int,
    fits: Callable[[Option], bool],
    *,
    words_only: bool,
    shared: bool,
    streaming: bool = False,
) -> tuple[Option, ...]:
    """The options of one stack that fit on chip. ``words_only``: only DRAM words matter. ``shared``: weights take room
    from feature maps. ``streaming``: they have no home on chip and come with every tile.
    """
    names = tuple(layer.name for layer in layers)
    shape = graph.edges[layers[-1].outputs[0]].shape
    frame = StackFrame(graph, names)
    options = tuple(
        option
        for tile in tile_grid(*shape[2:])
        for overlap in _overlaps(tile, shape[2:])
        for option in _weights_here_or_there(frame, Stack(names, tile, overlap), bits, fits, shared)
    )
    return _undominated(options, layers, shared, streaming) if words_only else options


def _undominated(
    options: Sequence[Option], layers: Sequence[Layer], shared: bool, streaming: bool
) -> tuple[Option, ...]:
    """Those of which no other is as good in everything that less of is better."""
    edges = tuple(dict.fromkeys(edge for layer in layers for edge in (*layer.inputs, *layer.outputs)))
    found: dict[tuple[int, ...], Option] = {}
    for option in options:
        found.setdefault(_burden(option, edges, shared, streaming), option)
    burdens = sorted(found)
    kept: list[tuple[int, ...]] = []
    for burden in burdens:
        if not any(all(a <= b for a, b in zip(other, burden, strict=True)) for other in kept):
            kept.append(burden)
    return tuple(found[burden] for burden in kept)


def _overlaps(tile: tuple[int, int], plane: tuple[int, ...]) -> tuple[Overlap, ...]:
    """The modes that differ: along an axis that is not cut there is nothing to keep."""
    if tile[1] < plane[1]:
        return Overlap.CACHE, Overlap.CACHE_COLUMNS, Overlap.RECOMPUTE
    return (Overlap.CACHE, Overlap.RECOMPUTE) if tile[0] < plane[0] else (Overlap.RECOMPUTE,)


def _weights_here_or_there(
    frame: StackFrame, stack: Stack, bits: int, fits: Callable[[Option], bool], shared: bool
) -> Iterator[Option]:
    """Resident weights, and weights fetched for every tile where that is the only way or leaves room for maps."""
    option = _option(frame.plan(replace(stack, weights_resident=True)), bits)
    fit = fits(option)
    if fit:
        yield option
    if len(stack.layers) > 1 and (shared or not fit):
        option = _option(frame.plan(replace(stack, weights_resident=False)), bits)
        if fits(option):
            yield option


def _option(plan: StackPlan, bits: int) -> Option:
    graph, loaded = plan.graph, set[str]()
    work = []
    for weights in plan.weights:
        layer = graph.layer(weights.layer)
        first = [edge for edge in layer.inputs if edge in plan.loads and edge not in loaded]
        loaded.update(first)
        shape = graph.edges[layer.outputs[0]].shape
        (rows, down), (columns, across) = (axis.made[layer.outputs[0]] for axis in (plan.rows, plan.columns))
        pixels = rows * columns
        macs = layer.macs * pixels // max(1, shape[2] * shape[3])  # of each pixel equally many
        runs = plan.batch * down * across
        if layer.op == "conv_transpose2d":  # of some pixels none
            reached = [tile for tile in plan.tiles_of(layer) if tile.problem is not None]
            macs, runs = sum(tile.macs * tile.repeats for tile in reached), sum(tile.repeats for tile in reached)
        work.append(
            LayerWork(
                name=layer.name,
                macs=macs,
                runs=runs,
                out_words=shape[0] * shape[1] * pixels,
                weight_words=weights.words,
                weight_fetches=weights.fetches,
                loads=tuple((edge, plan.loads[edge]) for edge in first),
                stores=tuple((edge, plan.stores[edge]) for edge in layer.outputs if edge in plan.stores),
            )
        )
    ranges = plan.live_ranges(bits)
    return Option(plan.stack, ranges, tuple(work), plan.tiles, peak_bytes(ranges))


def _burden(option: Option, edges: tuple[str, ...], shared: bool, streaming: bool) -> tuple[int, ...]:
    """Words that are loaded and bytes that are held."""
    held: dict[tuple[str, Content], int] = {}
    weights = [0] * len(option.work)
    for item in option.ranges:
        if item.content is Content.WEIGHTS:
            for step in range(item.first, item.last + 1):
                weights[step] += item.size_bytes
        else:
            held[item.name, item.content] = item.size_bytes
    room: list[int] = weights if shared else []
    for edge in edges:
        halo = held.get((edge, Content.HALO), 0)
        room += [halo, halo + held.get((edge, Content.TILE), 0)]
    fetched = sum(work.weight_words * (work.runs if streaming else work.weight_fetches) for work in option.work)
    loads = [words for work in option.work for _, words in work.loads]
    return (fetched, *loads, *room)
