"""A result that `energysim simulate --json` wrote, read back: what tables, plots, reports and comparisons work on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from energysim.cost.results import SCHEMA, VariantCost
from energysim.errors import EnergySimError, Location, NotFoundError, SpecError, did_you_mean
from energysim.simulation.display import Plots, layers_frame, result_html
from energysim.simulation.occupancy import Occupancy

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class StoredResult:
    """One simulation as its JSON tells it. ``where``: the file, or what else it came from.

    ``graph``: as :func:`energysim.graph.data.graph_data` gives it. ``schedules``: each variant's stacks and retained
    feature maps, as plain data. ``layer_floor_bytes``: each layer's weights, ifmaps and ofmaps, once each.
    ``memories``: outermost first, with the bytes per second that all instances pass at most (None: unbounded).
    """

    where: str
    version: str
    command: tuple[str, ...]
    workload: str
    input_shapes: tuple[tuple[int, ...], ...]
    bits: int
    arch: str
    arch_sha256: str
    arch_source: str
    memories: tuple[tuple[str, float | None], ...]
    engine: str
    estimator: str
    objective: str
    convention: str
    notes: tuple[str, ...]
    not_modelled: tuple[str, ...]
    graph: Mapping[str, Any]
    layer_floor_bytes: Mapping[str, float]
    variants: tuple[VariantCost, ...]
    schedules: tuple[Mapping[str, Any], ...]
    occupancies: tuple[Occupancy, ...]
    plot: ClassVar[Plots] = Plots()

    def to_pandas(self) -> pd.DataFrame:
        """One row per variant and layer; energies in pJ, traffic in bytes, latency in seconds."""
        return layers_frame(self.variants)

    def _repr_html_(self) -> str:
        return result_html(f"{self.workload} on {self.arch}", self.variants)

    def variant(self, name: str | None = None) -> VariantCost:
        """The variant of that name, the first where none is named. Raises NotFoundError."""
        names = [variant.variant for variant in self.variants]
        if name is None:
            return self.variants[0]
        if name not in names:
            hint = did_you_mean(name, names) or f"variants: {', '.join(names)}"
            raise NotFoundError(f"the result has no variant {name!r}", hint=hint)
        return self.variants[names.index(name)]


def read_stored(path: str | Path) -> StoredResult:
    """A result from its file.

    Raises NotFoundError without such a file, SpecError where it is no result of `energysim simulate --json`,
    EnergySimError where its parts do not add up to its totals.
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
    return stored_result(data, str(path))


def stored_result(data: Any, where: str) -> StoredResult:
    """A result from its JSON's content; raises like :func:`read_stored`. ``where`` names it in errors."""
    place = Location(where)
    if not isinstance(data, dict) or "variants" not in data or "arch" not in data:
        hint = "energysim simulate ... --json FILE writes one"
        raise SpecError("this is no result of a simulation", where=place, hint=hint)
    if data.get("schema") != SCHEMA:
        what = f"a result of schema {data.get('schema')!r}, not {SCHEMA}"
        raise SpecError(what, where=place, hint="simulate again with this version")
    try:
        result = _parsed(data, where)
        for variant, stored in zip(result.variants, data["variants"], strict=True):
            _check_sums(variant, stored["totals"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        key = error.args[0] if isinstance(error, KeyError) else None
        what = f"the result has no {key!r}" if key else f"the result is malformed: {error}"
        hint = f"written by energysim {data.get('energysim')}; simulate again with this version"
        raise SpecError(what, where=place, hint=hint) from None
    return result


def _parsed(data: dict[str, Any], where: str) -> StoredResult:
    workload, arch = data["workload"], data["arch"]
    return StoredResult(
        where=where,
        version=str(data["energysim"]),
        command=tuple(map(str, data["command"])),
        workload=str(workload["name"]),
        input_shapes=tuple(tuple(map(int, shape)) for shape in workload["input"]),
        bits=int(workload["bits"]),
        arch=str(arch["name"]),
        arch_sha256=str(arch["sha256"]),
        arch_source=str(arch["source"]),
        memories=tuple((str(memory["name"]), memory["bytes_per_s"]) for memory in arch["memories"]),
        engine=str(data["engine"]),
        estimator=str(data["estimator"]),
        objective=str(data["objective"]),
        convention=str(data["convention"]),
        notes=tuple(map(str, data["notes"])),
        not_modelled=tuple(map(str, data["not_modelled"])),
        graph=dict(data["graph"]),
        layer_floor_bytes={str(name): float(count) for name, count in data["layer_floor_bytes"].items()},
        variants=tuple(VariantCost.from_dict(variant) for variant in data["variants"]),
        schedules=tuple(dict(variant["schedule"]) for variant in data["variants"]),
        occupancies=tuple(Occupancy.from_dict(item) for item in data["occupancy"]),
    )


def _check_sums(variant: VariantCost, totals: dict[str, Any]) -> None:
    """Raises EnergySimError where the parts do not add up to the totals: the file was edited or damaged."""
    for what, parts, whole in (
        ("energy", variant.energy.value, float(totals["energy_pj"])),
        ("latency", variant.latency_s, float(totals["latency_s"])),
    ):
        if abs(parts - whole) > 1e-6 * abs(whole):
            hint = "simulate again; an edited or damaged file says nothing"
            raise EnergySimError(
                f"the {what} of {variant.variant!r} is {whole:g}, its parts sum to {parts:g}", hint=hint
            )
