"""Tables of trained models: accuracy over seeds beside parameters, MACs and the cost on a device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from energysim.report.sheet import Sheet
from energysim.train.evaluate import Metrics
from energysim.train.summary import GRID_KG_PER_KWH, DeviceCost, ModelSummary, Spread, pareto
from energysim.units import format_bytes, format_energy, format_time

_NONE = "-"
_WEAKEST = 10
Column = tuple[str, Callable[[ModelSummary], str]]


def percent(spread: Spread | None) -> str:
    """Mean and standard deviation in percentage points."""
    if spread is None:
        return _NONE
    return f"{100 * spread.mean:.1f}" if spread.std is None else f"{100 * spread.mean:.1f} ± {100 * spread.std:.1f}"


def training_sheet(summaries: Sequence[ModelSummary]) -> Sheet:
    """One line per model: what it costs beside what it reaches."""
    first = summaries[0]
    front = pareto(summaries)
    cost = next((summary.cost for summary in summaries if summary.cost is not None), None)
    columns: list[Column] = [
        ("model", lambda s: s.name),
        ("top-1 %", lambda s: percent(s.top1)),
        ("top-5 %", lambda s: percent(s.top5)),
        ("ECE %", lambda s: percent(s.calibration_error)),
        *_ensemble(summaries),
        ("parameters", lambda s: f"{s.parameters:,}"),
    ]
    if cost is not None:
        columns += _COST
        columns.append(("front", lambda s: "yes" if front[summaries.index(s)] else ""))
    columns.append(("training", lambda s: format_time(s.training_s.mean)))
    where = "" if cost is None else f"; one inference on {cost.arch}, batch 1, {cost.bits}-bit words, layerwise"
    notes = [f"top-1 on the test images of {first.data}, mean ± standard deviation over {_seeds(summaries)}"]
    notes += _ensemble_notes(summaries)
    if cost is not None:
        notes.append("front: no other model here has more accuracy for the same or less energy")
    return _sheet(f"{first.data}{where}", columns, summaries, tuple(notes))


def comparison_sheets(summaries: Sequence[ModelSummary]) -> tuple[Sheet, ...]:
    """The tables of system S1, as far as a cost and a measured time are known."""
    data = summaries[0].data
    name: Column = ("model", lambda s: s.name)
    first = summaries[0]
    sheets = [
        _sheet(
            "Specifications",
            [
                name,
                ("parameters", lambda s: f"{s.parameters:,}"),
                ("size (float32)", lambda s: format_bytes(s.model_bytes)),
                ("parameters x", lambda s: f"{s.parameters / first.parameters:.2f}"),
            ],
            summaries,
        ),
        _sheet(
            f"Accuracy on {data}",
            [
                name,
                ("top-1 %", lambda s: percent(s.top1)),
                ("top-5 %", lambda s: percent(s.top5)),
                ("ECE %", lambda s: percent(s.calibration_error)),
                *_ensemble(summaries),
                ("seeds", lambda s: str(s.top1.n)),
                ("points", lambda s: f"{100 * (s.top1.mean - first.top1.mean):+.1f}"),
            ],
            summaries,
            (f"points: top-1 against {first.name}", *_ensemble_notes(summaries)),
        ),
    ]
    cost = first.cost
    if cost is not None and all(summary.cost is not None for summary in summaries):
        sheets += _cost_sheets(summaries, name, cost)
    sheets.append(
        _sheet(
            "Training and inference time",
            [
                name,
                ("training", lambda s: format_time(s.training_s.mean)),
                ("epochs", lambda s: f"{s.epochs.mean:.0f}"),
                ("per epoch", lambda s: format_time(s.training_s.mean / s.epochs.mean)),
                ("inference here", lambda s: _NONE if s.inference_s is None else format_time(s.inference_s)),
                ("images/s here", lambda s: _NONE if s.inference_s is None else f"{1 / s.inference_s:,.0f}"),
            ],
            summaries,
            ("inference here: batch 1 on this machine's CPU, median",),
        )
    )
    if cost is not None:
        sheets.append(_use_sheet(summaries))
    return tuple(sheets)


def _ensemble(summaries: Sequence[ModelSummary]) -> list[Column]:
    """The column of the snapshots' answers, where a model has some."""
    return [("ensemble %", lambda s: percent(s.ensemble))] if any(s.snapshots for s in summaries) else []


def _ensemble_notes(summaries: Sequence[ModelSummary]) -> list[str]:
    counts = {summary.name: summary.snapshots for summary in summaries if summary.snapshots}
    each = ", ".join(f"{count} of {name}" for name, count in counts.items())
    return [f"ensemble: top-1 of a run's snapshots together ({each}), for as many times the cost"] if counts else []


def metrics_sheets(metrics: Metrics, classes: Sequence[str], title: str) -> tuple[Sheet, ...]:
    """Of one evaluated model: the totals, the weakest classes, and what they are taken for."""
    totals = [
        ("top-1 %", f"{100 * metrics.top1:.2f}"),
        ("top-5 %", _NONE if metrics.top5 is None else f"{100 * metrics.top5:.2f}"),
        ("cross-entropy", f"{metrics.loss:.4f}"),
        ("ECE %", f"{100 * metrics.calibration_error:.2f}"),
        ("temperature", f"{metrics.temperature:.3f}"),
        ("images", f"{metrics.images:,}"),
    ]
    known = [(share, label) for label, share in enumerate(metrics.per_class) if share is not None]
    rows = []
    for share, label in sorted(known)[:_WEAKEST]:
        wrong = [(count, other) for other, count in enumerate(metrics.confusion[label]) if other != label and count]
        count, other = max(wrong, default=(0, 0))
        rows.append(
            (
                classes[label],
                f"{100 * share:.1f}",
                str(sum(metrics.confusion[label])),
                f"{classes[other]} ({count})" if count else _NONE,
            )
        )
    per_class = "Classes" if len(known) <= _WEAKEST else f"The {_WEAKEST} weakest of {len(known)} classes"
    return (
        Sheet(title, ("measure", "value"), tuple(totals)),
        Sheet(per_class, ("class", "accuracy %", "images", "most taken for"), tuple(rows)),
    )


def _cost_sheets(summaries: Sequence[ModelSummary], name: Column, cost: DeviceCost) -> list[Sheet]:
    front = pareto(summaries)
    return [
        _sheet(
            f"Computational cost: one inference on {cost.arch}, batch 1, {cost.bits}-bit words, layerwise",
            [
                name,
                *_COST,
                ("x floor", lambda s: _of(s, lambda c: f"{c.dram_bytes / c.dram_floor_bytes:.2f}")),
                ("peak maps", lambda s: _of(s, lambda c: format_bytes(c.peak_map_bytes))),
            ],
            summaries,
            (
                "DRAM floor: weights, input and output moved once; FLOPs are twice the MACs",
                "peak maps: the most feature-map bytes alive at once, layer by layer, each map whole",
            ),
        ),
        _sheet(
            "Energy efficiency",
            [
                name,
                ("points per MMAC", lambda s: _number(s.points_per_mmac, ".2f")),
                ("kWh per 1M inferences", lambda s: _number(s.kwh_per_million, ".4g")),
                ("kg CO2e per 1M", lambda s: _number(s.kg_co2e_per_million, ".4g")),
                ("energy x", lambda s: _of(s, lambda c: f"{c.energy_pj / cost.energy_pj:.2f}")),
                ("Pareto front", lambda s: "yes" if front[summaries.index(s)] else "no"),
            ],
            summaries,
            (f"CO2e with {GRID_KG_PER_KWH} kg per kWh, the world's average electricity (IEA, 2019)",),
        ),
    ]


def _use_sheet(summaries: Sequence[ModelSummary]) -> Sheet:
    """What each model is best at here; a model that another beats in accuracy and energy is named with it."""

    def energy(summary: ModelSummary) -> float:
        return float("inf") if summary.cost is None else summary.cost.energy_pj

    best: list[tuple[str, ModelSummary]] = [
        ("highest accuracy", max(summaries, key=lambda s: s.top1.mean)),
        ("least energy", min(summaries, key=energy)),
        ("shortest latency", min(summaries, key=lambda s: s.cost.latency_s if s.cost else float("inf"))),
        ("fewest parameters", min(summaries, key=lambda s: s.parameters)),
        ("best calibrated", min(summaries, key=lambda s: s.calibration_error.mean)),
    ]
    front = pareto(summaries)
    rows = []
    for summary, on_front in zip(summaries, front, strict=True):
        reasons = [reason for reason, winner in best if winner is summary]
        if not on_front:
            better = [s for s in summaries if s.top1.mean >= summary.top1.mean and energy(s) < energy(summary)]
            reasons += [f"{min(better, key=energy).name} is no less accurate for less energy"] if better else []
        rows.append((summary.name, "; ".join(reasons) or "a compromise of accuracy and energy"))
    return Sheet("Where each stands out", ("model", "reason to choose it, or not"), tuple(rows))


def _of(summary: ModelSummary, text: Callable[[DeviceCost], str]) -> str:
    return _NONE if summary.cost is None else text(summary.cost)


_COST: list[Column] = [
    ("MACs", lambda s: _of(s, lambda c: f"{c.macs:,}")),
    ("energy", lambda s: _of(s, lambda c: format_energy(c.energy_pj))),
    (
        "low .. high",
        lambda s: _of(s, lambda c: f"{format_energy(c.energy_low_pj)} .. {format_energy(c.energy_high_pj)}"),
    ),
    ("latency", lambda s: _of(s, lambda c: format_time(c.latency_s))),
    ("DRAM traffic", lambda s: _of(s, lambda c: format_bytes(c.dram_bytes))),
]


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)


def _seeds(summaries: Sequence[ModelSummary]) -> str:
    counts = sorted({summary.top1.n for summary in summaries})
    if counts == [1]:
        return "one seed"
    return f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"


def _sheet(
    title: str, columns: Sequence[Column], summaries: Sequence[ModelSummary], notes: tuple[str, ...] = ()
) -> Sheet:
    rows = tuple(tuple(cell(summary) for _, cell in columns) for summary in summaries)
    return Sheet(title, tuple(name for name, _ in columns), rows, notes)
