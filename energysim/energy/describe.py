"""An architecture and its energies as rows of text and as JSON-ready dictionaries, for ``energysim arch show``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Array, Constraints, Energy, Memory, Node
from energysim.energy.actions import ActionEnergies
from energysim.units import format_bits, format_energy, format_power, format_rate


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One action of one component. ``pj`` is the energy of one access of ``bits`` bits, or of one MAC; ``watts`` is the
    leakage of one instance; the other is None. Both None: not modelled."""

    component: str
    action: str  # "read" | "write" | "update" | "mac 8 b" | "leakage"
    bits: int
    pj: Sourced | None = None
    watts: Sourced | None = None

    @property
    def sourced(self) -> Sourced | None:
        return self.pj or self.watts

    def texts(self) -> tuple[str, str, str]:
        """Value per action, range, value per bit."""
        if self.watts is not None:
            return format_power(self.watts.value, 3), _range(format_power, self.watts), ""
        if self.pj is None:
            return "not modelled", "", ""
        per_bit = "" if self.action.startswith("mac") else f"{format_energy(self.pj.value / self.bits, 3)}/b"
        return format_energy(self.pj.value, 3), _range(format_energy, self.pj), per_bit


def _range(show: Any, of: Sourced) -> str:
    return "" if of.low == of.high else f"{show(of.low, 3)} .. {show(of.high, 3)}"


def action_rows(energies: ActionEnergies) -> tuple[ActionRow, ...]:
    """Every action of every component, outermost first."""
    rows: list[ActionRow] = []
    for memory in energies.memories:
        for action in ("read", "write", "update"):
            energy: Energy = getattr(memory, action)
            if action != "update" or energy != memory.write:
                rows.append(ActionRow(memory.name, action, energy.bits, pj=energy.pj))
        rows.append(ActionRow(memory.name, "leakage", 0, watts=memory.leakage_w))
    for bits, energy in energies.compute.mac:
        rows.append(ActionRow(energies.compute.name, f"mac {bits} b", bits, pj=energy.pj))
    rows.append(ActionRow(energies.compute.name, "leakage", 0, watts=energies.compute.leakage_w))
    return tuple(rows)


def node_rows(arch: ArchSpec) -> tuple[tuple[str, str, str, str, str], ...]:
    """Name, instances, what it is, what it keeps, bandwidth or constraints; one row per node, outermost first."""
    return tuple(_node_row(arch, index, node) for index, node in enumerate(arch.nodes))


def _node_row(arch: ArchSpec, index: int, node: Node) -> tuple[str, str, str, str, str]:
    count = f"{arch.instances(index):,}"
    if isinstance(node, Memory):
        size = "unbounded" if node.capacity_bits is None else format_bits(node.capacity_bits)
        banks = f", {node.banks} banks" if node.banks > 1 else ""
        kind = f"{node.technology or node.kind} {size}{banks}"
        kept = ", ".join(sorted(node.keep) + [f"({role})" for role in sorted(node.may_bypass)])
        return (
            node.name,
            count,
            kind,
            kept,
            "; ".join(filter(None, (_bandwidth(arch, node), _limits(node.constraints)))),
        )
    if isinstance(node, Array):
        ways = [word for word, on in (("multicast", node.multicast), ("reduction", node.reduction)) if on]
        return node.name, count, f"array {node.x} x {node.y}", ", ".join(ways), _limits(node.constraints)
    rates = ", ".join(f"{rate:g} at {bits} b" for bits, rate in node.macs_per_cycle) or f"1 at {node.bits} b"
    return node.name, count, f"{node.kind} {node.bits} b", "", f"MAC/cycle: {rates}"


def _bandwidth(arch: ArchSpec, node: Memory) -> str:
    found = (("read", node.read_bandwidth), ("write", node.write_bandwidth), ("shared", node.shared_bandwidth))
    texts = [f"{name} {format_rate(b * arch.clock_hz / 8, 'B/s')}" for name, b in found if b is not None]
    return ", ".join(texts) or "unbounded"


def _limits(constraints: Constraints) -> str:
    """The constraints in few words; a long list of fixed ones is told by what stays free."""
    ones = [dim for dim, factor in constraints.fixed if factor == 1]
    parts = [f"{dim} = {factor}" for dim, factor in constraints.fixed if factor != 1]
    if len(ones) > 4:
        free = [dim for dim in "GNKCPQRSDT" if dim not in ones]
        parts.append(f"loops {' '.join(free)} only" if free else "no loops")
    else:
        parts += [f"{dim} = 1" for dim in ones]
    parts += [f"{dim} <= {factor}" for dim, factor in constraints.at_most]
    for axis, dims in (("x", constraints.x_dims), ("y", constraints.y_dims)):
        if dims is not None:
            parts.append(f"{axis}: {' '.join(dim for dim in 'GNKCPQRSDT' if dim in dims)}")
    if constraints.innermost:
        parts.append(f"innermost {' '.join(constraints.innermost)}")
    return ", ".join(parts)


def peak_macs_per_s(arch: ArchSpec) -> dict[int, float]:
    """Peak MAC/s of the whole device by operand width in bits."""
    rates = arch.compute.macs_per_cycle or ((arch.compute.bits, 1.0),)
    units = arch.instances(len(arch.nodes) - 1)
    return {bits: units * rate * arch.clock_hz for bits, rate in rates}


def dram_bytes_per_s(arch: ArchSpec) -> float | None:
    """Peak bandwidth of the outermost memory, reads and writes together; None: unbounded."""
    memory = arch.memories[0]
    split = [b for b in (memory.read_bandwidth, memory.write_bandwidth) if b is not None]
    bits = memory.shared_bandwidth if memory.shared_bandwidth is not None else sum(split) if len(split) == 2 else None
    return None if bits is None else bits * arch.clock_hz / 8


def arch_json(arch: ArchSpec, energies: ActionEnergies) -> dict[str, Any]:
    """Everything ``arch show`` prints, in SI units and pJ."""
    return {
        "name": arch.name,
        "description": arch.description,
        "file": arch.source,
        "sha256": arch.sha256,
        "clock_hz": arch.clock_hz,
        "technology_nm": arch.technology_nm,
        "word_bits": arch.default_bits,
        "peak_macs_per_s": {str(bits): rate for bits, rate in peak_macs_per_s(arch).items()},
        "dram_bytes_per_s": dram_bytes_per_s(arch),
        "idle_power_w": _json(arch.idle_power_w),
        "nodes": [_node_json(arch, index, node) for index, node in enumerate(arch.nodes)],
        "estimator": energies.estimator,
        "actions": [
            {
                "component": row.component,
                "action": row.action,
                "bits": row.bits,
                "pj": _json(row.pj),
                "w": _json(row.watts),
            }
            for row in action_rows(energies)
        ],
        "stated": [{"key": key, **(_json(value) or {})} for key, value in arch.provenance],
        "assumptions": list(arch.assumptions),
        "not_modelled": list(arch.not_modelled),
    }


def _json(value: Sourced | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {
        "value": value.value,
        "low": value.low,
        "high": value.high,
        "source": value.source,
        "estimate": value.estimate,
    }


def _node_json(arch: ArchSpec, index: int, node: Node) -> dict[str, Any]:
    base: dict[str, Any] = {"name": node.name, "instances": arch.instances(index)}
    if isinstance(node, Memory):
        return base | {
            "node": "memory",
            "kind": node.kind,
            "capacity_bits": node.capacity_bits,
            "keeps": sorted(node.keep),
            "may_bypass": sorted(node.may_bypass),
            "read_bits_per_cycle": node.read_bandwidth,
            "write_bits_per_cycle": node.write_bandwidth,
            "shared_bits_per_cycle": node.shared_bandwidth,
        }
    if isinstance(node, Array):
        return base | {
            "node": "array",
            "x": node.x,
            "y": node.y,
            "multicast": node.multicast,
            "reduction": node.reduction,
        }
    return base | {"node": "compute", "kind": node.kind, "bits": node.bits, "macs_per_cycle": dict(node.macs_per_cycle)}
