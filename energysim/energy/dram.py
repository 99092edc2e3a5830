"""Energy per bit of off-chip memory, by technology: device and interface, without controller and refresh."""

from __future__ import annotations

from energysim.arch.sourced import Sourced
from energysim.errors import EnergySimError, did_you_mean

_LPDDR_NOTE = "range of the values in use: 4 (optimistic published LPDDR4 figures) to 20 pJ/bit (Horowitz, ISSCC 2014)"
_CACTI_PLUGIN = "table of the Accelergy CACTI plug-in and hwcomponents-cacti"

# pJ per bit, reads and writes alike unless a second entry says otherwise.
_READ: dict[str, Sourced] = {
    "LPDDR": Sourced(
        40.0, 20.0, 41.0, f"Malladi et al., ISCA 2012, in the {_CACTI_PLUGIN}; range: Horowitz, ISSCC 2014"
    ),
    "LPDDR4": Sourced(8.0, 4.0, 20.0, f"{_CACTI_PLUGIN}; {_LPDDR_NOTE}"),
    "LPDDR4X": Sourced(6.0, 4.0, 20.0, f"between LPDDR4 and LPDDR5, lower interface supply; {_LPDDR_NOTE}", True),
    "LPDDR5": Sourced(6.0, 3.0, 12.0, "between 3 and 12 of the values in use; 7 is cited for ISCA 2025 work", True),
    "DDR3": Sourced(
        70.0, 20.0, 70.0, f"Chatterjee et al., MICRO 2017, in the {_CACTI_PLUGIN}; low: Horowitz, ISSCC 2014"
    ),
    "DDR5": Sourced(7.03, 3.5, 14.0, "AccelForge's TPU v4i and NVDLA descriptions, there from the TPU paper", True),
    "HBM2": Sourced(3.9, 3.9, 6.25, f"O'Connor et al., MICRO 2017; high: {_CACTI_PLUGIN}"),
    "HBM3": Sourced(4.05, 3.2, 6.25, f"{_CACTI_PLUGIN}, from vendors' announcements", True),
}
_GENERIC_READ = Sourced(
    10.9, 4.0, 41.0, "ZigZag's DRAM, 700 pJ per 64-bit read; range: LPDDR4 low to Horowitz high", True
)
_GENERIC_WRITE = Sourced(
    11.7, 4.0, 41.0, "ZigZag's DRAM, 750 pJ per 64-bit write; range: LPDDR4 low to Horowitz high", True
)


def dram_technologies() -> tuple[str, ...]:
    """Names of the technologies with a value."""
    return tuple(_READ)


def dram_pj_per_bit(technology: str | None) -> tuple[Sourced, Sourced]:
    """Read and write energy in pJ/bit; without a technology a generic value with a wide range.

    Raises:
        EnergySimError: the technology is unknown.
    """
    if technology is None:
        return _GENERIC_READ, _GENERIC_WRITE
    found = _READ.get(technology.upper())
    if found is None:
        hint = did_you_mean(technology, _READ) or f"one of {', '.join(_READ)}, or an energy in the architecture"
        raise EnergySimError(f"no energy is known for a DRAM of technology {technology!r}", hint=hint)
    return found, found
