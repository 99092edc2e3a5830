"""Two results side by side, as tables. Computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from energysim.report.sheet import Sheet
from energysim.sensitivity import Change, Difference, LayerChange
from energysim.sensitivity.change import COUNTED, NOMINAL, ROBUST, SAME, WITHIN
from energysim.units import format_bytes, format_energy, format_time

_SHOW: dict[str, Callable[[float], str]] = {
    "pJ": format_energy,
    "s": format_time,
    "bytes": format_bytes,
    "J s": lambda value: f"{value:.4g} J s",
}
_MEANING = {
    ROBUST: "the difference keeps its sign over the whole low-to-high ranges of the constants, shared ones together",
    WITHIN: "inside the ranges of the constants the difference may have either sign",
    COUNTED: "no constant is behind it",
    NOMINAL: "its range was not computed",
    SAME: "",
}
_LAYER_COLUMNS = ("layer", "energy", "low .. high", "second / first", "verdict", "DRAM traffic", "latency")


def difference_sheets(found: Difference, top: int) -> tuple[Sheet, ...]:
    """Set-up, totals, energy by level and by tensor, and the ``top`` layers whose energy changes most."""
    sheets = [Sheet("what was set differently", ("", "first", "second"), found.setup)] if found.setup else []
    used = dict.fromkeys(change.verdict for change in found.totals)
    meanings = tuple(f"{verdict}: {_MEANING[verdict]}" for verdict in used if _MEANING[verdict])
    title = f"first: {found.first}; second: {found.second}"
    sheets.append(_changes(title, "total", found.totals, (*meanings, *found.notes)))
    sheets.append(_changes("energy by level", "level", found.levels))
    sheets.append(_changes("energy by tensor", "tensor", [c for c in found.tensors if c.first or c.second]))
    sheets.append(_layer_sheet(found, top))
    return tuple(sheets)


def summary_sheet(found: Sequence[Difference]) -> Sheet:
    """One line per compared pair: the ratios of the totals."""
    columns = ("first", "second", "energy x", "low .. high", "verdict", "latency x", "low .. high", "verdict", "DRAM x")
    rows = []
    for one in found:
        energy, latency = one.total("energy"), one.total("latency")
        cells = [cell for change in (energy, latency) for cell in (*_ratio(change), change.verdict)]
        rows.append((one.first, one.second, *cells, _ratio(one.total("DRAM traffic"))[0]))
    return Sheet("second over first", columns, tuple(rows))


def _changes(title: str, what: str, changes: Sequence[Change], notes: tuple[str, ...] = ()) -> Sheet:
    columns = (what, "first", "second", "difference", "low .. high", "second / first", "low .. high", "verdict")
    return Sheet(title, columns, tuple(map(_row, changes)), notes)


def _row(change: Change) -> tuple[str, ...]:
    show = _show(change)
    values = (show(change.first), show(change.second), _signed(change), _span(change))
    return change.name, *values, *_ratio(change), change.verdict


def _show(change: Change) -> Callable[[float], str]:
    return _SHOW.get(change.unit, lambda value: f"{value:,.0f}")


def _signed(change: Change, value: float | None = None) -> str:
    value = change.difference if value is None else value
    return f"{'+' if value > 0 else '-' if value < 0 else ''}{_show(change)(abs(value))}"


def _span(change: Change) -> str:
    if change.difference_range is None:
        return ""
    return " .. ".join(_signed(change, value) for value in change.difference_range)


def _ratio(change: Change) -> tuple[str, str]:
    ratio = "-" if change.ratio is None else f"{change.ratio:.4g}"
    return ratio, "" if change.ratio_range is None else " .. ".join(f"{value:.4g}" for value in change.ratio_range)


def _layer_sheet(found: Difference, top: int) -> Sheet:
    """Differences of the layers in both, the widest first; what is the same in both is left out."""
    changed = [layer for layer in found.layers if _changed(layer)]
    widest = sorted(changed, key=lambda layer: -abs(layer.energy.difference))[:top]
    notes = [
        f"{count} layers {what}"
        for count, what in (
            (len(changed) - len(widest), "change less"),
            (len(found.layers) - len(changed), "are the same in both"),
        )
        if count
    ]
    notes += [
        f"only in the {which}: {', '.join(names)}"
        for which, names in (("first", found.only_first), ("second", found.only_second))
        if names
    ]
    return Sheet("layers: second - first", _LAYER_COLUMNS, tuple(map(_layer, widest)), tuple(notes))


def _changed(layer: LayerChange) -> bool:
    return layer.energy.verdict != SAME or layer.dram.verdict != SAME or layer.latency.difference != 0


def _layer(layer: LayerChange) -> tuple[str, ...]:
    energy = layer.energy
    others = (_signed(layer.dram), _signed(layer.latency))
    return layer.name, _signed(energy), _span(energy), _ratio(energy)[0], energy.verdict, *others
