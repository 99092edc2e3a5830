"""Energy of register files: arrays of flip-flops below 256 B, small SRAMs above.

Two published models bracket a small register file. Aladdin's 40 nm register costs 0.009 pJ per bit and access, without
the selection of a word: the low end. Accelergy's register files (Aladdin registers plus an address generator, 45 nm)
charge every row: seven of its results (8 and 16 bits, 12 to 192 words) lie within 10 % of
``bits * (0.0105 + 0.0012 * words)`` pJ per read, writes at 0.88 of it. A designer takes an SRAM macro where that is
cheaper, so the value is the smaller of this law and the smallest SRAM of the CACTI grid at the same width.
"""

from __future__ import annotations

from energysim.arch.sourced import Sourced
from energysim.energy.scaling import scale_energy
from energysim.energy.sram import SramCost, sram_cost

SMALLEST_SRAM_BYTES = 256
_REGISTER_PJ_PER_BIT = 0.009
_REGISTER_NODE_NM = 40.0
_LAW_NODE_NM = 45.0
_LAW_FIXED, _LAW_PER_WORD, _LAW_WRITE = 0.0105, 0.0012, 0.88
_LAW = "flip-flop array: law through Accelergy's 45 nm register files"
_BIT = "Aladdin 40 nm register, 0.009 pJ/bit, no word selection"


def regfile_cost(node_nm: float, capacity_bits: int, access_bits: int) -> SramCost:
    """Cost of a register file of ``capacity_bits``, accessed ``access_bits`` at a time (pJ per access)."""
    if capacity_bits >= SMALLEST_SRAM_BYTES * 8:
        return sram_cost(node_nm, capacity_bits / 8, access_bits)
    words = max(1.0, capacity_bits / access_bits)
    law_pj = access_bits * (_LAW_FIXED + _LAW_PER_WORD * words)
    macro = sram_cost(node_nm, SMALLEST_SRAM_BYTES, access_bits)
    bit_pj = access_bits * _REGISTER_PJ_PER_BIT
    bit = scale_energy(Sourced(bit_pj, bit_pj, bit_pj, _BIT), _REGISTER_NODE_NM, node_nm).value

    def bracket(law: float, sram: Sourced) -> Sourced:
        scaled = scale_energy(Sourced(law, law, law, _LAW), _LAW_NODE_NM, node_nm).value
        value = min(scaled, sram.value)
        text = f"smaller of a {_LAW} and the smallest SRAM of the CACTI grid; low: {_BIT}; {node_nm:g} nm"
        return Sourced(value, min(bit, value), max(scaled, sram.value), text, True)

    read, write = bracket(law_pj, macro.read_pj), bracket(law_pj * _LAW_WRITE, macro.write_pj)
    share = capacity_bits / (SMALLEST_SRAM_BYTES * 8)
    text = f"{macro.leakage_w.source}; taken from 256 B in proportion to capacity"
    leakage = macro.leakage_w.scaled(share)
    return SramCost(read, write, Sourced(leakage.value, leakage.low, leakage.high, text, True), macro.area_mm2 * share)
