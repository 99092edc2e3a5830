"""Access counts of layers without MACs: pooling, elementwise, concatenation, normalization, softmax.

Such a layer streams: every word of its operands is read from the outermost memory once, passes through the outermost
on-chip memory that holds its kind, and every result word goes the same way back. The meaning of the counts is that of
the MAC layers (Timeloop's): a fill is a word that arrives from above, an update a result that arrives from below, and
the read that drains a finished word upwards is not charged. Not modelled: the arithmetic itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from energysim.arch.spec import ArchSpec, Memory
from energysim.graph.problem import Role
from energysim.mapping.counts import AccessCounts, Counts


@dataclass(frozen=True, slots=True)
class Stream:
    """One side of a streaming layer: ``words`` cross the outermost memory once, ``touches`` is how often the unit
    accesses them on chip (overlapping pooling windows and passes over a row touch a word more than once)."""

    role: Role
    words: int
    bits: int
    touches: int


def stream(streams: tuple[Stream, ...], arch: ArchSpec) -> Counts:
    """Counts of a streaming layer; one entry per role and memory on its path."""
    outermost = arch.memories[0]
    accesses: list[AccessCounts] = []
    read_bits: dict[str, float] = {}
    write_bits: dict[str, float] = {}
    for item in streams:
        local = next((m for m in arch.memories[1:] if m.holds(item.role, item.role)), None)
        path = (outermost,) if local is None else (outermost, local)
        for memory in path:
            is_output = item.role is Role.OFMAP
            on_chip = memory is not outermost
            reads = 0 if is_output else (item.words if on_chip is False and local is not None else item.touches)
            fills = item.words if on_chip and not is_output else 0
            updates = item.words if is_output else 0
            accesses.append(AccessCounts(memory.name, item.role, 0, 1.0, reads, fills, updates))
            width = memory.bits_of(item.bits, is_output)
            read_bits[memory.name] = read_bits.get(memory.name, 0.0) + reads * width
            write_bits[memory.name] = write_bits.get(memory.name, 0.0) + (fills + updates) * width
    used = [memory for memory in arch.memories if memory.name in read_bits]
    level_cycles = tuple((m.name, bandwidth_cycles(m, read_bits[m.name], write_bits[m.name])) for m in used)
    return Counts(
        accesses=tuple(accesses),
        macs=0,
        compute_instances=0.0,
        compute_cycles=0.0,
        level_cycles=level_cycles,
        cycles=max((cycles for _, cycles in level_cycles), default=0.0),
    )


def bandwidth_cycles(memory: Memory, read_bits: float, write_bits: float) -> float:
    """Cycles that one instance needs to move its bits through its read, write and shared ports."""
    demands = (
        (read_bits, memory.read_bandwidth),
        (write_bits, memory.write_bandwidth),
        (read_bits + write_bits, memory.shared_bandwidth),
    )
    return max((bits / width for bits, width in demands if width is not None), default=0.0)
