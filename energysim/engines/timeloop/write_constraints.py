"""What a mapping may do, as Timeloop's `architecture_constraints`: its mapper then searches our space."""

from __future__ import annotations

from collections.abc import Iterator

from energysim.arch.spec import Array, Memory
from energysim.engines.timeloop.layout import Dummy, Layout, Storage
from energysim.engines.timeloop.write_mapping import without_reuse
from energysim.errors import SpecError
from energysim.yaml_text import Document


def constraints_yaml(layout: Layout) -> Document:
    """``{"architecture_constraints": {"targets": [...]}}``.

    A tensor that a level may keep or not is named in neither ``keep`` nor ``bypass``: it is free. Raises SpecError for
    a factor over both axes of an array that stands as two levels.
    """
    return {"architecture_constraints": {"version": 0.4, "targets": list(_targets(layout))}}


def _targets(layout: Layout) -> Iterator[Document]:
    least = max(
        (level.array.constraints.min_utilization for level in layout.levels if isinstance(level, Dummy)), default=0
    )
    if least:
        yield {"target": layout.storages[-1].name, "type": "parallelism", "min": least}
    for level in layout.levels:
        if isinstance(level, Storage):
            yield {"target": level.name, "type": "bypass", **_kept(level.memory, layout)}
            temporal = _temporal(level.memory, layout)
            if temporal:
                yield {"target": level.name, "type": "temporal", **temporal}
        elif isinstance(level, Dummy):
            spatial = _spatial(level, layout)
            if spatial:
                yield {"target": level.name, "type": "spatial", **spatial}
            dims = list(layout.problem.bounds)
            ones = " ".join(f"{dim}=1" for dim in dims)
            yield {"target": level.name, "type": "temporal", "factors": ones, "permutation": "".join(dims)}
            names = [tensor.name for tensor in layout.problem.tensors]
            yield {"target": level.name, "type": "bypass", "keep": [], "bypass": names}


def _kept(memory: Memory, layout: Layout) -> dict[str, list[str]]:
    keep: list[str] = []
    bypass: list[str] = []
    for tensor in layout.problem.tensors:
        if memory.bypassable(tensor.name, tensor.role):
            continue
        (keep if memory.holds(tensor.name, tensor.role) else bypass).append(tensor.name)
    return {"keep": keep, "bypass": bypass}


def _temporal(memory: Memory, layout: Layout) -> dict[str, str]:
    constraints, known = memory.constraints, layout.problem.bounds
    factors = [f"{dim}={bound}" for dim, bound in constraints.fixed if dim in known]
    fixed = {dim for dim, _ in constraints.fixed}
    factors += [f"{dim}<={bound}" for dim, bound in constraints.at_most if dim in known and dim not in fixed]
    order = "".join(dim for dim in constraints.innermost if dim in known)
    return {key: text for key, text in (("factors", " ".join(factors)), ("permutation", order)) if text}


def _spatial(level: Dummy, layout: Layout) -> dict[str, object]:
    """Factors, and which axis takes which dimensions: all of them where the level has only one axis."""
    array, dims = level.array, list(layout.problem.bounds)
    allowed = set(dims)
    found: dict[str, object] = {}
    if level.x == 1 or level.y == 1:
        along_x = level.y == 1
        stated = array.constraints.x_dims if along_x else array.constraints.y_dims
        allowed &= set(dims if stated is None else stated)
        order = [dim for dim in dims if dim not in allowed] + [dim for dim in dims if dim in allowed]
        found = {"permutation": "".join(order), "split": len(dims) if along_x else 0}
    factors = {dim: f"{dim}=1" for dim in dims if dim not in allowed}
    for relation, bounds in (("=", array.constraints.fixed), ("<=", array.constraints.at_most)):
        for dim, bound in bounds:
            if dim not in dims or dim in factors:
                continue
            if level.axis is not None and bound > 1 and _on_both_axes(array, dim):
                raise SpecError(
                    f"{layout.arch.name} cannot be written for Timeloop: the factor {dim}{relation}{bound} of "
                    f"{array.name} may lie along x and y at once",
                    hint=f"allow {dim} on one axis only",
                )
            factors[dim] = f"{dim}{relation}{bound}"
    no_reuse = without_reuse(layout, level)
    return {
        **({"factors": " ".join(factors.values())} if factors else {}),
        **found,
        **({"no_reuse": no_reuse} if no_reuse else {}),
    }


def _on_both_axes(array: Array, dim: str) -> bool:
    return all(dims is None or dim in dims for dims in (array.constraints.x_dims, array.constraints.y_dims))
