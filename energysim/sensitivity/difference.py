"""What differs between two results, and whether the constants' ranges leave the difference its sign."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from energysim.cost.results import TENSORS, EnergyShare, LayerCost
from energysim.errors import EnergySimError
from energysim.sensitivity.change import Change, counted
from energysim.sensitivity.device import DeviceResult, with_device
from energysim.sensitivity.latency_range import latency_range
from energysim.sensitivity.setup import setup_differences
from energysim.sensitivity.shared import Side
from energysim.sensitivity.speed import speed_of
from energysim.sensitivity.spread import Terms, difference_range, ratio_range
from energysim.simulation.stored import StoredResult

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LayerChange:
    """One layer of both. ``name`` is the second's where both are matched by order ("first -> second")."""

    name: str
    energy: Change
    dram: Change
    latency: Change

    @property
    def changes(self) -> tuple[Change, Change, Change]:
        return self.energy, self.dram, self.latency


@dataclass(frozen=True)
class Difference:
    """``second`` beside ``first``. ``setup``: (what, first, second) of all that was set differently.

    ``levels``, ``tensors``: energy. ``only_first``, ``only_second``: layers that the other lacks, whose energy, traffic
    and time are in the totals alone.
    """

    first: str
    second: str
    setup: tuple[tuple[str, str, str], ...]
    totals: tuple[Change, ...]
    levels: tuple[Change, ...]
    tensors: tuple[Change, ...]
    layers: tuple[LayerChange, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    notes: tuple[str, ...]

    def total(self, name: str) -> Change:
        """ "energy", "latency", "EDP", "DRAM traffic", "floor", "MACs", "MACs executed" or "parameters"."""
        return next(change for change in self.totals if change.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Units are in the keys ``unit``; ``low`` and ``high`` bound the difference, ``ratio_low`` and ``ratio_high``
        the ratio."""
        return {
            "first": self.first,
            "second": self.second,
            "setup": [{"what": what, "first": a, "second": b} for what, a, b in self.setup],
            "totals": [change.to_dict() for change in self.totals],
            "energy_by_level": [change.to_dict() for change in self.levels],
            "energy_by_tensor": [change.to_dict() for change in self.tensors],
            "layers": [
                {
                    "name": layer.name,
                    "energy": layer.energy.to_dict(),
                    "dram": layer.dram.to_dict(),
                    "latency": layer.latency.to_dict(),
                }
                for layer in self.layers
            ],
            "only_first": list(self.only_first),
            "only_second": list(self.only_second),
            "notes": list(self.notes),
        }

    def to_pandas(self) -> pd.DataFrame:
        """One row per changed quantity; ``part``: total, level, tensor or layer."""
        import pandas as pd

        parts: list[tuple[str, str, Change]] = [("total", "", change) for change in self.totals]
        parts += [("level", change.name, change) for change in self.levels]
        parts += [("tensor", change.name, change) for change in self.tensors]
        for layer in self.layers:
            parts += [("layer", layer.name, change) for change in layer.changes]
        return pd.DataFrame(
            {"part": part, "of": of, **change.to_dict(), "name": change.name if part == "total" else change.quantity}
            for part, of, change in parts
        )

    def _repr_html_(self) -> str:
        totals = self.to_pandas().query("part == 'total'").drop(columns=["part", "of"])
        table: str = totals.to_html(index=False, float_format="{:.4g}".format, na_rep="")
        return f"<p><b>{escape(f'first: {self.first}; second: {self.second}')}</b></p>{table}"


def difference(
    first: StoredResult | DeviceResult,
    second: StoredResult | DeviceResult,
    variant: str | None = None,
    second_variant: str | None = None,
) -> Difference:
    """``second`` compared with ``first``: one variant of each (the first one of a result where none is named;
    ``second_variant`` is ``variant`` where it is not given).

    Constants of one device move together in both, so that what they share cancels. A device is looked for like
    :func:`with_device` does; where it is not found, a note says what is known less well.

    Raises NotFoundError for a variant that a result does not have.
    """
    sides, notes = _sides(first, second, (variant, second_variant or variant))
    a, b = sides
    matched, only_first, only_second = _matched(a.variant.layers, b.variant.layers)
    latency, latency_notes = _latency(a, b)
    energy = _energy("energy", a, b, a.variant.layers, b.variant.layers)
    levels = tuple(dict.fromkeys((*a.variant.energy_by_level, *b.variant.energy_by_level)))
    return Difference(
        first=_title(a),
        second=_title(b),
        setup=setup_differences(a, b),
        totals=(
            energy,
            latency,
            _edp(a, b, energy, latency),
            counted("DRAM traffic", "bytes", a.variant.dram_bytes, b.variant.dram_bytes),
            counted("floor", "bytes", a.variant.dram_floor_bytes, b.variant.dram_floor_bytes),
            counted("MACs", "MACs", a.variant.macs, b.variant.macs),
            counted("MACs executed", "MACs", a.variant.macs_executed, b.variant.macs_executed),
            counted("parameters", "words", a.variant.params, b.variant.params),
        ),
        levels=tuple(_part(name, "level", a, b) for name in levels),
        tensors=tuple(_part(name, "part", a, b) for name in TENSORS),
        layers=tuple(_layer(x, y, a, b) for x, y in matched),
        only_first=only_first,
        only_second=only_second,
        notes=(*notes, *latency_notes),
    )


def _sides(
    first: StoredResult | DeviceResult, second: StoredResult | DeviceResult, names: tuple[str | None, str | None]
) -> tuple[tuple[Side, Side], list[str]]:
    given = [found if isinstance(found, DeviceResult) else _found(found) for found in (first, second)]
    results = [found.result if isinstance(found, DeviceResult) else found[0] for found in given]
    archs = {found.result.arch_sha256: found.arch for found in given if isinstance(found, DeviceResult)}
    notes = [
        f"{what.what}: constants are told apart by their ranges alone, and latencies taken as independent"
        for result, what in (found for found in given if not isinstance(found, DeviceResult))
        if result.arch_sha256 not in archs
    ]
    a, b = (
        Side(result, result.variant(name), archs.get(result.arch_sha256))
        for result, name in zip(results, names, strict=True)
    )
    return (a, b), list(dict.fromkeys(notes))


def _found(result: StoredResult) -> DeviceResult | tuple[StoredResult, EnergySimError]:
    try:
        return with_device(result)
    except EnergySimError as error:
        return result, error


def _title(side: Side) -> str:
    return f"{side.result.workload} on {side.result.arch}, {side.variant.variant}"


def _energy(name: str, a: Side, b: Side, first: Sequence[LayerCost], second: Sequence[LayerCost]) -> Change:
    terms = a.terms(first), b.terms(second)
    return _of_terms(name, *terms)


def _part(name: str, field: str, a: Side, b: Side) -> Change:
    """Energy at one level, or of one tensor."""

    def wanted(share: EnergyShare) -> bool:
        return bool(getattr(share, field) == name)

    terms = a.terms(a.variant.layers, wanted), b.terms(b.variant.layers, wanted)
    return _of_terms(name, *terms)


def _of_terms(name: str, first: Terms, second: Terms) -> Change:
    nominal_a, nominal_b = (sum(spread.value for spread in side.values()) for side in (first, second))
    spans = difference_range(first, second), ratio_range(first, second)
    return Change(name, "energy", "pJ", nominal_a, nominal_b, *spans)


def _latency(a: Side, b: Side) -> tuple[Change, tuple[str, ...]]:
    """With both devices the constants that they share move together; else every latency has its own interval."""
    first_s, second_s = a.variant.latency_s, b.variant.latency_s
    (low_a, high_a), (low_b, high_b) = a.variant.latency_interval_s, b.variant.latency_interval_s
    change = partial(Change, "latency", "latency", "s", first_s, second_s)
    if a.arch is None or b.arch is None or low_a <= 0 or low_b <= 0:
        ratio = (low_b / high_a, high_b / low_a) if low_a > 0 else None
        return change((low_b - high_a, high_b - low_a), ratio), ()
    found = latency_range(speed_of(a.variant, a.arch, "first"), speed_of(b.variant, b.arch, "second"))
    note = "the range of the latency's difference is an outer bound: the true one lies within"
    return change(found.difference_s, found.ratio), () if found.tight else (note,)


def _edp(a: Side, b: Side, energy: Change, latency: Change) -> Change:
    """Energies and latencies have no constant in common (leakage is taken for the nominal latency), so the extremes of
    the ratio of their products are the products of the extremes of their ratios."""
    ratio = None
    if energy.ratio_range is not None and latency.ratio_range is not None:
        ratio = energy.ratio_range[0] * latency.ratio_range[0], energy.ratio_range[1] * latency.ratio_range[1]
    return Change("EDP", "EDP", "J s", a.variant.edp_js, b.variant.edp_js, None, ratio)


def _layer(first: LayerCost, second: LayerCost, a: Side, b: Side) -> LayerChange:
    name = first.name if first.name == second.name else f"{first.name} -> {second.name}"
    before, after = (layer.dram_read_bytes + layer.dram_write_bytes for layer in (first, second))
    return LayerChange(
        name,
        _energy(name, a, b, (first,), (second,)),
        counted(name, "bytes", before, after, quantity="DRAM traffic"),
        Change(name, "latency", "s", first.latency_s, second.latency_s),
    )


def _matched(
    first: Sequence[LayerCost], second: Sequence[LayerCost]
) -> tuple[list[tuple[LayerCost, LayerCost]], tuple[str, ...], tuple[str, ...]]:
    """Layers of the same name; where no name is in both and there are equally many, by order."""
    of_first, of_second = _numbered(first), _numbered(second)
    both = [key for key in of_first if key in of_second]
    if not both and len(first) == len(second):
        return list(zip(first, second, strict=True)), (), ()
    return (
        [(of_first[key], of_second[key]) for key in both],
        tuple(name for name, n in of_first if (name, n) not in of_second),
        tuple(name for name, n in of_second if (name, n) not in of_first),
    )


def _numbered(layers: Iterable[LayerCost]) -> dict[tuple[str, int], LayerCost]:
    """By name and how many of that name came before."""
    seen: dict[str, int] = {}
    found: dict[tuple[str, int], LayerCost] = {}
    for layer in layers:
        found[layer.name, seen.setdefault(layer.name, 0)] = layer
        seen[layer.name] += 1
    return found
