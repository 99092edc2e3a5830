"""What points have in common, found once per process: networks and their layer graphs, devices with their overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache

from energysim.arch.loader import KIND, arch_from
from energysim.arch.spec import ArchSpec
from energysim.energy import estimate
from energysim.energy.reference_tables import areas_mm2, read_tables, stating
from energysim.spec_files import SpecFile, find_spec, load_yaml
from energysim.sweep.point import Override, Point
from energysim.workload import Workload, resolve_workload

_GRAPHS, _DEVICES = 64, 256


@lru_cache(maxsize=_GRAPHS)
def workload_of(text: str, input: str | None, batch: int | None) -> Workload:
    """The workload, whose layer graph is traced when it is first asked for, and then kept."""
    workload = resolve_workload(text, input, batch)
    return replace(workload, read=cache(workload.read))


@lru_cache(maxsize=_DEVICES)
def arch_of(text: str, overrides: tuple[tuple[str, Override], ...] = ()) -> ArchSpec:
    """The device with its overrides. Raises NotFoundError or SpecError."""
    found: Mapping[str, Override] = dict(overrides)
    return arch_from(_arch_file(text), found)


@lru_cache(maxsize=_DEVICES)
def area_of(
    arch: str, overrides: tuple[tuple[str, Override], ...], estimator: str, ert: tuple[str, ...], art: tuple[str, ...]
) -> float | None:
    """Square millimetres of the components whose area is known, as ``simulate`` adds them up; None where none is.

    Raises EnergySimError where the device or a table is wrong, or the estimator cannot be used.
    """
    tables = read_tables(ert, art)
    spec = stating(arch_of(arch, overrides), tables)
    areas = areas_mm2(spec, tables, estimate(spec, estimator))
    return sum(area for _, area in areas) if areas else None


def arch_digest(text: str) -> str:
    """Digest of the device's file. Raises NotFoundError or SpecError."""
    return _arch_file(text).sha256


@cache
def _arch_file(text: str) -> SpecFile:
    return load_yaml(find_spec(KIND, text))


def with_whole_input(point: Point) -> Point:
    """The point with its input written out, batch included. Raises like ``resolve_workload``.

    A network without a model keeps its own input where none is asked for: layers that are written out have no other.
    """
    workload = workload_of(point.workload, point.input, point.batch)
    if workload.build is None and point.input is None and point.batch is None:
        return point
    return replace(point, input=",".join(map(str, workload.inputs)), batch=None)


def forget_specs() -> None:
    """Resolve anew: files may have changed since the last sweep of this process."""
    workload_of.cache_clear()
    arch_of.cache_clear()
    area_of.cache_clear()
    _arch_file.cache_clear()
