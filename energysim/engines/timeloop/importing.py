"""Timeloop's files as energysim's own: an architecture for any workload, problems as layers.

What has no counterpart is an error that names it and its place; nothing is dropped in silence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from energysim.arch.schema import DIMENSIONS
from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Array, Compute, Constraints, Energy, Node
from energysim.engines.timeloop.problem import read_problem
from energysim.engines.timeloop.reader import TimeloopInput, read_timeloop
from energysim.engines.timeloop.rename import energysim_letters, renamed
from energysim.engines.timeloop.yaml_nodes import load
from energysim.errors import Location, SpecError
from energysim.graph.problem import Role, TensorProblem


@dataclass(frozen=True)
class ImportedArch:
    """``letters``: dimensions that constraints name otherwise here; ``warnings``: what was passed over."""

    arch: ArchSpec
    letters: Mapping[str, str]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ImportedProblem:
    """A layer. ``letters``: how its dimensions are called here."""

    name: str
    problem: TensorProblem
    letters: Mapping[str, str]
    warnings: tuple[str, ...]


def import_arch(files: Sequence[Path], name: str | None = None) -> ImportedArch:
    """The architecture and constraints of any number of files, energies from an ERT among them.

    A problem among the files only says which data space plays which role and what its dimensions are called.
    Raises NotFoundError, or SpecError with the place of what cannot be represented in an energysim architecture.
    """
    given = read_timeloop(files, with_mapping=False, for_any_problem=True)
    letters = _letters_of(given)
    roles = _roles_of(given)
    source = f"imported from {given.arch.source}"
    nodes = tuple(
        _node(node, letters, roles, source, outermost=index == 0, where=given.places[node.name])
        for index, node in enumerate(given.arch.nodes)
    )
    arch = dataclasses.replace(
        given.arch,
        name=name or given.arch.name,
        nodes=nodes,
        description=f"Imported from Timeloop's files {given.arch.source}",
    )
    warnings = list(given.warnings)
    if given.art:
        warnings.append("the ART is passed over: areas have no place in an architecture here")
    changed = {dim: letter for dim, letter in letters.items() if dim != letter}
    return ImportedArch(arch, changed, tuple(warnings))


def import_problems(files: Sequence[Path]) -> tuple[ImportedProblem, ...]:
    """One layer per file with a `problem`, named after the file.

    Raises NotFoundError, or SpecError with the place of what cannot be represented, or where no file holds a problem.
    """
    found: list[ImportedProblem] = []
    for path in files:
        root = load(path)
        section = root.get("problem")
        if section is None:
            continue
        warnings: list[str] = []
        problem = read_problem(section, warnings)
        try:
            letters = energysim_letters(problem)
        except SpecError as error:
            section.fail(error.what, hint=error.hint)
        name = path.stem
        if any(other.name == name for other in found):
            root.fail(f"a second layer would be called {name!r}", hint="layers are named after their files")
        found.append(ImportedProblem(name, renamed(problem, letters), letters, tuple(warnings)))
    if not found:
        names = ", ".join(str(path) for path in files)
        raise SpecError("no file holds a 'problem'", hint=f"read: {names}")
    return tuple(found)


def _letters_of(given: TimeloopInput) -> dict[str, str]:
    """By the parts that the problem's dimensions play. Without a problem names are taken at their word, but for M, the
    output channels of Timeloop's convolutions."""
    if given.problem is not None:
        try:
            return energysim_letters(given.problem)
        except SpecError as error:
            raise SpecError(f"the problem among the files: {error.what}", hint=error.hint) from None
    named = {dim for node in given.arch.nodes if not isinstance(node, Compute) for dim in _named(node.constraints)}
    if "M" in named and "K" in named:
        raise SpecError(
            "constraints name both M and K, and no file says what they stand for",
            hint="give a file with a 'problem' too",
        )
    return {dim: "K" if dim == "M" else dim for dim in named}


def _named(constraints: Constraints) -> set[str]:
    factors = {dim for dim, _ in (*constraints.fixed, *constraints.at_most)}
    return factors | set(constraints.innermost) | (constraints.x_dims or set()) | (constraints.y_dims or set())


def _roles_of(given: TimeloopInput) -> dict[str, str]:
    """What is kept, by the name under which the reader has it -> role."""
    if given.problem is None:
        return {role.value: role.value for role in Role}
    return {tensor.name: tensor.role.value for tensor in given.problem.tensors}


def _node(
    node: Node, letters: Mapping[str, str], roles: Mapping[str, str], source: str, *, outermost: bool, where: Location
) -> Node:
    if isinstance(node, Compute):
        energy, leakage = _energy(node.mac_energy, source), _from(node.leakage_w, source)
        return dataclasses.replace(node, mac_energy=energy, leakage_w=leakage)
    constraints = _constraints(node.constraints, letters, node.name, where)
    if isinstance(node, Array):
        return dataclasses.replace(node, constraints=constraints)
    if not node.keep and not node.may_bypass:
        raise SpecError(f"{node.name} keeps nothing, which cannot be represented", where=where, hint="leave it out")
    if node.capacity_bits is None and node.kind != "dram":
        raise SpecError(
            f"{node.name} ({node.kind}) states no size, and only main memory may be unbounded",
            where=where,
            hint="give depth, entries or sizeKB, or a class with DRAM in its name",
        )
    if outermost and (constraints.fixed or constraints.at_most):
        factors = ", ".join(dim for dim, _ in (*constraints.fixed, *constraints.at_most))
        raise SpecError(
            f"the factors of {factors} at {node.name} cannot be represented: "
            "the outermost memory takes what is left over",
            where=where,
            hint="constrain the levels below it",
        )
    return dataclasses.replace(
        node,
        keep=frozenset(roles[name] for name in node.keep),
        may_bypass=frozenset(roles[name] for name in node.may_bypass),
        read_energy=_energy(node.read_energy, source),
        write_energy=_energy(node.write_energy, source),
        update_energy=_energy(node.update_energy, source),
        leakage_w=_from(node.leakage_w, source),
        constraints=constraints,
    )


def _from(found: Sourced | None, source: str) -> Sourced | None:
    return None if found is None else dataclasses.replace(found, source=source)


def _energy(energy: Energy | None, source: str) -> Energy | None:
    return None if energy is None else Energy(dataclasses.replace(energy.pj, source=source), energy.bits)


def _constraints(constraints: Constraints, letters: Mapping[str, str], name: str, where: Location) -> Constraints:
    def letter(dim: str) -> str:
        found = letters.get(dim, dim)
        if found not in DIMENSIONS:
            raise SpecError(
                f"the dimension {dim!r} in a constraint of {name} is not known",
                where=where,
                hint=f"one of {', '.join(DIMENSIONS)}, or give a file with the 'problem' that it belongs to",
            )
        return found

    def axis(dims: frozenset[str] | None) -> frozenset[str] | None:
        return None if dims is None else frozenset(map(letter, dims))

    return dataclasses.replace(
        constraints,
        fixed=tuple((letter(dim), bound) for dim, bound in constraints.fixed),
        at_most=tuple((letter(dim), bound) for dim, bound in constraints.at_most),
        innermost=tuple(map(letter, constraints.innermost)),
        x_dims=axis(constraints.x_dims),
        y_dims=axis(constraints.y_dims),
    )
