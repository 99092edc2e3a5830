"""Computed values under their conditions become a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from energysim.reproduce.ledger import Verdict
from energysim.reproduce.printed import Printed, shown

Condition = tuple[str, ...]
"""One label per thing that the claim leaves open: ("jetson_nano", "640x480", "batch 1"); empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was computed under one condition. ``distance``: how far from the claim, relatively, to find the closest of
    those that do not hold (0 where it holds); ``value``: what samples are sorted by."""

    condition: Condition
    text: str
    holds: bool
    distance: float = 0.0
    value: float = 0.0


@dataclass(frozen=True)
class Evidence:
    """``samples``: every condition that was tried, those first that the claim most likely means; ``reasons``: sentences
    on why, with computed figures; ``command``: a line that computes the value (None: the ledger's own command)."""

    samples: tuple[Sample, ...]
    reasons: tuple[str, ...] = ()
    command: str | None = None


@dataclass(frozen=True)
class Judgement:
    """The parts of a finding that follow from evidence. ``command``: as Evidence's."""

    computed: str
    verdict: Verdict
    conditions: tuple[str, ...]
    reason: str
    command: str | None = None


def compared(printed: Printed, value: float, unit: str, condition: Condition = ()) -> Sample:
    """A sample of a figure: it holds where the value is one that the printed figure stands for."""
    outside = max(printed.low - value, value - printed.high, 0.0)
    holds = printed.holds(value)
    distance = 0.0 if holds else outside / abs(printed.value)
    return Sample(condition, with_unit(shown(value), unit), holds, distance, value)


def with_unit(figure: str, unit: str) -> str:
    """``5.8x``, ``70.2 %``, ``12.4 MB``."""
    return figure + unit if unit in ("x", "") else f"{figure} {unit}"


def judge(evidence: Evidence) -> Judgement:
    """Reproduced where the claim holds under every condition, not where under none, else only if."""
    samples = evidence.samples
    if not samples:
        return Judgement("-", Verdict.NOT, (), "nothing could be computed under any condition", evidence.command)
    good = [sample for sample in samples if sample.holds]
    reasons = [reason for reason in evidence.reasons if reason]
    if len(good) == len(samples):
        return Judgement(span(samples), Verdict.REPRODUCED, (), _sentences(reasons), evidence.command)
    if good:
        reasons.insert(0, f"holds under {len(good)} of {len(samples)} conditions")
        conditions = tuple(", ".join(item) for item in merged(sample.condition for sample in good))
        return Judgement(span(good), Verdict.ONLY_IF, conditions, _sentences(reasons), evidence.command)
    closest = min(samples, key=lambda sample: sample.distance)
    computed = closest.text
    if closest.condition:
        computed += f" ({', '.join(closest.condition)})"
        if len(samples) > 1:
            reasons.insert(0, f"the closest of {len(samples)} conditions")
    return Judgement(computed, Verdict.NOT, (), _sentences(reasons), evidence.command)


def merged(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Conditions that differ in one label only become one: ("a", "8 bits"), ("a", "16 bits") is ("a", "8 bits or
    16 bits"). What the result stands for is exactly what was given."""
    sets: list[tuple[tuple[str, ...], ...]] = [
        tuple((label,) for label in condition) for condition in dict.fromkeys(conditions)
    ]
    for axis in reversed(range(max(map(len, sets), default=0))):
        groups: dict[tuple[tuple[tuple[str, ...], ...], ...], tuple[str, ...]] = {}
        for item in sets:
            rest = (item[:axis], item[axis + 1 :])
            groups[rest] = groups.get(rest, ()) + item[axis]
        sets = [(*before, labels, *after) for (before, after), labels in groups.items()]
    return tuple(tuple(" or ".join(labels) for labels in item) for item in sets)


def span(samples: Sequence[Sample]) -> str:
    """The values of samples in words: up to three of them, or the smallest and the largest."""
    texts = tuple(dict.fromkeys(sample.text for sample in sorted(samples, key=lambda sample: sample.value)))
    return "; ".join(texts) if len(texts) <= 3 else f"{texts[0]} to {texts[-1]}"


def _sentences(parts: Sequence[str]) -> str:
    return "; ".join(parts)
