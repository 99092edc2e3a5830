"""The page as values, ready for its template."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from markupsafe import Markup

from energysim.report.page.beside import differences_table, ledger_table, results_table, training_table
from energysim.report.page.breakdown import Extra, variant_tables
from energysim.report.page.figures import Figure, result_figures, sweep_figures, training_figures
from energysim.report.page.graph_svg import graph_svg
from energysim.report.page.headline import Card, best_variant, cards, findings, subtitle, variant_table
from energysim.report.page.points import points_table
from energysim.report.page.provenance import Behind, behind
from energysim.report.page.sources import Sources, SweepPoints
from energysim.report.page.table import Table
from energysim.simulation.stored import StoredResult


@dataclass(frozen=True)
class ResultView:
    """One result's section. ``tables``: of the variant ``shown``, which its reader may change."""

    anchor: str
    title: str
    subtitle: str
    shown: str
    variants: tuple[str, ...]
    cards: tuple[Card, ...]
    findings: tuple[str, ...]
    variant_table: Table
    tables: tuple[Table, ...]
    graph: Markup
    figures: tuple[Figure, ...]
    layers: int
    behind: Behind
    notes: tuple[str, ...]
    not_modelled: tuple[str, ...]


@dataclass(frozen=True)
class SweepView:
    """One sweep's section."""

    anchor: str
    table: Table
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class TrainingView:
    """Trained models: what they reach, and how they got there."""

    table: Table
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class PageView:
    title: str
    results: tuple[ResultView, ...]
    beside: tuple[Table, ...]
    training: TrainingView | None
    sweeps: tuple[SweepView, ...]
    ledgers: tuple[Table, ...]


def page_view(sources: Sources) -> PageView:
    anchors = [f"result-{number}" for number in range(1, len(sources.results) + 1)]
    many = len(sources.results) > 1
    return PageView(
        title=_title(sources),
        results=tuple(map(_result_view, sources.results, anchors)),
        beside=(results_table(sources.results, anchors), differences_table(sources.results)) if many else (),
        training=_training_view(sources) if sources.models else None,
        sweeps=tuple(_sweep_view(sweep, f"sweep-{number}") for number, sweep in enumerate(sources.sweeps, 1)),
        ledgers=tuple(map(ledger_table, sources.ledgers)),
    )


def _sweep_view(sweep: SweepPoints, anchor: str) -> SweepView:
    return SweepView(anchor, points_table(sweep, anchor), sweep_figures(sweep, anchor))


def _training_view(sources: Sources) -> TrainingView:
    figures = (training_figures(groups, f"training-{number}") for number, groups in enumerate(sources.runs, 1))
    return TrainingView(training_table(sources.models, sources.results), tuple(chain.from_iterable(figures)))


def _title(sources: Sources) -> str:
    if len(sources.results) == 1:
        return _name(sources.results[0])
    counted = {
        "results": sources.results,
        "trained models": sources.models,
        "sweeps": sources.sweeps,
        "ledgers": sources.ledgers,
    }
    return ", ".join(f"{len(found)} {name}" for name, found in counted.items() if found) or "no results"


def _name(result: StoredResult) -> str:
    return f"{result.workload} on {result.arch}"


def _result_view(result: StoredResult, anchor: str) -> ResultView:
    best = best_variant(result)
    return ResultView(
        anchor=anchor,
        title=_name(result),
        subtitle=subtitle(result),
        shown=best.variant,
        variants=tuple(variant.variant for variant in result.variants),
        cards=cards(best),
        findings=findings(result, best),
        variant_table=variant_table(result),
        tables=variant_tables(best, Extra.of(result)),
        graph=Markup(graph_svg(result.graph)),  # escaped there
        figures=result_figures(result, anchor),
        layers=len(best.layers),
        behind=behind(result, best.variant),
        notes=result.notes,
        not_modelled=result.not_modelled,
    )
