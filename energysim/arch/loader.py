"""From an architecture file to an ``ArchSpec``: quantities to plain numbers, and the checks across the whole file."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from energysim.arch.schema import (
    DIMENSIONS,
    ROLES,
    ArchModel,
    ArrayModel,
    ComputeModel,
    ConstraintsModel,
    EfficiencyModel,
    MemoryModel,
    Quantity,
    model_of,
)
from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Array, Compute, Constraints, Efficiency, Energy, Memory, Node
from energysim.errors import EnergySimError, SpecError, UnitError, did_you_mean
from energysim.spec_files import Key, Loc, SpecFile, find_spec, list_specs, load_yaml, parse_yaml, validate_model
from energysim.units import (
    parse_bandwidth,
    parse_energy_pj_per_access,
    parse_energy_pj_per_mac,
    parse_frequency_hz,
    parse_length_nm,
    parse_power_w,
    parse_size_bits,
    parse_time_s,
)

KIND = "arch_specs"


def list_archs() -> tuple[str, ...]:
    """Names of the shipped architectures."""
    return list_specs(KIND)


def load_arch(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None) -> ArchSpec:
    """An architecture by name or by the path of a YAML file.

    ``overrides`` replaces values before anything is checked or derived: ``{"GLB.capacity": "128 KiB", "PE.x": 16,
    "clock": "500 MHz", "DRAM.energy.read.value": "6 pJ/bit"}``. A path starts at a node's name or a top-level key.

    Raises:
        NotFoundError: no such architecture or file.
        SpecError: the file or an override is malformed; says file, line, key and what would be right.
    """
    return arch_from(load_yaml(find_spec(KIND, name_or_path)), overrides)


def parse_arch(text: str, file: str = "<text>") -> ArchSpec:
    """An architecture from YAML text. Raises SpecError like ``load_arch``."""
    return arch_from(parse_yaml(text, file))


def arch_from(spec: SpecFile, overrides: Mapping[str, Any] | None = None) -> ArchSpec:
    """An architecture from a document that is already read. Raises SpecError like ``load_arch``."""
    data = _overridden(spec, overrides or {})
    model = validate_model(ArchModel, spec, data=data)
    return _Builder(spec, model, overrides or {}).build()


def _overridden(spec: SpecFile, overrides: Mapping[str, Any]) -> Any:
    """The document's plain data with the overrides put in; the node of a path is found by its name."""
    data = copy.deepcopy(spec.plain)
    if not overrides or not isinstance(data, dict):
        return data
    nodes = {
        next((str(node[key]) for key in ("memory", "array", "compute") if key in node), ""): node
        for node in data.get("nodes") or []
        if isinstance(node, dict)
    }
    for path, value in overrides.items():
        head, *rest = path.split(".")
        at = nodes.get(head) if rest and head in nodes else data
        keys = rest if rest and head in nodes else [head, *rest]
        if at is data and head not in ArchModel.model_fields:
            known = [*nodes, *ArchModel.model_fields]
            raise SpecError(
                f"override {path!r}: {head!r} is neither a node nor a key of {spec.file}",
                hint=did_you_mean(head, known) or f"one of {', '.join(known)}",
            )
        for key in keys[:-1]:
            child = at.get(key) if isinstance(at, dict) else None
            # "GLB.energy.read.value" on a value written as plain text: give it the long form first.
            child = {"value": child} if isinstance(child, str | int | float) else {} if child is None else child
            assert isinstance(at, dict)
            at[key] = child
            at = child
        if not isinstance(at, dict):
            raise SpecError(f"override {path!r} leads to a list", hint="a node's name and a key, as in 'GLB.capacity'")
        at[keys[-1]] = value
    return data


@dataclass
class _Builder:
    """Reads one validated file. ``provenance`` collects every quantity with its source on the way."""

    spec: SpecFile
    model: ArchModel
    overrides: Mapping[str, Any]
    clock_hz: float = 0.0
    provenance: list[tuple[str, Sourced]] = field(default_factory=list)

    def build(self) -> ArchSpec:
        model = self.model
        self.clock_hz = self.number(parse_frequency_hz, model.clock, ("clock",), "clock")
        technology = self.optional(parse_length_nm, model.technology, ("technology",), "technology")
        self.check_chain()
        nodes = tuple(self.node(node, ("nodes", i)) for i, node in enumerate(model.nodes))
        efficiency = tuple(self.efficiency(name, one) for name, one in model.efficiency.items())
        idle = self.sourced(parse_power_w, model.idle_power, ("idle_power",), "idle_power")
        changed = tuple(f"{path} = {value} (overridden)" for path, value in self.overrides.items())
        digest = self.spec.sha256
        if self.overrides:
            digest = hashlib.sha256(f"{digest}{sorted(map(str, changed))}".encode()).hexdigest()
        return ArchSpec(
            name=model.name,
            nodes=nodes,
            clock_hz=self.clock_hz,
            technology_nm=technology,
            default_bits=model.word_bits,
            description=model.description,
            not_modelled=tuple(model.not_modelled),
            assumptions=(*model.assumptions, *changed),
            efficiency=efficiency,
            idle_power_w=idle,
            source=Path(self.spec.file).name,
            sha256=digest,
            provenance=tuple(self.provenance),
        )

    def node(self, node: MemoryModel | ArrayModel | ComputeModel, loc: Loc) -> Node:
        if isinstance(node, MemoryModel):
            return self.memory(node, loc)
        if isinstance(node, ArrayModel):
            return self.array(node, loc)
        return self.compute(node, loc)

    def memory(self, node: MemoryModel, loc: Loc) -> Memory:
        name, source = node.memory, node.source
        capacity = self.optional(parse_size_bits, node.capacity, (*loc, "capacity"), f"{name}.capacity", source)
        access = self.optional(parse_size_bits, node.access, (*loc, "access"), f"{name}.access", source)
        word = node.word_bits or self.model.word_bits
        width = access or word
        if capacity is not None and capacity < width:
            raise self.spec.error(f"{capacity} bits hold less than one access of {width} bits", (*loc, "capacity"))

        def bandwidth(key: str) -> float | None:
            given = getattr(node.bandwidth, key)
            at = (*loc, "bandwidth", key)
            return self.optional(
                lambda text: parse_bandwidth(text, self.clock_hz, word), given, at, f"{name}.bandwidth.{key}", source
            )

        def energy(key: str) -> Energy | None:
            given = getattr(node.energy, key)
            at = (*loc, "energy", key)
            pj = self.sourced(
                lambda text: parse_energy_pj_per_access(text, width, word), given, at, f"{name}.energy.{key}", source
            )
            return None if pj is None else Energy(pj, width)

        return Memory(
            name=name,
            kind=node.kind,
            keep=frozenset(node.keeps),
            may_bypass=frozenset(node.may_bypass),
            capacity_bits=capacity,
            word_bits=node.word_bits,
            psum_bits=node.psum_bits,
            access_bits=access,
            banks=node.banks,
            read_bandwidth=bandwidth("read"),
            write_bandwidth=bandwidth("write"),
            shared_bandwidth=bandwidth("shared"),
            multiple_buffering=node.multiple_buffering,
            technology=node.technology,
            read_energy=energy("read"),
            write_energy=energy("write"),
            update_energy=energy("update"),
            leakage_w=self.sourced(parse_power_w, node.leakage, (*loc, "leakage"), f"{name}.leakage", source),
            constraints=_memory_constraints(node.constraints),
        )

    def array(self, node: ArrayModel, loc: Loc) -> Array:
        given = node.constraints
        size = node.x * node.y
        for dim, factor in given.fixed.items():
            if factor > size:
                what = f"{factor} does not fit the {node.x} x {node.y} array"
                raise self.spec.error(what, (*loc, "constraints", "fixed", dim), f"at most {size}")
        constraints = Constraints(
            fixed=tuple(given.fixed.items()),
            at_most=tuple(given.at_most.items()),
            x_dims=None if given.x is None else frozenset(given.x),
            y_dims=None if given.y is None else frozenset(given.y),
            min_utilization=given.min_utilization,
        )
        return Array(node.array, node.x, node.y, node.multicast, node.reduction, node.link_transfers, constraints)

    def compute(self, node: ComputeModel, loc: Loc) -> Compute:
        name, source = node.compute, node.source
        at = (*loc, "energy", "mac")
        mac = self.sourced(parse_energy_pj_per_mac, node.energy.mac, at, f"{name}.energy.mac", source)
        return Compute(
            name=name,
            kind=node.kind,
            bits=node.bits,
            macs_per_cycle=tuple(sorted(node.macs_per_cycle.items())),
            mac_energy=None if mac is None else Energy(mac, node.bits),
            leakage_w=self.sourced(parse_power_w, node.leakage, (*loc, "leakage"), f"{name}.leakage", source),
            gates_zeros=frozenset(node.gates_zeros),
        )

    def efficiency(self, name: str, model: EfficiencyModel) -> Efficiency:
        loc: Loc = ("efficiency", name)

        def of[T](parse: Callable[[Any], float], key: str) -> Sourced:
            found = self.sourced(parse, getattr(model, key), (*loc, key), f"efficiency.{name}.{key}")
            assert found is not None
            return found

        return Efficiency(name, of(_share, "compute"), of(_share, "bandwidth"), of(parse_time_s, "launch_overhead"))

    def check_chain(self) -> None:
        """Names differ; one compute node, last; the outermost node is a memory that keeps every tensor."""
        nodes = self.model.nodes
        seen: dict[str, int] = {}
        for i, node in enumerate(nodes):
            key = model_of(node)
            name = getattr(node, key)
            if name in seen:
                raise self.spec.error(f"the name {name!r} is taken by node {seen[name]}", ("nodes", i, key))
            seen[name] = i
            if key == "compute" and i != len(nodes) - 1:
                raise self.spec.error("compute is not the last node", ("nodes", i), "nodes go from DRAM to the MACs")
            if isinstance(node, MemoryModel):
                self.check_memory(node, ("nodes", i))
        if model_of(nodes[-1]) != "compute":
            raise self.spec.error(
                "the last node is no compute node", ("nodes", len(nodes) - 1), "'- compute: MAC' is missing"
            )
        first = nodes[0]
        if not isinstance(first, MemoryModel):
            raise self.spec.error("the first node is no memory", ("nodes", 0), "nodes go from DRAM to the MACs")
        for role in ROLES:
            if role not in first.keeps:
                hint = f"keeps: [{', '.join(ROLES)}]"
                raise self.spec.error(f"the outermost memory does not keep {role}", ("nodes", 0, "keeps"), hint)
        if (
            first.may_bypass
            or first.constraints.fixed
            or first.constraints.at_most
            or first.constraints.only is not None
        ):
            key = "may_bypass" if first.may_bypass else "constraints"
            raise self.spec.error("the outermost memory holds what is left over", ("nodes", 0, key), f"leave {key} out")

    def check_memory(self, node: MemoryModel, loc: Loc) -> None:
        if not node.keeps and not node.may_bypass:
            raise self.spec.error(f"{node.memory!r} keeps nothing", loc, f"keeps: [{', '.join(ROLES)}] or a part of it")
        both = sorted(set(node.keeps) & set(node.may_bypass))
        if both:
            raise self.spec.error(f"{both[0]} is both kept and bypassable", (*loc, "may_bypass"), "in one of the lists")
        if node.capacity is None and node.kind != "dram":
            hint = "for example 'capacity: 64 KiB'"
            raise self.spec.error(f"a memory of kind {node.kind} needs a capacity", loc, hint)
        constraints = node.constraints
        for dim, factor in constraints.fixed.items():
            if constraints.only is not None and dim not in constraints.only:
                where: tuple[Key, ...] = (*loc, "constraints", "fixed", dim)
                raise self.spec.error(f"{dim} is fixed to {factor} but not listed under 'only'", where)

    def number[T](self, parse: Callable[[Any], T], given: Quantity, loc: Loc, key: str, source: str | None = None) -> T:
        """The plain number of a quantity that must be there."""
        found = self.optional(parse, given, loc, key, source)
        assert found is not None
        return found

    def optional[T](
        self, parse: Callable[[Any], T], given: Quantity | None, loc: Loc, key: str, source: str | None = None
    ) -> T | None:
        """The plain number of a quantity, or None where it is left out."""
        if given is None:
            return None
        self.sourced(parse, given, loc, key, source)
        return self.parsed(parse, given.value, (*loc, "value"))

    def sourced(
        self, parse: Callable[[Any], Any], given: Quantity | None, loc: Loc, key: str, source: str | None = None
    ) -> Sourced | None:
        """The quantity with its range and source: its own, else the node's, else the file's."""
        if given is None:
            return None
        value = float(self.parsed(parse, given.value, (*loc, "value")))
        low = value if given.low is None else float(self.parsed(parse, given.low, (*loc, "low")))
        high = value if given.high is None else float(self.parsed(parse, given.high, (*loc, "high")))
        if not low <= value <= high:
            raise self.spec.error(f"low <= value <= high does not hold: {low:g}, {value:g}, {high:g}", loc)
        text = given.source or source or self.model.source or f"stated in {Path(self.spec.file).name}"
        found = Sourced(value, low, high, text, given.estimate)
        self.provenance.append((key, found))
        return found

    def parsed[T](self, parse: Callable[[Any], T], text: Any, loc: Loc) -> T:
        try:
            return parse(text)
        except EnergySimError as error:
            # A value written as plain text has no key "value" of its own.
            written = self.spec.at(loc[:-1])
            raise self.spec.error(error.what, loc if isinstance(written, Mapping) else loc[:-1], error.hint) from None


def _share(value: Any) -> float:
    """A share of a peak: a plain number above 0, at most 1."""
    try:
        share = float(value)
    except ValueError:
        raise UnitError(f"{value!r} is no number", hint="a share of the peak, for example 0.6") from None
    if not 0 < share <= 1:
        raise UnitError(f"{value!r} is no share of a peak", hint="above 0, at most 1")
    return share


def _memory_constraints(model: ConstraintsModel) -> Constraints:
    fixed = dict(model.fixed)
    if model.only is not None:
        fixed |= {dim: 1 for dim in DIMENSIONS if dim not in model.only}
    return Constraints(
        fixed=tuple(fixed.items()), at_most=tuple(model.at_most.items()), innermost=tuple(model.innermost)
    )
