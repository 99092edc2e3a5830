"""Tables over several sources: all results side by side, accuracy beside energy, the ledger of claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from energysim.report.difference import summary_sheet
from energysim.report.page.breakdown import interval
from energysim.report.page.headline import best_variant
from energysim.report.page.table import Cell, Column, Row, Table, count, energy, seconds, size, times, words
from energysim.report.sheet import Sheet
from energysim.report.training import percent
from energysim.reproduce.ledger import Ledger
from energysim.sensitivity import difference
from energysim.simulation.stored import StoredResult
from energysim.train.summary import ModelSummary, Spread


def results_table(results: Sequence[StoredResult], anchors: Sequence[str]) -> Table:
    """One line per result, with its best variant; ``anchors``: ids of their sections."""
    columns = (
        Column("workload", numeric=False),
        Column("device", numeric=False),
        Column("variant", numeric=False, about="the best one by the result's objective"),
        Column("bits"),
        Column("energy"),
        Column("low .. high", about="sorts by the width"),
        Column("latency"),
        Column("DRAM traffic"),
        Column("x floor"),
    )
    most = max((best_variant(result).energy.value for result in results), default=0.0) or 1.0
    rows = []
    for result, anchor in zip(results, anchors, strict=True):
        best = best_variant(result)
        of = best.energy
        rows.append(
            Row(
                (
                    Cell(result.workload, link=anchor),
                    words(result.arch),
                    words(best.variant),
                    count(result.bits),
                    energy(of.value, of.value / most),
                    Cell(interval(of), of.high - of.low),
                    seconds(best.latency_s),
                    size(best.dram_bytes),
                    times(best.dram_bytes, best.dram_floor_bytes),
                )
            )
        )
    return Table("results", "All results, each with its best variant", columns, tuple(rows))


def training_table(models: Sequence[ModelSummary], results: Sequence[StoredResult]) -> Table:
    """A line per trained model and device: accuracy on the test data, energy of the result of the same workload or,
    without one, of the summary's own simulation."""
    columns = (
        Column("model", numeric=False),
        Column("data", numeric=False),
        Column("top-1 %", about="on the test data; mean ± standard deviation over the seeds"),
        Column("top-5 %"),
        Column("ECE %", about="expected calibration error"),
        Column("seeds"),
        Column("parameters"),
        Column("training"),
        Column("device", numeric=False),
        Column("energy"),
        Column("latency"),
        Column("DRAM traffic"),
    )
    rows = [
        Row(
            (
                words(model.name),
                words(model.data),
                _percent(model.top1),
                _percent(model.top5),
                _percent(model.calibration_error),
                count(model.top1.n),
                count(model.parameters),
                seconds(model.training_s.mean),
                *cost,
            )
        )
        for model in models
        for cost in _costs(model, results)
    ]
    note = (
        "energy, latency and traffic: one inference by the page's results, or batch 1, layerwise, by the run's summary"
    )
    return Table("training", "Accuracy beside energy", columns, tuple(rows), notes=(note,))


def _costs(model: ModelSummary, results: Sequence[StoredResult]) -> Iterator[tuple[Cell, ...]]:
    same = [result for result in results if result.workload == model.name]
    for result in same:
        best = best_variant(result)
        where = f"{result.arch}, {best.variant}"
        yield words(where), energy(best.energy.value), seconds(best.latency_s), size(best.dram_bytes)
    if not same and model.cost is not None:
        cost = model.cost
        yield words(cost.arch), energy(cost.energy_pj), seconds(cost.latency_s), size(cost.dram_bytes)
    elif not same:
        yield words("-"), words("-"), words("-"), words("-")


def _percent(spread: Spread | None) -> Cell:
    return Cell(percent(spread), None if spread is None else spread.mean)


def differences_table(results: Sequence[StoredResult]) -> Table:
    """Each result against the first, best variants of both; whether a difference outlasts the constants' ranges."""
    first, *others = results
    name = best_variant(first).variant
    found = [difference(first, other, name, best_variant(other).variant) for other in others]
    return sheet_table(summary_sheet(found), "differences", "Against the first result")


def sheet_table(sheet: Sheet, name: str, caption: str) -> Table:
    """A table of text; columns of numbers sort as such."""
    numeric = [all(_number(row[index]) is not None for row in sheet.rows) for index in range(len(sheet.columns))]
    columns = tuple(map(Column, sheet.columns, numeric))
    rows = tuple(Row(tuple(Cell(text, _number(text)) for text in row)) for row in sheet.rows)
    return Table(name, caption, columns, rows, notes=sheet.notes)


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def ledger_table(ledger: Ledger) -> Table:
    """Claims, what is computed, and the verdicts."""
    columns = tuple(
        Column(name, numeric=False)
        for name in ("claim", "statement", "claimed", "computed", "verdict", "reason and conditions", "command")
    )
    rows = tuple(
        Row(
            tuple(
                map(
                    words,
                    (
                        f"{finding.system} {finding.claim_id}",
                        finding.statement,
                        finding.claimed,
                        finding.computed,
                        finding.verdict.value,
                        "; ".join((finding.reason, *finding.conditions)),
                        finding.command,
                    ),
                )
            )
        )
        for finding in ledger.findings
    )
    counts = ", ".join(f"{number} {verdict.value}" for verdict, number in ledger.counts().items() if number)
    caption = "Claims of the four systems"
    return Table("ledger", caption, columns, rows, filtered=True, notes=(f"{counts}", *ledger.notes))
