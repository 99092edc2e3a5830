"""An architecture as Accelergy v0.4 reads it: components whose classes the published plug-ins estimate.

DRAM, SRAM and caches are those of the CACTI plug-in. Register files and MACs are `regfile`, `intmac` and `fpmac` of the
Aladdin plug-in, whose tables are of 40 and 45 nm; at other nodes a register of one word and a multiplier with an adder,
the same tables in the Library plug-in, which scales them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from energysim.arch.spec import ArchSpec, Compute, Memory
from energysim.errors import SpecError
from energysim.yaml_text import Quoted, dump

_CLASSES = {"dram": "DRAM", "sram": "SRAM", "cache": "cache", "regfile": "regfile"}
_MEMORY_ACTIONS = ("read", "write", "update", "leak")
# Exponent and mantissa bits of the IEEE 754 formats.
_FLOATS = {16: (5, 10), 32: (8, 23), 64: (11, 52)}
_TABLE_NODES_NM = (40, 45)
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Part:
    """A component of Accelergy. ``of``: the memory or compute unit (at one width) that it belongs to; ``leaks``: how
    many of it leak. Of a part of a compute unit the first action is its share of one MAC."""

    of: str
    name: str
    kind: str
    attributes: tuple[tuple[str, object], ...]
    actions: tuple[str, ...] = _MEMORY_ACTIONS
    leaks: int = 1


def accelergy_parts(arch: ArchSpec, access_bits: dict[str, int]) -> tuple[Part, ...]:
    """The components that state no energy themselves. ``access_bits``: bits of one access of every memory.

    Raises SpecError for an architecture without technology, a memory without capacity, a name that is no word, a
    floating-point width that is none of IEEE 754.
    """
    parts: list[Part] = []
    for memory in arch.memories:
        if memory.read_energy is None or memory.write_energy is None:
            parts.append(_memory(memory, access_bits[memory.name], arch))
    if arch.compute.mac_energy is None:
        for bits in widths(arch.compute):
            parts += _unit(arch.compute, bits, arch)
    if parts and arch.technology_nm is None:
        raise SpecError(
            f"{arch.name} states no technology, and Accelergy's plug-ins estimate for one",
            hint="'technology: 45 nm' at the top of the file",
        )
    return tuple(parts)


def accelergy_input(parts: tuple[Part, ...], arch: ArchSpec) -> str:
    """YAML of the components, at the technology and clock of the architecture."""
    local = [
        {
            "name": part.name,
            "class": part.kind,
            "attributes": dict(part.attributes),
            "required_actions": list(part.actions),
        }
        for part in parts
    ]
    attributes: dict[str, object] = {
        "technology": Quoted(f"{arch.technology_nm:g}nm"),
        "global_cycle_seconds": 1.0 / arch.clock_hz,
    }
    system = {"name": "system", "attributes": attributes, "local": local}
    return dump({"architecture": {"version": 0.4, "subtree": [system]}})


def unit_name(compute: Compute, bits: int) -> str:
    """The compute unit at one operand width."""
    return compute.name if bits == compute.bits else f"{compute.name}_{bits}b"


def widths(compute: Compute) -> list[int]:
    return sorted({bits for bits, _ in compute.macs_per_cycle} | {compute.bits})


def _memory(memory: Memory, access_bits: int, arch: ArchSpec) -> Part:
    _check_name(memory.name)
    name, kind = memory.name, _CLASSES.get(memory.kind, memory.kind)
    attributes: dict[str, object] = {"width": access_bits, "datawidth": memory.word_bits or arch.default_bits}
    if memory.kind == "dram":
        if memory.technology is not None:
            attributes["type"] = Quoted(memory.technology)
        return Part(name, name, kind, tuple(attributes.items()))
    if memory.capacity_bits is None:
        raise SpecError(f"{name} has no capacity", hint="its energy depends on it: 'capacity: 64 KiB'")
    rows = max(1, memory.capacity_bits // access_bits)
    if memory.kind != "regfile":
        attributes |= {"depth": rows, "n_banks": memory.banks, "n_rw_ports": 1}
        return Part(name, name, kind, tuple(attributes.items()))
    if arch.technology_nm in _TABLE_NODES_NM:
        return Part(name, name, kind, tuple((attributes | {"depth": rows}).items()))
    return Part(name, name, "aladdin_register", tuple(attributes.items()), leaks=rows)


def _unit(compute: Compute, bits: int, arch: ArchSpec) -> Iterator[Part]:
    _check_name(compute.name)
    of = unit_name(compute, bits)
    if compute.kind == "float":
        if bits not in _FLOATS:
            raise SpecError(
                f"{compute.name}: no format for floating-point numbers of {bits} bits",
                hint=f"{', '.join(map(str, _FLOATS))} bits, or an energy in the architecture",
            )
        exponent, mantissa = _FLOATS[bits]
        yield Part(of, of, "fpmac", (("exponent", exponent), ("mantissa", mantissa)), ("compute", "leak"))
    elif arch.technology_nm in _TABLE_NODES_NM:
        yield Part(of, of, "intmac", (("width", bits),), ("compute", "leak"))
    else:
        # Of both operands: by `width` alone the Library scales a multiplier as if it grew in one direction.
        operands = (("width_a", bits), ("width_b", bits))
        yield Part(of, f"{of}_multiplier", "aladdin_multiplier", operands, ("read", "leak"))
        yield Part(of, f"{of}_adder", "aladdin_adder", (("width", 2 * bits),), ("read", "leak"))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise SpecError(f"Accelergy cannot take the name {name!r}", hint="letters, digits and underscores are right")
