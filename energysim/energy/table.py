"""The embedded estimator: published constants and the CACTI grid. Needs nothing but this package."""

from __future__ import annotations

from energysim.arch.sourced import Sourced
from energysim.arch.spec import Compute, Memory
from energysim.energy.dram import dram_pj_per_bit
from energysim.energy.estimators import estimator, need_node
from energysim.energy.mac import mac_energy
from energysim.energy.regfile import regfile_cost
from energysim.energy.sram import sram_cost
from energysim.errors import EnergySimError


@estimator("table")
class TableEstimator:
    """DRAM by technology, SRAM and caches from the CACTI grid, register files and MACs from published constants."""

    def memory(
        self, memory: Memory, access_bits: int, node_nm: float | None
    ) -> tuple[Sourced, Sourced, Sourced | None]:
        """Read pJ, write pJ and leakage W of one instance. Raises EnergySimError for what has no model."""
        if memory.kind == "dram":
            read, write = dram_pj_per_bit(memory.technology)
            return read.scaled(access_bits), write.scaled(access_bits), None
        if memory.capacity_bits is None:
            raise EnergySimError(f"{memory.name} has no capacity", hint="its energy depends on it: 'capacity: 64 KiB'")
        node = need_node(node_nm, memory.name)
        if memory.kind == "regfile":
            cost = regfile_cost(node, memory.capacity_bits, access_bits)
        elif memory.kind in ("sram", "cache"):
            cost = sram_cost(node, memory.capacity_bits / 8, access_bits, memory.banks)
        else:
            hint = "dram, sram, cache or regfile, or an energy in the architecture"
            raise EnergySimError(f"no model for {memory.name}, a memory of kind {memory.kind!r}", hint=hint)
        return cost.read_pj, cost.write_pj, cost.leakage_w

    def mac(self, compute: Compute, bits: int, node_nm: float | None) -> tuple[Sourced, Sourced | None]:
        """pJ of one MAC; leakage of logic is not modelled."""
        return mac_energy(compute.kind, bits, need_node(node_nm, compute.name)), None
