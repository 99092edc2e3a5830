"""Energy and area reference tables (ERT, ART) in Accelergy's format: of the user, or read back from Accelergy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Array, Compute, Energy, Node
from energysim.energy.actions import ActionEnergies
from energysim.errors import SpecError, did_you_mean
from energysim.spec_files import SpecFile, load_yaml

_COMPONENT = re.compile(r"(?P<name>[^\[\]]+?)(?:\[[^\]]*\])?")
_PICOJOULE = 1e-12
_MAC_ACTIONS = ("compute", "mac_random", "mac", "op")
VERSIONS = ("0.3", "0.4")


@dataclass(frozen=True)
class ReferenceTables:
    """``energies_pj``: component -> action -> pJ of one action of one instance (``leak``: of one cycle).
    ``areas_um2``: component -> um^2 of one instance. Components by their plain name: ``system.RF[1..64]`` is ``RF``.
    ``sources``: component -> who estimated it.
    """

    energies_pj: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    areas_um2: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def read_tables(ert: Sequence[str | Path] = (), art: Sequence[str | Path] = ()) -> ReferenceTables:
    """The user's own tables. Raises NotFoundError for a missing file, SpecError with file, line and key."""
    energies: dict[str, Mapping[str, float]] = {}
    sources: dict[str, str] = {}
    areas: dict[str, float] = {}
    for path in ert:
        spec = load_yaml(path)
        for name, actions in ert_rows(spec):
            energies[name] = actions
            sources[name] = f"ERT of {Path(path).name}"
    for path in art:
        areas |= dict(art_rows(load_yaml(path)))
    return ReferenceTables(energies, areas, sources)


def ert_rows(spec: SpecFile) -> Iterator[tuple[str, dict[str, float]]]:
    """(component, action -> pJ). Of an action listed for several arguments the dearest counts, as in Timeloop."""
    for loc, name, table in _tables(spec, "ERT"):
        actions: dict[str, float] = {}
        rows = table.get("actions")
        if not isinstance(rows, list) or not rows:
            raise spec.error(f"the component {name!r} lists no actions", loc)
        for index, row in enumerate(rows):
            here = (*loc, "actions", index)
            action = row.get("name") if isinstance(row, dict) else None
            if not isinstance(action, str):
                raise spec.error(f"an action of {name!r} has no name", here)
            pj = _number(spec, (*here, "energy"), row.get("energy"), f"the energy of {name}.{action}", "pJ")
            actions[action] = max(pj, actions.get(action, 0.0))
        yield name, actions


def art_rows(spec: SpecFile) -> Iterator[tuple[str, float]]:
    """(component, um^2)."""
    for loc, name, table in _tables(spec, "ART"):
        yield name, _number(spec, (*loc, "area"), table.get("area"), f"the area of {name}", "um^2")


def _tables(spec: SpecFile, key: str) -> Iterator[tuple[tuple[str | int, ...], str, dict[str, Any]]]:
    root = spec.at((key,))
    if not isinstance(root, dict):
        raise SpecError(
            f"this file holds no {key!r}", where=spec.location(()), hint=f"{key}: {{version, tables: [...]}}"
        )
    version = str(root.get("version", VERSIONS[-1]))
    if version not in VERSIONS:
        raise spec.error(f"version {version} of the {key}", (key, "version"), hint=f"{' or '.join(VERSIONS)} is right")
    tables = root.get("tables")
    if not isinstance(tables, list):
        raise spec.error("'tables' is no list", (key,), hint="a list of components")
    for index, table in enumerate(tables):
        loc = (key, "tables", index)
        name = table.get("name") if isinstance(table, dict) else None
        if not isinstance(name, str):
            raise spec.error("a table without the name of its component", loc)
        yield loc, component_name(name), table


def component_name(text: str) -> str:
    """``system.PE[1..4].RF[1..64]`` -> ``RF``."""
    last = text.replace("..", "\0").rsplit(".", 1)[-1]
    match = _COMPONENT.fullmatch(last)
    return last.replace("\0", "..") if match is None else match["name"]


def _number(spec: SpecFile, loc: tuple[str | int, ...], value: Any, what: str, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise spec.error(f"{what} is {value!r}", loc, hint=f"a number of {unit}, 0 or more")
    return float(value)


def stating(arch: ArchSpec, tables: ReferenceTables) -> ArchSpec:
    """The architecture with the energies of the tables as its own: they replace what it states, and no estimator is
    asked for them. An access moves the bits that the memory states, else one word.

    Raises SpecError for a component that the architecture does not have: a misspelt name would be without effect.
    """
    names = [node.name for node in arch.nodes]
    for name in tables.energies_pj:
        if name not in names and not name.startswith("inter_"):
            hint = did_you_mean(name, names) or f"its components: {', '.join(names)}"
            raise SpecError(f"{arch.name} has no component {name!r}, but the ERT has", hint=hint)
    return replace(arch, nodes=tuple(_stating(node, arch, tables) for node in arch.nodes))


def _stating(node: Node, arch: ArchSpec, tables: ReferenceTables) -> Node:
    row = tables.energies_pj.get(node.name)
    if row is None or isinstance(node, Array):
        return node
    source = tables.sources.get(node.name, "reference table")
    leakage = _exactly(row["leak"] * _PICOJOULE * arch.clock_hz, source) if "leak" in row else node.leakage_w
    if isinstance(node, Compute):
        pj = next((row[action] for action in _MAC_ACTIONS if action in row), None)
        mac = node.mac_energy if pj is None else Energy(_exactly(pj, source), node.bits)
        return replace(node, mac_energy=mac, leakage_w=leakage)
    bits = node.access_bits or node.word_bits or arch.default_bits

    def energy(action: str, other: Energy | None) -> Energy | None:
        return Energy(_exactly(row[action], source), bits) if action in row else other

    write = energy("write", node.write_energy)
    update = energy("update", None if "write" in row else node.update_energy)
    return replace(
        node, read_energy=energy("read", node.read_energy), write_energy=write, update_energy=update, leakage_w=leakage
    )


def _exactly(value: float, source: str) -> Sourced:
    return Sourced(value, value, value, source)


def areas_mm2(arch: ArchSpec, tables: ReferenceTables, energies: ActionEnergies) -> tuple[tuple[str, float], ...]:
    """Silicon of all instances of each component whose area is known; empty where no area is."""
    known = {**dict(energies.areas_um2), **tables.areas_um2}
    return tuple(
        (node.name, known[node.name] * arch.instances(index) / 1e6)
        for index, node in enumerate(arch.nodes)
        if node.name in known and not isinstance(node, Array)
    )


def area_notes(areas: Sequence[tuple[str, float]]) -> tuple[str, ...]:
    """One line on the silicon of the components whose area is known; none where no area is."""
    if not areas:
        return ()
    parts = ", ".join(f"{name} {area:.4g}" for name, area in areas)
    return (f"area of all instances: {sum(area for _, area in areas):.4g} mm2 ({parts})",)
