"""Small problems, architectures and mappings of which the real Timeloop's answers are recorded."""

from __future__ import annotations

from dataclasses import replace

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Array, Compute, Energy, Memory
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.nest import Loop, Mapping

ALL = frozenset({"weights", "ifmap", "ofmap"})
NONE: frozenset[str] = frozenset()


def conv(p: int, r: int, c: int, k: int, stride: int = 1, padding: int = 0) -> TensorProblem:
    """A convolution along one axis."""
    extent = (p - 1) * stride + r - 2 * padding
    return TensorProblem(
        (("P", p), ("R", r), ("C", c), ("K", k)),
        (
            Tensor("weights", Role.WEIGHTS, (Rank((("K", 1),)), Rank((("C", 1),)), Rank((("R", 1),)))),
            Tensor("ifmap", Role.IFMAP, (Rank((("C", 1),)), Rank((("P", stride), ("R", 1)), -padding, extent))),
            Tensor("ofmap", Role.OFMAP, (Rank((("K", 1),)), Rank((("P", 1),)))),
        ),
    )


def _pj(value: float) -> Energy:
    return Energy(Sourced(value, value, value, "test"), 8)


def arch(rate: float = 1.0, links: bool = False, bypass: bool = False) -> ArchSpec:
    """DRAM, a buffer, and an array of register files with a MAC each."""
    leak = Sourced(1e-3, 1e-3, 1e-3, "test")
    energies = {"read_energy": _pj(2.5), "write_energy": _pj(3.5), "update_energy": _pj(3.5)}
    return ArchSpec(
        "small",
        (
            Memory("DRAM", "dram", ALL, access_bits=32, read_energy=_pj(64.0), write_energy=_pj(64.0)),
            Memory("BUF", "sram", ALL, capacity_bits=65536, read_bandwidth=24.0, leakage_w=leak, **energies),
            Array("PE", 4, 4, link_transfers=links),
            Memory("RF", "regfile", ALL, ALL if bypass else NONE, 512, leakage_w=leak, **energies),
            Compute("MAC", "int", 8, ((8, rate),), _pj(0.25), leak),
        ),
        clock_hz=1e9,
        technology_nm=45,
    )


KEPT = (ALL, ALL, NONE, ALL, NONE)


def mapping(*loops: tuple[str, int, int, str | None]) -> Mapping:
    """Loops as (dim, bound, node, axis), outermost first."""
    return Mapping(tuple(Loop(d, b, n, b, a) for d, b, n, a in loops), KEPT)  # type: ignore[arg-type]


PLAIN = (conv(8, 3, 2, 4), mapping(("C", 2, 0, None), ("P", 8, 1, None), ("K", 4, 2, "x"), ("R", 3, 3, None)))
# One dimension on both axes of the array, with R beside it: the diagonals share ifmap words.
BOTH_AXES = (
    conv(4, 2, 2, 4),
    mapping(("C", 2, 0, None), ("K", 4, 1, None), ("P", 2, 2, "x"), ("P", 2, 2, "y"), ("R", 2, 2, "y")),
)
# Two loops move the same rank above one level: Timeloop compares the wrap with the wrong tile.
WRAPS = (conv(4, 3, 2, 4), mapping(("P", 4, 0, None), ("R", 3, 0, None), ("C", 2, 1, None), ("K", 4, 2, "x")))
# P is spread and R is not: a neighbour has in the next step what this one has now.
NEIGHBOURS = (conv(4, 3, 2, 4), mapping(("C", 2, 0, None), ("R", 3, 1, None), ("P", 4, 2, "x"), ("K", 4, 3, None)))
STRIDED = (
    conv(4, 1, 2, 4, stride=2),
    mapping(("C", 2, 0, None), ("P", 4, 1, None), ("K", 4, 2, "x")),
)
PADDED = (
    conv(8, 3, 2, 4, padding=1),
    mapping(("C", 2, 0, None), ("P", 8, 1, None), ("K", 4, 2, "x"), ("R", 3, 3, None)),
)
UNEVEN = (
    conv(7, 3, 2, 4),
    replace(
        mapping(("C", 2, 0, None), ("K", 4, 1, None), ("R", 3, 3, None)),
        loops=(Loop("C", 2, 0, 2), Loop("K", 4, 1, 4), Loop("P", 2, 1, 2), Loop("P", 4, 2, 3, "x"), Loop("R", 3, 3, 3)),
    ),
)
# No register files: the buffer serves the units, whose windows meet on diagonals.
DIRECT = (
    conv(4, 2, 2, 4),
    Mapping(
        tuple(
            Loop(d, b, n, b, a)  # type: ignore[arg-type]
            for d, b, n, a in (("C", 2, 1, None), ("K", 4, 1, None), ("P", 4, 2, "x"), ("R", 2, 2, "y"))
        ),
        (ALL, ALL, NONE, NONE, NONE),
    ),
)
