"""The `mapping` key: directives into one loop nest over the nodes of the architecture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass

from energysim.arch.spec import Array, Axis, Memory, Node
from energysim.engines.timeloop.constraints import Targets, tensor_names, without_reuse
from energysim.engines.timeloop.levels import FanOut, Item
from energysim.engines.timeloop.loops import Factor, read_factors, read_permutation
from energysim.engines.timeloop.yaml_nodes import Cursor
from energysim.errors import MappingError, did_you_mean
from energysim.graph.problem import TensorProblem
from energysim.mapping.nest import Loop, Mapping

_DATASPACE = ("dataspace", "datatype", "bypass")
_TYPES = ("temporal", "spatial", *_DATASPACE)
_SWITCHES_WITHOUT_COUNTERPART = ("no_temporal_reuse", "rmw_first_update", "no_coalesce")
_KEYS = (
    "target", "type", "factors", "permutation", "split", "keep", "bypass", "no_reuse", "no_multicast_no_reduction",
    "no_link_transfer", *_SWITCHES_WITHOUT_COUNTERPART,
)  # fmt: skip


@dataclass(frozen=True)
class _Directive:
    factors: tuple[Factor, ...]
    order: tuple[str, ...]  # innermost first, complete
    split: int
    cursor: Cursor


@dataclass(frozen=True)
class ReadMapping:
    """The mapping, and the nodes as it needs them (`no_reuse` at a fan-out, a bypassed outermost memory)."""

    mapping: Mapping
    nodes: tuple[Node, ...]


def read_mapping(
    mapping: Cursor, items: Sequence[Item], nodes: tuple[Node, ...], problem: TensorProblem, warnings: list[str]
) -> ReadMapping:
    """Raises SpecError for what cannot be read, MappingError where factors or kept tensors do not fit.

    Missing levels and factors are 1, a missing permutation is the problem's order, a factor of 0 is what remains, and
    a data space is kept wherever the architecture lets it and no directive says otherwise.
    """
    targets = Targets(items)
    loops_at: dict[int, _Directive] = {}
    choices: dict[int, Cursor] = {}
    for directive in mapping:
        directive.only(_KEYS)
        type_ = _type(directive)
        index = targets.index(directive.need("target"), type_)
        _check_switches(directive, type_, warnings)
        if type_ in _DATASPACE:
            assert index is not None
            if index in choices:
                directive.fail(f"a second {type_} directive for {items[index].name}")
            choices[index] = directive
            continue
        read = _loops(directive, type_, None if index is None else nodes[index], problem)
        if index is None or (type_ == "temporal") != isinstance(nodes[index], Memory):
            _must_be_unit(read, "has no fan-out below it" if index is None else "stores nothing")
            continue
        if index in loops_at:
            directive.fail(f"a second {type_} directive for {items[index].name}")
        loops_at[index] = read
        if type_ == "spatial":
            array = nodes[index]
            assert isinstance(array, Array)
            array = without_reuse(array, directive.get("no_reuse"), problem)
            nodes = (*nodes[:index], array, *nodes[index + 1 :])
    bounds = _bounds(mapping, loops_at, problem)
    loops = tuple(loop for index in sorted(loops_at) for loop in _nest(index, loops_at[index], bounds))
    kept, nodes = _kept(choices, items, nodes, problem)
    return ReadMapping(Mapping(loops, kept), nodes)


def _type(directive: Cursor) -> str:
    type_ = directive.need("type")
    if type_.text() not in _TYPES:
        type_.fail(
            f"the mapping directive {type_.text()!r} cannot be represented",
            hint=did_you_mean(type_.text(), _TYPES) or f"types: {', '.join(_TYPES)}",
        )
    return type_.text()


def _check_switches(directive: Cursor, type_: str, warnings: list[str]) -> None:
    refused = (*_SWITCHES_WITHOUT_COUNTERPART, "no_reuse") if type_ == "temporal" else _SWITCHES_WITHOUT_COUNTERPART
    for key in refused:
        if key in directive and directive.at(key).value:
            directive.at(key).fail(f"the {type_} switch {key} cannot be represented")
    if "no_multicast_no_reduction" in directive:
        place = directive.at("no_multicast_no_reduction").where
        warnings.append(f"{place}: Timeloop passes over this key in a mapping, and so does energysim (use no_reuse)")


def _loops(directive: Cursor, type_: str, node: Node | None, problem: TensorProblem) -> _Directive:
    dims = list(problem.bounds)
    factors = read_factors(directive.get("factors"), dims)
    for factor in factors:
        if factor.relation != "=":
            directive.at("factors").fail(f"a mapping states exact factors, found {factor.dim}{factor.relation}")
    order = read_permutation(directive.get("permutation"), dims)
    order += [dim for dim in dims if dim not in order]
    split = directive.get("split")
    if split is not None and type_ != "spatial":
        split.fail("only a spatial directive has a split")
    # Timeloop puts everything on X by default, which a fan-out along Y alone cannot take.
    only_y = isinstance(node, Array) and node.x == 1 and node.y > 1
    default = 0 if only_y else len(order)
    return _Directive(tuple(factors), tuple(order), default if split is None else split.integer(minimum=0), directive)


def _must_be_unit(directive: _Directive, why: str) -> None:
    cursor = directive.cursor
    for factor in directive.factors:
        if factor.bound != 1:
            name = cursor.need("target").text()
            cursor.at("factors").fail(
                f"the {cursor.need('type').text()} loop {factor.dim}={factor.bound} cannot stand at {name}: it {why}",
                hint="spatial loops stand at fan-outs, temporal loops at memories",
                kind=MappingError,
            )


def _bounds(
    mapping: Cursor, loops_at: Dict[int, _Directive], problem: TensorProblem
) -> dict[tuple[int, str], tuple[int, int]]:
    """(bound, last) of every loop, factors of 0 resolved; checks that they multiply to the problem's bounds."""
    result: dict[tuple[int, str], tuple[int, int]] = {}
    for dim, bound in problem.dims:
        given = [(index, f) for index in sorted(loops_at) for f in loops_at[index].factors if f.dim == dim]
        open_ = [index for index, factor in given if factor.bound == 0]
        if len(open_) > 1:
            loops_at[open_[1]].cursor.at("factors").fail(f"{dim}=0 (the rest) stands at two levels", kind=MappingError)
        others = [(f.bound, f.last) for _, f in given if f.bound != 0]
        for index in open_:
            product = 1
            for other, _ in others:
                product *= other
            if bound % product:
                loops_at[index].cursor.at("factors").fail(
                    f"{dim}=0 (the rest) has no whole value: the bound {bound} is no multiple of {product}",
                    kind=MappingError,
                )
            result[index, dim] = (bound // product, bound // product)
        result |= {(index, dim): (f.bound, f.last) for index, f in given if f.bound != 0}
        covered = 1
        for index in sorted(loops_at):
            step, last = result.get((index, dim), (1, 1))
            covered = (covered - 1) * step + last
        if covered != bound:
            mapping.fail(
                f"the factors of {dim} cover {covered}, the problem has {bound}",
                hint="factors multiply to the bound; an imperfect one names its last round, P=4,3",
                kind=MappingError,
            )
    return result


def _nest(index: int, directive: _Directive, bounds: Dict[tuple[int, str], tuple[int, int]]) -> list[Loop]:
    """Loops of one level outermost first; unit loops are left out."""
    spatial = directive.cursor.need("type").text() == "spatial"
    loops = []
    for position in reversed(range(len(directive.order))):
        dim = directive.order[position]
        bound, last = bounds.get((index, dim), (1, 1))
        axis: Axis | None = ("x" if position < directive.split else "y") if spatial else None
        if bound > 1:
            loops.append(Loop(dim, bound, index, last, axis))
    return loops


def _kept(
    choices: Dict[int, Cursor], items: Sequence[Item], nodes: tuple[Node, ...], problem: TensorProblem
) -> tuple[tuple[frozenset[str], ...], tuple[Node, ...]]:
    kept: list[frozenset[str]] = []
    result: list[Node] = []
    outermost = next(index for index, node in enumerate(nodes) if isinstance(node, Memory))
    for index, node in enumerate(nodes):
        choice = choices.get(index)
        keep = tensor_names(choice.get("keep"), problem) if choice else []
        bypass = tensor_names(choice.get("bypass"), problem) if choice else []
        if not isinstance(node, Memory):
            if choice and keep:
                what = "a fan-out" if isinstance(items[index], FanOut) else "the compute unit"
                choice.at("keep").fail(f"{items[index].name} is {what} and stores nothing", kind=MappingError)
            kept.append(frozenset())
            result.append(node)
            continue
        names: set[str] = set()
        for tensor in problem.tensors:
            name, role = tensor.name, tensor.role.value
            if choice and name in keep and name in bypass:
                choice.fail(f"{name} is both kept and bypassed at {node.name}", kind=MappingError)
            if choice and name in keep and not node.holds(name, role):
                choice.at("keep").fail(
                    f"the architecture does not let {node.name} keep {name}",
                    hint=f"it may keep: {', '.join(sorted(node.keep | node.may_bypass)) or 'nothing'}",
                    kind=MappingError,
                )
            if choice and name in bypass and node.holds(name, role) and not node.bypassable(name, role):
                if index != outermost:
                    choice.at("bypass").fail(f"the architecture requires {node.name} to keep {name}", kind=MappingError)
                node = _bypassing(node, name)
            if node.holds(name, role) and name not in bypass:
                names.add(name)
        kept.append(frozenset(names))
        result.append(node)
    return tuple(kept), tuple(result)


def _bypassing(memory: Memory, name: str) -> Memory:
    """The outermost memory keeps everything unless the mapping says otherwise, which Timeloop allows."""
    return dataclasses.replace(memory, keep=memory.keep - {name}, may_bypass=memory.may_bypass | {name})
