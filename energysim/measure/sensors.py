"""What a sensor is: something that counts joules or tells watts. Every backend reads its own files or library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SensorInfo:
    """``counts``: readings are joules since an arbitrary start (an energy counter), else watts now.

    ``covers``: what the joules include, in words. ``headline``: part of the energy that the device is said to take;
    the others are shown beside it.
    """

    name: str
    covers: str
    counts: bool
    where: str
    headline: bool = True

    @property
    def method(self) -> str:
        return "energy counter" if self.counts else "sampled power"


class Sensor(Protocol):
    """One sensor. ``read`` raises OSError where the hardware or its driver refuses."""

    @property
    def info(self) -> SensorInfo: ...

    def read(self) -> float:
        """Joules since an arbitrary start, never falling (wraps of the hardware are undone), or watts now."""
        ...


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A sensor that cannot be read, and why. It is never reported as zero."""

    name: str
    reason: str


@dataclass(frozen=True)
class Sensors:
    """What a backend found."""

    found: tuple[Sensor, ...] = ()
    missing: tuple[Unavailable, ...] = ()

    def __add__(self, other: Sensors) -> Sensors:
        return Sensors(self.found + other.found, self.missing + other.missing)

    @classmethod
    def none(cls, name: str, reason: str) -> Sensors:
        return cls(missing=(Unavailable(name, reason),))
