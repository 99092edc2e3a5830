"""A stored result with its device: the constants of the one are behind the numbers of the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from energysim.arch.loader import list_archs, load_arch
from energysim.arch.spec import ArchSpec
from energysim.errors import Location, NotFoundError, SpecError
from energysim.simulation.stored import StoredResult, read_stored


@dataclass(frozen=True)
class DeviceResult:
    """``arch``: the device of ``result``, loaded again and the same by its digest."""

    result: StoredResult
    arch: ArchSpec


def read_result(path: str | Path, arch: str | Path | None = None) -> DeviceResult:
    """A result and its device. ``arch``: where the device's file is, if it is neither shipped nor where it was.

    Raises like :func:`energysim.simulation.read_stored`, and SpecError where the device's file has changed since: its
    constants would not be those of the result.
    """
    return with_device(read_stored(path), arch)


def with_device(result: StoredResult, arch: str | Path | None = None) -> DeviceResult:
    """The device by the path that is given, by the path that the command line named, or by its name."""
    where = Location(result.where)
    if any(word == "--ert" or word.startswith("--ert=") for word in result.command):
        what = "the energies of this result come from an ERT, not from its device's constants"
        raise SpecError(what, where=where, hint="simulate without --ert to explain the device's own")
    named = _argument(result.command)
    tried = arch if arch is not None else named if named is not None and Path(named).is_file() else result.arch
    if arch is None and tried == result.arch and result.arch not in list_archs():
        what = f"the device {result.arch!r} of {where} is not a shipped one"
        raise NotFoundError(what, hint="say where it is: --arch FILE")
    spec = load_arch(tried)
    if spec.sha256 != result.arch_sha256:
        digests = f"sha256 {spec.sha256[:12]}... now, {result.arch_sha256[:12]}... then"
        what = f"the file of the device {result.arch!r} is not the one that the result was made with: {digests}"
        raise SpecError(what, where=where, hint="simulate again, or give --arch the file as it was")
    return DeviceResult(result, spec)


def _argument(command: tuple[str, ...]) -> str | None:
    """What followed --arch or -a on the command line of the simulation."""
    for position, word in enumerate(command):
        if word in ("--arch", "-a") and position + 1 < len(command):
            return command[position + 1]
        if word.startswith("--arch="):
            return word.removeprefix("--arch=")
    return None
