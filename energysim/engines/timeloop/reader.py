"""Timeloop v0.4 files into values: any number of files, each with one or more of the top-level keys."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from energysim.arch.spec import ArchSpec, Array, Node
from energysim.engines.timeloop import constraints as constraint_reader
from energysim.engines.timeloop.attributes import read_compute, read_memory, technology_nm
from energysim.engines.timeloop.levels import FanOut, Levels, read_levels
from energysim.engines.timeloop.mapping import read_mapping
from energysim.engines.timeloop.problem import read_problem
from energysim.engines.timeloop.tables import read_art, read_ert
from energysim.engines.timeloop.violations import violations
from energysim.engines.timeloop.yaml_nodes import Cursor, load
from energysim.errors import Location, SpecError, did_you_mean
from energysim.graph.problem import TensorProblem
from energysim.mapping.nest import Mapping

_CONSTRAINTS = ("architecture_constraints", "mapspace_constraints", "constraints", "mapspace")
# Keys of the other tools of that family: they steer estimators, searches and dumps, not counts.
_PASSED_OVER = (
    "mapper", "globals", "components", "compound_components", "ERT_summary", "ART_summary", "version",
    "dumped_by_timeloop_front_end", "energy_reference_table", "flattened_architecture",
)  # fmt: skip
_READ = ("architecture", "problem", "mapping", "ERT", "ART", "variables", *_CONSTRAINTS)
_DEFAULT_CYCLE_S = 1e-9
_NOT_MODELLED = ("network (wires and routers)", "address generators and controllers outside the ERT")


@dataclass(frozen=True)
class TimeloopInput:
    """What the files say. ``ert``: component -> action -> pJ; ``art``: component -> um^2; ``mapper``: its settings.

    ``problem`` and ``mapping`` are None where no file holds one. ``warnings`` names everything that was passed over,
    ``places`` says where each node of the architecture was read.
    """

    arch: ArchSpec
    problem: TensorProblem | None
    mapping: Mapping | None
    ert: Dict[str, Dict[str, float]] = field(default_factory=dict)
    art: Dict[str, float] = field(default_factory=dict)
    mapper: Dict[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    places: Dict[str, Location] = field(default_factory=dict)

    def need_problem(self) -> TensorProblem:
        if self.problem is None:
            raise SpecError("no file holds a 'problem'", hint=f"read: {self.arch.source}")
        return self.problem

    def need_mapping(self) -> Mapping:
        if self.mapping is None:
            raise SpecError("no file holds a 'mapping'", hint=f"read: {self.arch.source}")
        return self.mapping


def is_timeloop(path: Path) -> bool:
    """Whether a YAML file holds any of the top-level keys that are read here. Raises NotFoundError, SpecError."""
    root = load(path)
    return root.is_map and any(key in _READ for key in root.keys())  # noqa: SIM118 - a cursor is not a dict


def read_timeloop(files: Sequence[Path], *, with_mapping: bool = True, for_any_problem: bool = False) -> TimeloopInput:
    """Reads architecture, problem, mapping, constraints, ERT and ART from any number of files.

    ``with_mapping=False`` passes a mapping over: it shall not shape the architecture that another is searched for.
    ``for_any_problem``: the architecture is meant for other problems too, so no bound of this one shapes it.

    Raises NotFoundError for a missing file, SpecError (file, line, key) for what cannot be read or represented,
    MappingError for a mapping that does not fit.
    """
    warnings: list[str] = []
    roots = [load(Path(path)) for path in files]
    source = ", ".join(Path(path).name for path in files)
    found = _sections(roots)
    if "architecture" not in found:
        raise SpecError("no file holds an 'architecture'", hint=f"read: {source or 'no file'}")
    variables = _variables(found.get("variables"), warnings)
    sections = {name: cursor.with_variables(variables) for name, cursor in found.items()}
    problem = read_problem(sections["problem"], warnings) if "problem" in sections else None
    ert = read_ert(sections["ERT"]) if "ERT" in sections else {}
    art = read_art(sections["ART"]) if "ART" in sections else {}
    levels = read_levels(sections["architecture"], warnings)
    clock_hz = round(1.0 / _cycle_seconds(levels, variables, warnings), 3)  # 1 / 1e-9 is not quite 1e9
    nodes = _nodes(levels, ert if "ERT" in sections else None, source, clock_hz, warnings)
    statements = constraint_reader.statements_of_nodes(levels.items)
    for name in _CONSTRAINTS:
        if name in sections and not _is_template(name, sections[name]):
            statements += constraint_reader.statements_of_file(sections[name], levels.items)
    nodes = constraint_reader.apply(statements, levels.items, nodes, problem, warnings, for_any_problem=for_any_problem)
    mapping = None
    if "mapping" in sections and sections["mapping"].value and not with_mapping:
        warnings.append(f"{sections['mapping'].where}: the mapping is not used")
    elif "mapping" in sections and sections["mapping"].value:
        if problem is None:
            sections["mapping"].fail("a mapping needs a problem", hint="give the file that holds 'problem' too")
        read = read_mapping(sections["mapping"], levels.items, nodes, problem, warnings)
        mapping, nodes = read.mapping, read.nodes
        place = sections["mapping"].where
        warnings += [f"{place}: {what} (Timeloop refuses this mapping)" for what in violations(mapping, nodes)]
    arch = _arch(levels, nodes, clock_hz, source, files, art)
    if problem is not None:
        # Where every word is as wide as the memory says, the operand width only matters to the compute unit.
        problem = problem.with_bits({tensor.role: arch.default_bits for tensor in problem.tensors})
    mapper = dict(sections["mapper"].value) if "mapper" in sections else {}
    places = {item.name: item.cursor.where for item in levels.items}
    return TimeloopInput(arch, problem, mapping, ert, art, mapper, tuple(warnings), places)


def _sections(roots: Sequence[Cursor]) -> dict[str, Cursor]:
    """Every top-level key once. A mapping or constraint list that is empty in one file gives way to another file's."""
    known = (*_READ, *_PASSED_OVER)
    found: dict[str, Cursor] = {}
    for root in roots:
        for key in root.keys():  # noqa: SIM118 - a cursor is not a dict
            if key not in known:
                hint = did_you_mean(key, known) or f"known: {', '.join(_READ)}"
                root.at(key).fail(f"unknown top-level key {key!r}", hint=hint)
            if key not in root:
                continue
            section = root.at(key)
            earlier = found.get(key)
            if earlier is not None and earlier.value and section.value and key in _READ:
                section.fail(f"a second {key!r}: the first is at {earlier.where}")
            if earlier is None or section.value:
                found[key] = section
    return found


def _is_template(name: str, section: Cursor) -> bool:
    """`mapspace` is the constraint list of old files and, since v0.4, the settings of the mapper's search space."""
    return not section.value or (
        name == "mapspace" and section.is_map and "targets" not in section and "constraints" not in section
    )


def _variables(section: Cursor | None, warnings: list[str]) -> dict[str, float]:
    """Numbers by name; a text (a technology) is kept out of arithmetic, an expression may use the names above it."""
    values: dict[str, float] = {}
    if section is None:
        return values
    for key in section.keys():  # noqa: SIM118
        if key in section and key != "version":
            cursor = section.at(key).with_variables(values)
            try:
                values[key] = cursor.number()
            except SpecError:
                if key != "technology":
                    warnings.append(f"{cursor.where}: the variable {key!r} is no number: ignored")
    return values


def _cycle_seconds(levels: Levels, variables: Dict[str, float], warnings: list[str]) -> float:
    candidates = [levels.attributes] + [item.attributes for item in levels.items if not isinstance(item, FanOut)]
    for attributes in candidates:
        for name in ("global_cycle_seconds", "cycle_seconds"):
            if name in attributes:
                cycle = attributes[name].number()
                if cycle <= 0:
                    attributes[name].fail(f"a cycle of {cycle:g} seconds makes no sense", hint="for example 1e-9")
                return cycle
    if variables.get("global_cycle_seconds", 0.0) > 0:
        return variables["global_cycle_seconds"]
    warnings.append("no global_cycle_seconds is given: a clock of 1 GHz is assumed")
    return _DEFAULT_CYCLE_S


def _nodes(
    levels: Levels, ert: Dict[str, Dict[str, float]] | None, source: str, clock_hz: float, warnings: list[str]
) -> tuple[Node, ...]:
    """One node per item, without constraints."""
    nodes: list[Node] = []
    origin = f"ERT of {source}"
    for index, item in enumerate(levels.items):
        if isinstance(item, FanOut):
            nodes.append(Array(item.name, item.x, item.y))
            continue
        actions = None if ert is None else ert.get(item.name)
        if ert is not None and actions is None:
            hint = did_you_mean(item.name, ert)
            warnings.append(f"the ERT has no table for {item.name!r}: estimated" + (f" ({hint})" if hint else ""))
        if index == len(levels.items) - 1:
            nodes.append(read_compute(item, actions, origin, clock_hz))
        else:
            nodes.append(read_memory(item, actions, origin, clock_hz, warnings))
    return tuple(nodes)


def _arch(
    levels: Levels, nodes: tuple[Node, ...], clock_hz: float, source: str, files: Sequence[Path], art: Dict[str, float]
) -> ArchSpec:
    digest = hashlib.sha256()
    for path in files:
        digest.update(Path(path).read_bytes())
    candidates = [levels.attributes] + [item.attributes for item in levels.items if not isinstance(item, FanOut)]
    sizes = (technology_nm(attributes.get("technology")) for attributes in candidates)
    arch = ArchSpec(
        name=levels.name,
        nodes=nodes,
        clock_hz=clock_hz,
        technology_nm=next((size for size in sizes if size is not None), None),
        not_modelled=_NOT_MODELLED,
        source=source,
        sha256=digest.hexdigest(),
    )
    return dataclasses.replace(arch, default_bits=arch.compute.bits)
