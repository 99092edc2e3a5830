"""Both spellings of an architecture as one list: memories, fan-outs and the compute unit, outermost first.

The `nodes:` form names fan-outs by containers (`spatial: {meshX, meshY}`). The native tree lists every level with
its number of instances, `meshX` of them along X; the fan-out is the ratio between neighbours, and the levels of class
`dummy_storage` that Timeloop's front end inserts only carry its name. A fan-out is always called
`inter_<what is below>_spatial`, as in Timeloop's own output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from energysim.engines.timeloop.yaml_nodes import Cursor
from energysim.errors import did_you_mean

_NODE_TAGS = ("!Component", "!Container", "!Parallel", "!Hierarchical", "!Nothing")
_NODE_KEYS = (
    "name", "class", "subclass", "attributes", "spatial", "constraints", "required_actions", "enabled",
    "sparse_optimizations", "area_scale", "energy_scale", "networks",
)  # fmt: skip
_LOCAL_KEYS = ("name", "class", "subclass", "attributes", "required_actions", "enabled", "area_scale", "energy_scale")
_NETWORK_CLASSES = ("XY_NoC", "Legacy", "ReductionTree", "SimpleMulticast", "network")
_STORAGE_WORDS = ("dram", "sram", "regfile", "smartbuffer", "storage", "buffer", "cache")
_DUMMY = "dummy_storage"


@dataclass(frozen=True)
class Level:
    """A memory or the compute unit: where it was read, and its attributes (its own before inherited ones)."""

    name: str
    cursor: Cursor
    class_name: str
    attributes: Mapping[str, Cursor]
    constraints: tuple[Cursor, ...] = ()
    branch: int | None = None  # index of its !Parallel node: what it does not keep, a sibling does


@dataclass(frozen=True)
class FanOut:
    """``x`` by ``y`` children. ``aliases`` are the other names by which a mapping may point at it."""

    name: str
    cursor: Cursor
    x: int
    y: int
    aliases: tuple[str, ...] = ()
    constraints: tuple[Cursor, ...] = ()


Item = Level | FanOut


@dataclass(frozen=True)
class Levels:
    """``inherited`` are the attributes of the outermost container."""

    name: str
    items: tuple[Item, ...]
    attributes: Mapping[str, Cursor] = field(default_factory=dict)


def read_levels(architecture: Cursor, warnings: list[str]) -> Levels:
    """Raises SpecError for an unknown node, a level twice, or a chain that does not end in a compute unit."""
    if "nodes" in architecture:
        architecture.only(("version", "nodes", "name"))
        levels = _from_nodes(architecture.need("nodes"), warnings)
    elif "subtree" in architecture:
        architecture.only(("version", "subtree", "name"))
        levels = _from_tree(architecture.need("subtree"), warnings)
    else:
        architecture.fail("an architecture has the key 'nodes' (v0.4) or 'subtree' (the native tree)")
    seen: set[str] = set()
    for item in levels.items:
        if item.name in seen:
            item.cursor.fail(f"two levels are called {item.name!r}")
        seen.add(item.name)
    last = levels.items[-1] if levels.items else None
    if not isinstance(last, Level) or any(word in last.class_name.lower() for word in _STORAGE_WORDS):
        (architecture if last is None else last.cursor).fail(
            "the innermost level must be a compute unit", hint="for example class: intmac"
        )
    return levels


def _attributes(node: Cursor) -> dict[str, Cursor]:
    attributes = node.get("attributes")
    if attributes is None:
        return {}
    return {key: attributes.at(key) for key in attributes.keys() if key in attributes}  # noqa: SIM118


def _enabled(node: Cursor) -> bool:
    enabled = node.get("enabled")
    return enabled is None or enabled.boolean()


def _skipped(node: Cursor, class_name: str, warnings: list[str]) -> bool:
    """Networks and placeholders hold nothing; a network's energy is not modelled, so it is said."""
    if any(word in class_name for word in _NETWORK_CLASSES):
        warnings.append(f"{node.where}: the network {node.need('name').text()!r} is not modelled")
        return True
    return class_name == "nothing"


# the nodes: form ----------------------------------------------------------------------------------------------


def _from_nodes(nodes: Cursor, warnings: list[str]) -> Levels:
    inherited: dict[str, Cursor] = {}
    items: list[Item] = []
    name = "system"
    first = True
    for node, branch in _flatten(nodes, None, [0]):
        if node.tag == "!Nothing" or not _enabled(node):
            continue
        node.only(_NODE_KEYS)
        if "sparse_optimizations" in node:
            node.at("sparse_optimizations").fail("sparse optimizations cannot be represented")
        own_name = node.need("name").text()
        constraints = node.get("constraints")
        x, y = _mesh(node.get("spatial"))
        attributes = _attributes(node)
        spatial_constraint: tuple[Cursor, ...] = ()
        if constraints is not None and x * y > 1 and "spatial" in constraints:
            spatial_constraint = (constraints.at("spatial"),)
        if x * y > 1:
            if branch is not None:
                node.at("spatial").fail(
                    "a fan-out inside !Parallel cannot be represented", hint="put it above !Parallel"
                )
            items.append(FanOut(f"inter_{own_name}_spatial", node, x, y, (own_name,), spatial_constraint))
        if node.tag == "!Container":
            if "networks" in node:
                warnings.append(f"{node.at('networks').where}: networks are not modelled")
            inherited.update(attributes)
            name = own_name if first else name
            first = False
            if constraints is not None:
                for kind in constraints.keys():  # noqa: SIM118
                    if kind in constraints and (kind != "spatial" or not spatial_constraint):
                        constraints.at(kind).fail(
                            f"the container {own_name!r} has no {'fan-out' if kind == 'spatial' else 'storage'} that "
                            f"a {kind} constraint could apply to"
                        )
            continue
        first = False
        class_name = node.need("class").text()
        if _skipped(node, class_name, warnings):
            continue
        rest = () if constraints is None else (constraints,)
        items.append(Level(own_name, node, class_name, {**inherited, **attributes}, rest, branch))
    return Levels(name, tuple(items), inherited)


def _flatten(nodes: Cursor, branch: int | None, counter: list[int]) -> Iterator[tuple[Cursor, int | None]]:
    """Leaves in order, with the number of the !Parallel node that they stand under."""
    for node in nodes:
        tag = node.tag
        if tag not in _NODE_TAGS:
            hint = did_you_mean(tag or "", _NODE_TAGS) or f"known tags: {', '.join(_NODE_TAGS)}"
            node.fail(f"a node of an architecture needs a tag, found {tag or 'none'}", hint=hint)
        if tag in ("!Parallel", "!Hierarchical"):
            node.only(("nodes", "name"))
            inside = branch
            if tag == "!Parallel":
                if branch is not None:
                    node.fail("a !Parallel node inside another cannot be represented")
                counter[0] += 1
                inside = counter[0]
            yield from _flatten(node.need("nodes"), inside, counter)
        else:
            yield node, branch


def _mesh(spatial: Cursor | None) -> tuple[int, int]:
    if spatial is None:
        return 1, 1
    spatial.only(("meshX", "meshY"))
    x, y = spatial.get("meshX"), spatial.get("meshY")
    return (1 if x is None else x.integer(minimum=1)), (1 if y is None else y.integer(minimum=1))


# the native tree ----------------------------------------------------------------------------------------------

_RANGE = re.compile(r"^(?P<name>[^\[\]]+)(?:\[(?:(?P<first>\d+)\.\.)?(?P<last>\d+)\])?$")


def split_range(name: str) -> tuple[str, int] | None:
    """``RF[1..64]`` -> ("RF", 64), ``RF`` -> ("RF", 1); None for anything else."""
    match = _RANGE.match(name)
    if match is None:
        return None
    if match["last"] is None:
        return match["name"], 1
    first = 0 if match["first"] is None else int(match["first"])
    count = int(match["last"]) - first + (0 if match["first"] is None else 1)
    return (match["name"], count) if count >= 1 else None


def _named(node: Cursor) -> tuple[str, int]:
    name = node.need("name")
    parsed = split_range(name.text())
    if parsed is None:
        name.fail(f"cannot read the instances of {name.text()!r}", hint="for example RF[1..64]")
    return parsed


@dataclass(frozen=True)
class _Placed:
    level: Level
    x: int
    y: int
    owner: str  # what a fan-out above it is called after: its subtree where that is replicated, else itself


def _from_tree(subtree: Cursor, warnings: list[str]) -> Levels:
    inherited: dict[str, Cursor] = {}
    placed: list[_Placed] = []
    name, count = "", 1
    current: Cursor | None = subtree
    while current is not None:
        nodes = list(current)
        if len(nodes) != 1:
            current.fail(f"{len(nodes)} subtrees side by side cannot be represented", hint="exactly one per level")
        node = nodes[0]
        node.only(("name", "attributes", "local", "subtree", "version"))
        own_name, size = _named(node)
        name, count = name or own_name.removesuffix("_top_level"), count * size
        inherited.update(_attributes(node))
        for local in node.get("local") or ():
            place = _local(local, inherited, count, own_name if size > 1 else None, warnings)
            if place is not None:
                placed.append(place)
        current = node.get("subtree")
    return Levels(name, tuple(_with_fan_outs(placed)), inherited)


def _local(
    local: Cursor, inherited: Mapping[str, Cursor], count: int, owner: str | None, warnings: list[str]
) -> _Placed | None:
    local.only(_LOCAL_KEYS)
    name, size = _named(local)
    class_name = local.need("class").text()
    if not _enabled(local) or _skipped(local, class_name, warnings):
        return None
    attributes = _attributes(local)
    instances = count * size
    mesh_x, mesh_y = attributes.get("meshX"), attributes.get("meshY")
    y = None if mesh_y is None else mesh_y.integer(minimum=1)
    x = mesh_x.integer(minimum=1) if mesh_x is not None else instances // (y or 1)
    y = instances // x if y is None else y
    if x * y != instances:
        local.fail(f"{name} has {instances} instances, but meshX * meshY = {x} * {y} = {x * y}")
    return _Placed(Level(name, local, class_name, {**inherited, **attributes}), x, y, owner or name)


def _with_fan_outs(placed: list[_Placed]) -> Iterator[Item]:
    """A dummy level names the fan-out below it; a fan-out without one gets the name of the level below it."""
    x, y = 1, 1
    dummy: Level | None = None
    names = {place.level.name for place in placed}  # a name of a level never also means the fan-out above it
    for place in placed:
        level = place.level
        if place.x % x or place.y % y:
            level.cursor.fail(
                f"{level.name} has {place.x} x {place.y} instances, no multiple of the {x} x {y} of the level above"
            )
        step_x, step_y = place.x // x, place.y // y
        x, y = place.x, place.y
        if dummy is not None:
            alias = dummy.name.removeprefix("inter_").removesuffix("_spatial")
            yield FanOut(dummy.name, dummy.cursor, step_x, step_y, () if alias in names else (alias,))
        elif step_x * step_y > 1:
            yield FanOut(
                f"inter_{place.owner}_spatial",
                level.cursor,
                step_x,
                step_y,
                () if place.owner in names else (place.owner,),
            )
        dummy = level if level.class_name == _DUMMY else None
        if dummy is None:
            yield level
