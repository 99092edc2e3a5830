"""An ``ArchSpec`` as the architecture file that describes it: the inverse of ``loader``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from energysim.arch.schema import DIMENSIONS, ROLES
from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Array, Compute, Constraints, Efficiency, Energy, Memory, Node
from energysim.yaml_text import Document, plain_number


def arch_document(arch: ArchSpec) -> Document:
    """The file's content; ``yaml_text.dump`` makes it text. The source that most numbers share stands once, on top.

    What memories keep must be named by role (weights, ifmap, ofmap) and dimensions by energysim's letters; the loader
    says so where it reads the text.
    """
    document: dict[str, object] = {"version": 1, "name": arch.name}
    if arch.description:
        document["description"] = arch.description
    stated = dict(arch.provenance)
    if arch.technology_nm is not None:
        document["technology"] = _stated(stated.get("technology"), arch.technology_nm, "nm")
    document["clock"] = _stated(stated.get("clock"), arch.clock_hz, "Hz")
    document["word_bits"] = arch.default_bits
    document["nodes"] = [_node(node, stated) for node in arch.nodes]
    if arch.efficiency:
        document["efficiency"] = {item.op_class: _efficiency(item) for item in arch.efficiency}
    if arch.idle_power_w is not None:
        document["idle_power"] = _sourced(arch.idle_power_w, "W")
    for key, texts in (("assumptions", arch.assumptions), ("not_modelled", arch.not_modelled)):
        if texts:
            document[key] = list(texts)
    sources = Counter(_sources(document))
    if not sources:
        return document
    common = sources.most_common(1)[0][0]
    return {"version": 1, "name": arch.name, "source": common, **_without_source(document, common)}


def _sources(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "value" in value and "source" in value:
            yield value["source"]
        for item in value.values():
            yield from _sources(item)
    elif isinstance(value, list):
        for item in value:
            yield from _sources(item)


def _without_source(document: Document, common: str) -> dict[str, object]:
    """The quantities of one source without it; such a quantity without a range is a plain text."""

    def short(value: object) -> object:
        if isinstance(value, list):
            return [short(item) for item in value]
        if not isinstance(value, dict):
            return value
        kept = {key: short(item) for key, item in value.items() if key != "source" or item != common}
        return kept["value"] if list(kept) == ["value"] and "source" in value else kept

    return {key: short(item) for key, item in document.items()}


def _node(node: Node, stated: dict[str, Sourced]) -> Document:
    if isinstance(node, Memory):
        return _memory(node, stated)
    return _array(node) if isinstance(node, Array) else _compute(node)


def _memory(memory: Memory, stated: dict[str, Sourced]) -> Document:
    document: dict[str, object] = {"memory": memory.name, "kind": memory.kind}
    if memory.technology is not None:
        document["technology"] = memory.technology
    for key, roles in (("keeps", memory.keep), ("may_bypass", memory.may_bypass)):
        if roles:
            document[key] = [role for role in ROLES if role in roles] + sorted(roles - set(ROLES))
    for key, bits in (("capacity", memory.capacity_bits), ("access", memory.access_bits)):
        if bits is not None:
            document[key] = _stated(stated.get(f"{memory.name}.{key}"), bits, "b")
    for key, width in (("word_bits", memory.word_bits), ("psum_bits", memory.psum_bits)):
        if width is not None:
            document[key] = width
    if memory.banks != 1:
        document["banks"] = memory.banks
    rates = {"read": memory.read_bandwidth, "write": memory.write_bandwidth, "shared": memory.shared_bandwidth}
    bandwidth = {
        key: _stated(stated.get(f"{memory.name}.bandwidth.{key}"), rate, "b/cycle")
        for key, rate in rates.items()
        if rate is not None
    }
    costs = {"read": memory.read_energy, "write": memory.write_energy, "update": memory.update_energy}
    energy = {key: _energy(cost) for key, cost in costs.items() if cost is not None}
    document |= {key: value for key, value in (("bandwidth", bandwidth), ("energy", energy)) if value}
    if memory.leakage_w is not None:
        document["leakage"] = _sourced(memory.leakage_w, "W")
    if memory.multiple_buffering != 1:
        document["multiple_buffering"] = memory.multiple_buffering
    constraints = _constraints(memory.constraints)
    return {**document, "constraints": constraints} if constraints else document


def _array(array: Array) -> Document:
    document: dict[str, object] = {"array": array.name, "x": array.x, "y": array.y}
    switches = {"multicast": (array.multicast, True), "reduction": (array.reduction, True)}
    switches["link_transfers"] = (array.link_transfers, False)
    document |= {key: value for key, (value, default) in switches.items() if value is not default}
    constraints = _constraints(array.constraints)
    return {**document, "constraints": constraints} if constraints else document


def _compute(compute: Compute) -> Document:
    document: dict[str, object] = {"compute": compute.name, "kind": compute.kind, "bits": compute.bits}
    if compute.macs_per_cycle:
        document["macs_per_cycle"] = dict(compute.macs_per_cycle)
    if compute.mac_energy is not None:
        document["energy"] = {"mac": _sourced(compute.mac_energy.pj, "pJ")}
    if compute.leakage_w is not None:
        document["leakage"] = _sourced(compute.leakage_w, "W")
    return document


def _constraints(constraints: Constraints) -> dict[str, object]:
    found: dict[str, object] = {"fixed": dict(constraints.fixed), "at_most": dict(constraints.at_most)}
    found["innermost"] = list(constraints.innermost)
    found = {key: value for key, value in found.items() if value}
    for key, dims in (("x", constraints.x_dims), ("y", constraints.y_dims)):
        if dims is not None:
            found[key] = [dim for dim in DIMENSIONS if dim in dims] + sorted(dims - set(DIMENSIONS))
    if constraints.min_utilization:
        found["min_utilization"] = constraints.min_utilization
    return found


def _efficiency(item: Efficiency) -> Document:
    return {
        "compute": _sourced(item.compute, ""),
        "bandwidth": _sourced(item.bandwidth, ""),
        "launch_overhead": _sourced(item.launch_overhead_s, "s"),
    }


def _energy(energy: Energy) -> object:
    return _sourced(energy.pj, "pJ/access")


def _stated(found: Sourced | None, value: float, unit: str) -> object:
    return _quantity(value, unit) if found is None else _sourced(found, unit)


def _sourced(found: Sourced, unit: str) -> Document:
    document: dict[str, object] = {"value": _quantity(found.value, unit)}
    if (found.low, found.high) != (found.value, found.value) or found.estimate:
        document |= {"low": _quantity(found.low, unit), "high": _quantity(found.high, unit)}
    if found.estimate:
        document["estimate"] = True
    return {**document, "source": found.source} if found.source else document


def _quantity(value: float, unit: str) -> object:
    number = plain_number(value)
    return f"{number} {unit}" if unit else number
