"""RAPL: energy counters of x86 processors, read from the kernel's powercap files.

Layout (kernel documentation, power/powercap): ``intel-rapl:0/{name,energy_uj,max_energy_range_uj}`` is a package,
``intel-rapl:0:2`` a domain within it. A package holds its cores and graphics; a domain named ``dram`` counts beside it.
``psys`` (the platform) contains the packages and is left out, as is ``intel-rapl-mmio``, the same counters again.
"""

from __future__ import annotations

import re
from pathlib import Path

from energysim.measure.sensors import SensorInfo, Sensors, Unavailable

POWERCAP = Path("/sys/class/powercap")
_COUNTED = re.compile(r"package-\d+( dram)?")
_ZONE = re.compile(r"intel-rapl:\d+(:\d+)?")


class RaplDomain:
    """One domain's counter. It wraps at ``max_energy_range_uj``; a wrap is undone as long as ``read`` is called at
    least once per turn (minutes at full power)."""

    def __init__(self, zone: Path, name: str) -> None:
        self._file = zone / "energy_uj"
        self._range_uj = _number(zone / "max_energy_range_uj")
        self._last_uj = _number(self._file)
        self._total_uj = 0
        covers = "DRAM" if "dram" in name else "processor package: cores, caches, memory controller, graphics"
        self.info = SensorInfo(f"RAPL {name}", covers, counts=True, where=str(self._file))

    def read(self) -> float:
        now_uj = _number(self._file)
        moved_uj = now_uj - self._last_uj
        self._total_uj += moved_uj if moved_uj >= 0 else moved_uj + self._range_uj
        self._last_uj = now_uj
        return self._total_uj * 1e-6


def rapl_sensors(powercap: Path = POWERCAP) -> Sensors:
    """Every package and every DRAM domain that can be read."""
    if not powercap.is_dir():
        why = (
            f"{powercap} does not exist: a virtual machine or container, no x86 processor, or no powercap in the kernel"
        )
        return Sensors.none("RAPL", why)
    zones = sorted(path for path in powercap.iterdir() if _ZONE.fullmatch(path.name))
    sensors, missing = [], []
    for zone in zones:
        name = zone.name
        try:
            name = _name(zone, powercap)
            if _COUNTED.fullmatch(name):
                sensors.append(RaplDomain(zone, name))
        except PermissionError:
            why = f"{zone / 'energy_uj'} is for root only (since Linux 5.10): run as root, or let root allow it"
            missing.append(Unavailable(f"RAPL {name}", why))
        except (OSError, ValueError) as error:
            missing.append(Unavailable(f"RAPL {name}", f"{zone} cannot be read: {error}"))
    if not sensors and not missing:
        missing.append(
            Unavailable("RAPL", f"{powercap} lists no RAPL package: no x86 processor that counts, or no driver")
        )
    return Sensors(tuple(sensors), tuple(missing))


def _name(zone: Path, powercap: Path) -> str:
    """``package-0``; of a domain within it ``package-0 dram``."""
    own = (zone / "name").read_text(encoding="ascii").strip()
    package, _, domain = zone.name.rpartition(":")
    if package == "intel-rapl" or not domain:
        return own
    return f"{(powercap / package / 'name').read_text(encoding='ascii').strip()} {own}"


def _number(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))
