"""Constraints on nodes and in `architecture_constraints` / `mapspace_constraints`, merged into the architecture.

Timeloop's meaning: a data space that is listed in neither `keep` nor `bypass` is free; a factor of 0 is the whole
dimension; a factor above the problem's bound is passed over (with a warning).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from energysim.arch.spec import Array, Constraints, Memory, Node
from energysim.engines.timeloop.levels import FanOut, Item, Level
from energysim.engines.timeloop.loops import read_factors, read_permutation
from energysim.engines.timeloop.yaml_nodes import Cursor
from energysim.errors import did_you_mean
from energysim.graph.problem import Role, TensorProblem

_DATASPACE = ("dataspace", "datatype", "bypass", "bypassing")
_PARALLELISM = ("utilization", "parallelism")
_TYPES = ("temporal", "spatial", *_DATASPACE, *_PARALLELISM)
_SWITCHES_WITHOUT_COUNTERPART = (
    "no_temporal_reuse", "rmw_first_update", "no_coalesce", "remainders", "default_min_factor",
)  # fmt: skip
_KEYS = (
    "type", "target", "name", "factors", "permutation", "split", "keep", "bypass", "min", "no_reuse", "attributes",
    "no_multicast_no_reduction", "no_link_transfer", "default_max_factor", *_SWITCHES_WITHOUT_COUNTERPART,
)  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """One constraint: its type, the item of the level list that it applies to, and where it stands."""

    type: str
    index: int
    cursor: Cursor


@dataclass
class _Loops:
    fixed: dict[str, int] = field(default_factory=dict)
    at_most: dict[str, int] = field(default_factory=dict)
    innermost: tuple[str, ...] = ()
    x_dims: frozenset[str] | None = None
    y_dims: frozenset[str] | None = None


class Targets:
    """Finds the item that a name points at: a memory, or (type spatial) a fan-out by its own, its container's or
    its parent memory's name."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    @property
    def names(self) -> list[str]:
        return [item.name for item in self._items]

    def index(self, name: Cursor, type_: str) -> int | None:
        """None: a spatial target without a fan-out below it. Raises SpecError for an unknown name."""
        text = name.text()
        if type_ == "spatial":
            for index, item in enumerate(self._items):
                if isinstance(item, FanOut) and text in (item.name, *item.aliases):
                    return index
        for index, item in enumerate(self._items):
            if text == item.name or (isinstance(item, FanOut) and text in item.aliases):
                if type_ != "spatial":
                    return index
                below = index + 1
                return below if below < len(self._items) and isinstance(self._items[below], FanOut) else None
        return name.fail(
            f"no level of the architecture is called {text!r}",
            hint=did_you_mean(text, self.names) or f"levels: {', '.join(self.names)}",
        )


def statements_of_nodes(items: Sequence[Item]) -> list[Statement]:
    """The constraints that stand on the nodes themselves."""
    targets = Targets(items)
    result: list[Statement] = []
    for index, item in enumerate(items):
        for group in item.constraints:
            if isinstance(item, FanOut):
                result.append(Statement("spatial", index, group))
                continue
            group.only(("spatial", "temporal", "dataspace", "max_overbooked_proportion", "utilization"))
            for kind in group.keys():  # noqa: SIM118 - a cursor is not a dict
                if kind not in group:
                    continue
                result.extend(_statement(group.at(kind), kind, index, items, targets))
    return result


def statements_of_file(constraints: Cursor, items: Sequence[Item]) -> list[Statement]:
    """The list of a constraints file: a list, or the key `targets` (or `constraints`) with one."""
    listed: Cursor | None = constraints
    if constraints.is_map:
        constraints.only(("version", "targets", "constraints"))
        listed = constraints.get("targets", "constraints")
    targets = Targets(items)
    result: list[Statement] = []
    for entry in listed or ():
        entry.only(_KEYS)
        name = entry.get("target", "name")
        if name is None:
            entry.fail("a constraint needs a target", hint=f"levels: {', '.join(targets.names)}")
        kind = entry.need("type")
        if kind.text() not in _TYPES:
            kind.fail(
                f"the constraint type {kind.text()!r} cannot be represented",
                hint=did_you_mean(kind.text(), _TYPES) or f"types: {', '.join(_TYPES)}",
            )
        index = targets.index(name, kind.text())
        result.extend(_statement(entry.get("attributes") or entry, kind.text(), index, items, targets))
    return result


def _statement(
    cursor: Cursor, kind: str, index: int | None, items: Sequence[Item], targets: Targets
) -> Iterable[Statement]:
    cursor.only(_KEYS)
    if kind == "max_overbooked_proportion":
        cursor.fail("overbooking cannot be represented")
    for key in _SWITCHES_WITHOUT_COUNTERPART:
        if key in cursor and cursor.at(key).value:
            cursor.at(key).fail(f"the constraint {key} cannot be represented")
    if kind == "spatial" and index is not None and isinstance(items[index], Level):
        below = index + 1
        index = below if below < len(items) and isinstance(items[below], FanOut) else None
    if index is not None:
        yield Statement(kind, index, cursor)
    elif any(factor.bound != 1 for factor in read_factors(cursor.get("factors"), None)):
        cursor.fail("there is no fan-out below this level that a spatial constraint could apply to")


def apply(
    statements: Sequence[Statement],
    items: Sequence[Item],
    nodes: Sequence[Node],
    problem: TensorProblem | None,
    warnings: list[str],
    *,
    for_any_problem: bool = False,
) -> tuple[Node, ...]:
    """The nodes (one per item) with their constraints. Raises SpecError naming what cannot be represented.

    ``for_any_problem``: the problem only tells names; a factor keeps its value whatever this problem's bounds are.
    """
    result: list[Node] = []
    context = _Context(problem, warnings, for_any_problem)
    for index, node in enumerate(nodes):
        own = [statement for statement in statements if statement.index == index]
        if isinstance(node, Array):
            result.append(_array(node, own, context))
        elif isinstance(node, Memory):
            item = items[index]
            in_branch = isinstance(item, Level) and item.branch is not None
            outermost = not any(isinstance(above, Memory) for above in nodes[:index])
            result.append(_memory(node, own, context, in_branch, outermost))
        else:
            for statement in own:
                statement.cursor.fail(f"the compute unit {node.name} takes no {statement.type} constraint")
            result.append(node)
    for statement in statements:
        if statement.type in _PARALLELISM:
            _use_at_least(result, statement.cursor)
    return tuple(result)


def _use_at_least(nodes: list[Node], cursor: Cursor) -> None:
    """The least share of all fan-outs together that a mapping must use; with one array, of that array."""
    share = cursor.need("min").number(minimum=0)
    arrays = [index for index, node in enumerate(nodes) if isinstance(node, Array)]
    if share > 0 and len(arrays) != 1:
        cursor.fail(
            f"the least use of {len(arrays)} fan-outs together cannot be represented",
            hint="the architecture has to have exactly one fan-out for this constraint",
        )
    for index in arrays[:1]:
        array = nodes[index]
        assert isinstance(array, Array)
        nodes[index] = dataclasses.replace(
            array, constraints=dataclasses.replace(array.constraints, min_utilization=share)
        )


@dataclass(frozen=True, slots=True)
class _Context:
    problem: TensorProblem | None
    warnings: list[str]
    for_any_problem: bool


def _memory(
    memory: Memory, statements: Sequence[Statement], context: _Context, in_branch: bool, outermost: bool
) -> Memory:
    problem = context.problem
    loops = _Loops()
    keep: set[str] = set()
    bypass: set[str] = set()
    for statement in statements:
        cursor = statement.cursor
        if statement.type in _DATASPACE:
            for key, chosen, other in (("keep", keep, bypass), ("bypass", bypass, keep)):
                for name in tensor_names(cursor.get(key), problem):
                    if name in other:
                        cursor.at(key).fail(f"{name} is to be both kept and bypassed at {memory.name}")
                    chosen.add(name)
        elif statement.type not in _PARALLELISM:
            _merge(loops, cursor, context)
    everything = {t.name for t in problem.tensors} if problem else {role.value for role in Role}
    free = set() if in_branch else everything - keep - bypass
    kept, may_bypass = (keep | free, set()) if outermost else (keep, free)
    return dataclasses.replace(
        memory,
        keep=frozenset(kept),
        may_bypass=frozenset(may_bypass),
        constraints=_constraints(loops),
    )


def _array(array: Array, statements: Sequence[Statement], context: _Context) -> Array:
    problem = context.problem
    loops = _Loops()
    for statement in statements:
        cursor = statement.cursor
        if statement.type == "temporal":
            if any(factor.bound != 1 for factor in read_factors(cursor.get("factors"), None)):
                cursor.fail(f"temporal loops at {array.name}, which stores nothing, cannot be represented")
        elif statement.type in _DATASPACE:
            if tensor_names(cursor.get("keep"), problem):
                cursor.at("keep").fail(f"{array.name} is a fan-out and stores nothing")
        elif statement.type == "spatial":
            _merge(loops, cursor, context)
            loops.x_dims, loops.y_dims = _axes(cursor, problem, loops)
            array = without_reuse(array, cursor.get("no_reuse", "no_multicast_no_reduction"), problem)
        else:
            cursor.fail(f"a {statement.type} constraint at the fan-out {array.name} cannot be represented")
    loops.innermost = ()  # the order of spatial loops has no meaning beyond the axes
    return dataclasses.replace(array, constraints=_constraints(loops))


def without_reuse(array: Array, listed: Cursor | None, problem: TensorProblem | None) -> Array:
    """`no_reuse`: no multicast for all inputs and/or no spatial reduction of the output."""
    names = set(tensor_names(listed, problem))
    if listed is None or not names:
        return array
    if problem is None:
        listed.fail("no_reuse needs a problem that says which data spaces there are")
    inputs = {tensor.name for tensor in problem.inputs}
    if names & inputs and not inputs <= names:
        listed.fail("no_reuse for some of the inputs cannot be represented", hint=f"list all of: {', '.join(inputs)}")
    return dataclasses.replace(
        array,
        multicast=array.multicast and not names & inputs,
        reduction=array.reduction and problem.output.name not in names,
    )


def _constraints(loops: _Loops) -> Constraints:
    return Constraints(
        fixed=tuple(loops.fixed.items()),
        at_most=tuple(loops.at_most.items()),
        innermost=loops.innermost,
        x_dims=loops.x_dims,
        y_dims=loops.y_dims,
    )


def _merge(loops: _Loops, cursor: Cursor, context: _Context) -> None:
    problem = context.problem
    dims = None if problem is None else list(problem.bounds)
    for factor in read_factors(cursor.get("factors"), dims):
        place = cursor.at("factors")
        bound = factor.bound
        if factor.relation == ">=":
            place.fail(f"a least factor ({factor.dim}>={bound}) cannot be represented", hint="use = or <=")
        if bound == 0:
            if problem is None:
                place.fail(f"{factor.dim}=0 (the whole dimension) needs a problem that gives its bound")
            if context.for_any_problem:
                place.fail(f"{factor.dim}=0 (the whole dimension) differs from problem to problem: not representable")
            bound = problem.bounds[factor.dim]
        known = problem is not None and not context.for_any_problem
        if factor.relation == "=" and problem is not None and known and bound > problem.bounds[factor.dim]:
            context.warnings.append(
                f"{place.where}: {factor.dim}={bound} exceeds the problem's {problem.bounds[factor.dim]}: ignored"
            )
            continue
        chosen = loops.fixed if factor.relation == "=" else loops.at_most
        if chosen.setdefault(factor.dim, bound) != bound:
            place.fail(f"{factor.dim} was already constrained to {chosen[factor.dim]} at this level")
    default = cursor.get("default_max_factor")
    if default is not None:
        if dims is None:
            default.fail("default_max_factor needs a problem that says which dimensions there are")
        for dim in dims:
            loops.at_most.setdefault(dim, default.integer(minimum=1))
    order = tuple(read_permutation(cursor.get("permutation"), dims))
    if order and loops.innermost and order != loops.innermost:
        cursor.at("permutation").fail(f"the order was already constrained to {' '.join(loops.innermost)} at this level")
    loops.innermost = order or loops.innermost


def _axes(
    cursor: Cursor, problem: TensorProblem | None, loops: _Loops
) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """`split` dimensions of the permutation go to X, the others to Y."""
    if "split" not in cursor:
        return loops.x_dims, loops.y_dims
    split = cursor.at("split").integer(minimum=0)
    order = read_permutation(cursor.get("permutation"), None if problem is None else list(problem.bounds))
    if split == 0:
        return frozenset(), None
    if split >= len(order) and (problem is None or split >= len(problem.bounds)):
        return None, frozenset()
    if split > len(order):
        cursor.at("split").fail(
            f"split {split} needs a permutation of at least {split} dimensions", hint="it says which go to X"
        )
    rest = order[split:] if problem is None else [dim for dim in problem.bounds if dim not in order[:split]]
    return frozenset(order[:split]), frozenset(rest)


def tensor_names(cursor: Cursor | None, problem: TensorProblem | None) -> list[str]:
    """Data spaces by name; without a problem, the role that the name says. Raises SpecError for an unknown one."""
    if cursor is None:
        return []
    names = cursor.names()
    if problem is not None:
        known = [tensor.name for tensor in problem.tensors]
        for name in names:
            if name not in known:
                cursor.fail(
                    f"the problem has no data space {name!r}",
                    hint=did_you_mean(name, known) or f"its data spaces: {', '.join(known)}",
                )
        return names
    roles = {"weights": Role.WEIGHTS, "inputs": Role.IFMAP, "outputs": Role.OFMAP}
    for name in names:
        if name.lower() not in roles:
            cursor.fail(f"without a problem the data space {name!r} is not known", hint="Weights, Inputs, Outputs are")
    return [roles[name.lower()].value for name in names]
