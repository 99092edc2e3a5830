"""An architecture as values: nodes from the outermost memory to the compute units. Knows nothing of workloads.

Nodes are a chain, outermost first: memories, arrays (spatial fan-outs) and, last, the compute unit. Parallel memories
(split scratchpads) are consecutive memories that keep different tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from energysim.arch.sourced import Sourced

Axis = Literal["x", "y"]


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a mapping may do at one node, in Timeloop's terms. Dimensions are named as in the problem.

    ``innermost`` fixes loop order: its first dimension is the innermost loop, the others follow outwards; dimensions
    not listed lie outside them in any order. ``x_dims``/``y_dims`` (arrays) are the dimensions that may be split over
    each axis (None: any). Dimensions that a problem lacks are ignored.
    """

    fixed: tuple[tuple[str, int], ...] = ()
    at_most: tuple[tuple[str, int], ...] = ()
    innermost: tuple[str, ...] = ()
    x_dims: frozenset[str] | None = None
    y_dims: frozenset[str] | None = None
    min_utilization: float = 0.0


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of one action that moves ``bits`` bits at once (a physical access): ``pj`` per access."""

    pj: Sourced
    bits: int


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory level. Sizes in bits, bandwidths in bits per cycle, all per instance. None: unbounded.

    ``keep``/``may_bypass`` hold roles ("weights", "ifmap", "ofmap") or names of tensors. A tensor in neither is
    bypassed; one in ``may_bypass`` is kept or bypassed as the mapping likes.
    ``word_bits`` fixes the width of every word (Timeloop's ``datawidth``); None: the word width of each tensor.
    ``psum_bits`` makes it an accumulator: every ofmap word stored here is that wide (None: as wide as finished words).
    ``read_energy``... are given by the spec; None lets the estimator derive them from ``kind``, capacity and node.
    """

    name: str
    kind: str  # "dram" | "sram" | "regfile" | "cache"
    keep: frozenset[str]
    may_bypass: frozenset[str] = frozenset()
    capacity_bits: int | None = None
    word_bits: int | None = None
    psum_bits: int | None = None
    access_bits: int | None = None
    banks: int = 1
    read_bandwidth: float | None = None
    write_bandwidth: float | None = None
    shared_bandwidth: float | None = None
    multiple_buffering: float = 1.0
    technology: str | None = None  # e.g. "LPDDR4"
    read_energy: Energy | None = None
    write_energy: Energy | None = None
    update_energy: Energy | None = None
    leakage_w: Sourced | None = None
    constraints: Constraints = Constraints()

    def holds(self, name: str, role: str) -> bool:
        """Whether the tensor may be kept here."""
        return not self.keep.isdisjoint((name, role)) or self.bypassable(name, role)

    def bypassable(self, name: str, role: str) -> bool:
        return not self.may_bypass.isdisjoint((name, role))

    def bits_of(self, tensor_bits: int, is_output: bool = False) -> int:
        """Width of one word of a tensor here. An accumulator (``psum_bits``) stores every ofmap word wide."""
        if self.word_bits is not None:
            return self.word_bits
        return self.psum_bits if is_output and self.psum_bits is not None else tensor_bits


@dataclass(frozen=True, slots=True)
class Array:
    """A spatial fan-out: ``x`` by ``y`` children below this node.

    ``multicast``: one parent read serves all children that need the same words in the same step.
    ``reduction``: partial sums of children that write the same word are added on the way up.
    ``link_transfers``: children forward words to mesh neighbours (Timeloop's default; off here).
    """

    name: str
    x: int = 1
    y: int = 1
    multicast: bool = True
    reduction: bool = True
    link_transfers: bool = False
    constraints: Constraints = Constraints()


@dataclass(frozen=True, slots=True)
class Compute:
    """The innermost node. ``macs_per_cycle`` per instance and operand width: ((8, 2.0), (16, 2.0), (32, 1.0)).

    ``gates_zeros``: roles whose zeros switch the multiplier off for that MAC: its energy is saved, its cycle is not.
    """

    name: str
    kind: str  # "int" | "float"
    bits: int
    macs_per_cycle: tuple[tuple[int, float], ...] = ()
    mac_energy: Energy | None = None
    leakage_w: Sourced | None = None
    gates_zeros: frozenset[str] = frozenset()

    def throughput(self, operand_bits: int) -> float:
        """MACs per cycle of one instance for operands of the given width (the next wider stated width; 1 if none)."""
        for bits, rate in sorted(self.macs_per_cycle):
            if operand_bits <= bits:
                return rate
        return 1.0


Node = Memory | Array | Compute


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Share of peak that an operator class reaches on a GPU-like device, and the launch overhead of one kernel."""

    op_class: str  # "conv" | "depthwise" | "linear" | "matmul" | "vector"
    compute: Sourced
    bandwidth: Sourced
    launch_overhead_s: Sourced


@dataclass(frozen=True)
class ArchSpec:
    """A device. ``sha256`` is the digest of the file it came from; ``not_modelled`` is printed with every result."""

    name: str
    nodes: tuple[Node, ...]
    clock_hz: float
    technology_nm: float | None = None
    default_bits: int = 8
    description: str = ""
    not_modelled: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    efficiency: tuple[Efficiency, ...] = ()
    idle_power_w: Sourced | None = None
    source: str = ""
    sha256: str = ""
    # Dotted key -> every quantity that the file states: bits, bits/cycle, Hz, nm, W, s, pJ per access.
    provenance: tuple[tuple[str, Sourced], ...] = ()

    @cached_property
    def memories(self) -> tuple[Memory, ...]:
        """Outermost first."""
        return tuple(node for node in self.nodes if isinstance(node, Memory))

    @cached_property
    def compute(self) -> Compute:
        last = self.nodes[-1]
        assert isinstance(last, Compute)
        return last

    def instances(self, index: int) -> int:
        """How many instances of node ``index`` the hardware has: the product of the fan-outs above it."""
        count = 1
        for node in self.nodes[:index]:
            if isinstance(node, Array):
                count *= node.x * node.y
        return count
