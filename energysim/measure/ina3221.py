"""INA3221: the power monitors on Jetson boards, read from sysfs.

Two layouts. NVIDIA's older driver (JetPack 4: Nano, TX2, Xavier) has ``rail_name_0`` and ``in_power0_input`` in mW
under ``.../drivers/ina3221x/6-0040/iio:device0``. The kernel's own (JetPack 5 and later; its documentation,
hwmon/ina3221) has ``in1_label``, ``in1_input`` in mV and ``curr1_input`` in mA under
``.../drivers/ina3221/1-0040/hwmon/hwmon3``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from energysim.measure.sensors import SensorInfo, Sensors, Unavailable

_DRIVERS = "sys/bus/i2c/drivers"
# Rails that feed the whole module: Nano; then TX2, Xavier NX, Orin Nano and Orin NX (Jetson Linux developer guide).
INPUT_RAILS = ("POM_5V_IN", "VDD_IN")
# AGX Xavier measures no input rail; its six rails are fed side by side (same guide).
PARALLEL_RAILS = ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V")


@dataclass(frozen=True, slots=True)
class _Rail:
    """``watts`` reads the rail now."""

    name: str
    where: Path
    watts: Callable[[], float]


class RailSensor:
    """The power of one rail, or of several side by side."""

    def __init__(self, rails: tuple[_Rail, ...], covers: str, headline: bool) -> None:
        self._rails = rails
        name = " + ".join(rail.name for rail in rails)
        where = ", ".join(dict.fromkeys(str(rail.where) for rail in rails))
        self.info = SensorInfo(f"INA3221 {name}", covers, counts=False, where=where, headline=headline)

    def read(self) -> float:
        try:
            return sum(rail.watts() for rail in self._rails)
        except ValueError as error:
            raise OSError(f"no number: {error}") from error


def ina3221_sensors(root: Path = Path("/")) -> Sensors:
    """The module's input as the headline, and every other rail beside it."""
    rails, broken = _rails(root)
    if not rails:
        return Sensors(missing=broken or (Unavailable("INA3221", _why_none(root)),))
    by_name = {rail.name: rail for rail in rails}
    whole: tuple[_Rail, ...] = next(((by_name[name],) for name in INPUT_RAILS if name in by_name), ())
    covers = "the module's input: processors, memory, regulators; not the carrier board"
    if not whole and all(name in by_name for name in PARALLEL_RAILS):
        whole = tuple(by_name[name] for name in PARALLEL_RAILS)
        covers = "all measured rails of the module"
    found = [RailSensor(whole, covers, headline=True)] if whole else []
    found += [RailSensor((rail,), f"rail {rail.name}", headline=False) for rail in rails if (rail,) != whole]
    if not whole:
        known = ", ".join(by_name)
        why = f"none of the rails ({known}) is known to feed the whole module; each is shown on its own"
        broken += (Unavailable("INA3221 input", why),)
    return Sensors(tuple(found), broken)


def _rails(root: Path) -> tuple[list[_Rail], tuple[Unavailable, ...]]:
    """Every rail that answers a first reading."""
    drivers = root / _DRIVERS
    candidates = [rail for device in sorted(drivers.glob("ina3221x/*/iio*device*")) for rail in _legacy(device)]
    candidates += [rail for device in sorted(drivers.glob("ina3221/*/hwmon/hwmon*")) for rail in _hwmon(device)]
    rails, broken = [], []
    for rail in candidates:
        try:
            rail.watts()
        except PermissionError:
            why = f"no permission to read {rail.where}: run as root, or let root allow it"
            broken.append(Unavailable(f"INA3221 {rail.name}", why))
        except (OSError, ValueError) as error:
            broken.append(Unavailable(f"INA3221 {rail.name}", f"{rail.where} cannot be read: {error}"))
        else:
            rails.append(rail)
    return rails, tuple(broken)


def _legacy(device: Path) -> list[_Rail]:
    def rail(name: str, power_mw: Path) -> _Rail:
        return _Rail(name, device, lambda: _number(power_mw) * 1e-3)

    names = {channel: _label(device / f"rail_name_{channel}") for channel in range(3)}
    return [rail(name, device / f"in_power{channel}_input") for channel, name in names.items() if name is not None]


def _hwmon(device: Path) -> list[_Rail]:
    def rail(name: str, voltage_mv: Path, current_ma: Path) -> _Rail:
        return _Rail(name, device, lambda: _number(voltage_mv) * _number(current_ma) * 1e-6)

    names = {channel: _label(device / f"in{channel}_label") for channel in (1, 2, 3)}
    return [
        rail(name, device / f"in{channel}_input", device / f"curr{channel}_input")
        for channel, name in names.items()
        if name is not None
    ]


def _label(file: Path) -> str | None:
    """A channel's name; None where there is no such channel or nothing is connected to it."""
    try:
        name = file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    return None if name in ("", "NC") else name


def _number(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))


def _why_none(root: Path) -> str:
    try:
        model = (root / "proc/device-tree/model").read_text(encoding="ascii", errors="replace").strip("\0\n ")
    except OSError:
        model = ""
    if not model:
        return f"no INA3221 under {root / _DRIVERS}, and this is no device-tree machine: not a Jetson"
    if "2GB" in model.replace(" ", ""):
        return f"the {model} has no power monitor: measure at its supply"
    return f"no INA3221 under {root / _DRIVERS} of this {model}: its driver is not loaded, or a container hides it"
