"""A mapping as Timeloop's `mapping` key: directives level by level, outermost first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from energysim.engines.timeloop.layout import Dummy, Layout, Storage
from energysim.errors import MappingError
from energysim.mapping.nest import Loop, Mapping
from energysim.yaml_text import Document


def mapping_yaml(layout: Layout, mapping: Mapping) -> list[Document]:
    """The directives under `mapping`. ``permutation`` is innermost first; every level states all its factors.

    ``layout`` must have been made for this mapping. Raises MappingError where a level would need two loops over one
    dimension.
    """
    return list(_directives(layout, mapping))


def _directives(layout: Layout, mapping: Mapping) -> Iterator[Document]:
    names = [tensor.name for tensor in layout.problem.tensors]
    for level in layout.levels:
        if isinstance(level, Storage):
            kept = mapping.kept[level.node]
            yield _loops(layout, level.name, "temporal", [loop for loop in mapping.loops if loop.node == level.node])
            yield {
                "target": level.name,
                "type": "bypass",
                "keep": [name for name in names if name in kept],
                "bypass": [name for name in names if name not in kept],
            }
        elif isinstance(level, Dummy):
            here = [loop for loop in mapping.loops if loop.node == level.node and level.spreads(loop.axis)]
            along_x = [loop for loop in here if loop.axis == "x"]
            along_y = [loop for loop in here if loop.axis == "y"]
            if level.is_row:
                along_x, along_y = _joined(here), []
            # The first `split` dimensions of the permutation lie along X. Loops of bound 1 may stand on either side.
            spatial = _loops(layout, level.name, "spatial", [*along_y, *along_x])
            no_reuse = without_reuse(layout, level)
            yield {**spatial, "split": len(along_x), **({"no_reuse": no_reuse} if no_reuse else {})}
            yield _loops(layout, level.name, "temporal", [])
            yield {"target": level.name, "type": "bypass", "keep": [], "bypass": names}


def _joined(loops: Sequence[Loop]) -> list[Loop]:
    """One loop per dimension: the children that two loops over it address are those of one over both."""
    found: dict[str, Loop] = {}
    for loop in loops:
        outer = found.get(loop.dim, Loop(loop.dim, 1, loop.node, 1, "x"))
        last = (outer.last - 1) * loop.bound + loop.last
        found[loop.dim] = Loop(loop.dim, outer.bound * loop.bound, loop.node, last, "x")
    return list(found.values())


def without_reuse(layout: Layout, level: Dummy) -> list[str]:
    """Data spaces that the fan-out neither multicasts nor reduces."""
    array = level.array
    return [
        tensor.name
        for tensor in layout.problem.tensors
        if not (array.reduction if tensor.is_output else array.multicast)
    ]


def _loops(layout: Layout, target: str, kind: str, loops: Sequence[Loop]) -> dict[str, object]:
    """``loops``: outermost first."""
    factors = {loop.dim: loop for loop in loops}
    if len(factors) < len(loops):
        raise MappingError(f"{target} has two {kind} loops over one dimension, which Timeloop cannot express")
    order = [loop.dim for loop in reversed(loops)]
    order += [dim for dim in layout.problem.bounds if dim not in factors]
    text = " ".join(f"{dim}={_bound(factors.get(dim))}" for dim in layout.problem.bounds)
    return {"target": target, "type": kind, "factors": text, "permutation": "".join(order)}


def _bound(loop: Loop | None) -> str:
    if loop is None:
        return "1"
    return str(loop.bound) if loop.last == loop.bound else f"{loop.bound},{loop.last}"
