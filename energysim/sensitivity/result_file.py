"""A result that `energysim simulate --json` wrote, read back as far as explaining needs it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energysim.arch.loader import list_archs, load_arch
from energysim.arch.spec import ArchSpec
from energysim.cost.results import SCHEMA, EnergyPj
from energysim.errors import EnergySimError, Location, NotFoundError, SpecError, did_you_mean


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """``peak_s``: seconds of each resource at its peak (see :class:`energysim.cost.results.LayerCost`)."""

    name: str
    op_class: str
    latency_s: float
    peak_s: dict[str, float]


@dataclass(frozen=True)
class StoredVariant:
    """``by_action``: energy by "DRAM.read", "FMA.mac", "GLB.leakage"..., with low and high."""

    name: str
    energy: EnergyPj
    latency_s: float
    latency_interval_s: tuple[float, float]
    by_action: dict[str, EnergyPj]
    layers: tuple[StoredLayer, ...]


@dataclass(frozen=True)
class StoredResult:
    """``arch``: the device, loaded again and the same by its digest."""

    workload: str
    bits: int
    estimator: str
    arch: ArchSpec
    variants: tuple[StoredVariant, ...]

    def variant(self, name: str | None = None) -> StoredVariant:
        """The variant of that name, the first where none is named. Raises NotFoundError."""
        names = [variant.name for variant in self.variants]
        if name is None:
            return self.variants[0]
        if name not in names:
            hint = did_you_mean(name, names) or f"variants: {', '.join(names)}"
            raise NotFoundError(f"the result has no variant {name!r}", hint=hint)
        return self.variants[names.index(name)]


def read_result(path: str | Path, arch: str | Path | None = None) -> StoredResult:
    """A result and its device. ``arch``: where the device's file is, if it is neither shipped nor where it was.

    Raises NotFoundError without such a file, SpecError where it is no result of `energysim simulate --json`, or where
    the device's file has changed since: its constants would not be those of the result.
    """
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"no file {str(path)!r}", hint="energysim simulate ... --json FILE writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"{str(path)!r} cannot be read as text: {error}") from None
    except json.JSONDecodeError as error:
        where = Location(str(path), error.lineno)
        raise SpecError(f"this is no JSON: {error.msg}", where=where, hint="energysim simulate --json") from None
    where = Location(str(path))
    if not isinstance(data, dict) or "variants" not in data or "arch" not in data:
        hint = "energysim simulate ... --json FILE writes one"
        raise SpecError("this is no result of a simulation", where=where, hint=hint)
    if data.get("schema") != SCHEMA:
        what = f"a result of schema {data.get('schema')!r}, not {SCHEMA}"
        raise SpecError(what, where=where, hint="simulate again with this version")
    try:
        variants = tuple(_variant(variant) for variant in data["variants"])
        if any(word == "--ert" or word.startswith("--ert=") for word in data.get("command") or []):
            what = "the energies of this result come from an ERT, not from its device's constants"
            raise SpecError(what, where=where, hint="simulate without --ert to explain the device's own")
        name, sha256 = str(data["arch"]["name"]), str(data["arch"]["sha256"])
        spec = _same_arch(name, sha256, arch, data.get("command") or [], where)
        workload, bits = str(data["workload"]["name"]), int(data["workload"]["bits"])
        return StoredResult(workload, bits, str(data["estimator"]), spec, variants)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        key = error.args[0] if isinstance(error, KeyError) else None
        what = f"the result has no {key!r}" if key else f"the result is malformed: {error}"
        hint = f"written by energysim {data.get('energysim')}; simulate again with this version"
        raise SpecError(what, where=where, hint=hint) from None


def _variant(data: dict[str, Any]) -> StoredVariant:
    totals = data["totals"]
    return StoredVariant(
        name=str(data["variant"]),
        energy=EnergyPj(totals["energy_pj"], totals["energy_low_pj"], totals["energy_high_pj"]),
        latency_s=float(totals["latency_s"]),
        latency_interval_s=(float(totals["latency_low_s"]), float(totals["latency_high_s"])),
        by_action={key: EnergyPj(**energy) for key, energy in data["energy_pj_by_action"].items()},
        layers=tuple(
            StoredLayer(layer["name"], layer["op_class"], float(layer["latency_s"]), dict(layer["peak_s"]))
            for layer in data["layers"]
        ),
    )


def _same_arch(name: str, sha256: str, given: str | Path | None, command: list[str], where: Location) -> ArchSpec:
    """The device by the path that is given, by the path that the command line named, or by its name."""
    named = _argument(command)
    tried = given if given is not None else named if named is not None and Path(named).is_file() else name
    if given is None and tried == name and name not in list_archs():
        raise NotFoundError(f"the device {name!r} of {where} is not a shipped one", hint="say where it is: --arch FILE")
    spec = load_arch(tried)
    if spec.sha256 != sha256:
        digests = f"sha256 {spec.sha256[:12]}... now, {sha256[:12]}... then"
        what = f"the file of the device {name!r} is not the one that the result was made with: {digests}"
        raise SpecError(what, where=where, hint="simulate again, or give --arch the file as it was")
    return spec


def _argument(command: list[str]) -> str | None:
    """What followed --arch or -a on the command line of the simulation."""
    for position, word in enumerate(command):
        if word in ("--arch", "-a") and position + 1 < len(command):
            return command[position + 1]
        if word.startswith("--arch="):
            return word.removeprefix("--arch=")
    return None


def check_sums(variant: StoredVariant, energy_pj: float, latency_s: float) -> None:
    """Raises EnergySimError where the parts do not add up to the totals: the file was edited."""
    for what, parts, whole in (("energy", energy_pj, variant.energy.value), ("latency", latency_s, variant.latency_s)):
        if abs(parts - whole) > 1e-6 * abs(whole):
            hint = "simulate again; an edited or damaged file cannot be explained"
            raise EnergySimError(f"the {what} of {variant.name!r} is {whole:g}, its parts sum to {parts:g}", hint=hint)
