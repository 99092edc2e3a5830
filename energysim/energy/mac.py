"""Energy of one multiply-accumulate by kind and operand width.

Horowitz, "Computing's energy problem", ISSCC 2014, 45 nm at 0.9 V: int add 8/32 b 0.03/0.1 pJ, int multiply 8/32 b
0.2/3.1 pJ, float add 16/32 b 0.4/0.9 pJ, float multiply 16/32 b 1.1/3.7 pJ. Other widths follow the power law through
the two points (int multiply: exponent 1.98, nearly quadratic). The integer accumulator is twice as wide as operands.
High end for integers: Aladdin, 40 nm: 32 b multiply 12.68 pJ (quadratic in width) and add 0.21 pJ (linear).
"""

from __future__ import annotations

from math import log

from energysim.arch.sourced import Sourced
from energysim.energy.scaling import scale_energy
from energysim.errors import EnergySimError

HOROWITZ_NODE_NM = 45.0
ALADDIN_NODE_NM = 40.0
_HOROWITZ: dict[tuple[str, str], dict[int, float]] = {
    ("int", "add"): {8: 0.03, 32: 0.1},
    ("int", "multiply"): {8: 0.2, 32: 3.1},
    ("float", "add"): {16: 0.4, 32: 0.9},
    ("float", "multiply"): {16: 1.1, 32: 3.7},
}
_ALADDIN_MULTIPLY_32, _ALADDIN_ADD_32 = 12.68, 0.21
# Horowitz calls his figures rough; for floats no second source is used.
_ROUGH = 2.0


def operation_pj(kind: str, operation: str, bits: int) -> float:
    """Energy in pJ of one "add" or "multiply" at 45 nm, 0.9 V; ``kind`` is "int" or "float"."""
    points = _HOROWITZ.get((kind, operation))
    if points is None:
        raise EnergySimError(f"no energy is known for {kind} {operation}", hint="int or float, add or multiply")
    (low_bits, low), (high_bits, high) = points.items()
    if bits in points:
        return points[bits]
    exponent = log(high / low) / log(high_bits / low_bits)
    return float(low * (bits / low_bits) ** exponent)


def mac_energy(kind: str, bits: int, node_nm: float) -> Sourced:
    """Energy in pJ of one multiply-accumulate of ``bits``-bit operands at a node.

    Raises:
        EnergySimError: the kind is unknown, or the node outside 7 to 130 nm.
    """
    add_bits = 2 * bits if kind == "int" else bits
    pj = operation_pj(kind, "multiply", bits) + operation_pj(kind, "add", add_bits)
    text = f"Horowitz, ISSCC 2014: {bits} b {kind} multiply + {add_bits} b add"
    found = scale_energy(Sourced(pj, pj / _ROUGH, pj * _ROUGH, text), HOROWITZ_NODE_NM, node_nm)
    if kind != "int":
        return found
    aladdin = _ALADDIN_MULTIPLY_32 * (bits / 32) ** 2 + _ALADDIN_ADD_32 * add_bits / 32
    high = scale_energy(Sourced(aladdin, aladdin, aladdin, "Aladdin"), ALADDIN_NODE_NM, node_nm).value
    return Sourced(found.value, found.low, max(found.high, high), f"{found.source}; high: Aladdin at 40 nm")
