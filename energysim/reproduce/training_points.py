"""Claims that compare training runs of one network family: learning rate, shortcuts, pruning (system S3).

Judged by the runs of `energysim training-sweep`, whose networks are workload files of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from energysim.reproduce.check import Check, Claimed, Context
from energysim.reproduce.evidence import Judgement
from energysim.reproduce.ledger import Verdict
from energysim.reproduce.printed import parse_printed
from energysim.reproduce.pruning import channels_for
from energysim.reproduce.training import seeds_text
from energysim.train.experiment import load_recipe
from energysim.train.runs import Group
from energysim.workload import load_workload_file

_REACHED = 0.95  # of the lower of two final validation accuracies: where the race between two networks ends


@dataclass(frozen=True)
class Trial:
    """A network with what tells it from its siblings. ``arguments``: of its factory; ``lr``: the peak learning rate."""

    group: Group
    model: str
    arguments: dict[str, Any]
    lr: float
    pruned: bool

    @property
    def data(self) -> str:
        return str(self.group.results[0].about.get("data"))

    @property
    def top1(self) -> float:
        """Mean over seeds, percent."""
        return 100 * sum(result.test.top1 for result in self.group.results) / len(self.group.results)

    @property
    def epochs(self) -> int:
        return min(len(result.history) for result in self.group.results)

    def family(self, free: str) -> str:
        """What siblings have in common: all but ``free``."""
        told = {"data": self.data, "model": self.model, "epochs": self.epochs, "lr": self.lr, "pruned": self.pruned}
        return json.dumps({**self.arguments, **told, free: None}, sort_keys=True)

    def epochs_to(self, accuracy: float) -> float | None:
        """Epochs until validation accuracy first reached it, mean over seeds; None where it never did."""
        found = [
            next((record.epoch for record in result.history if record.validation_accuracy >= accuracy), None)
            for result in self.group.results
        ]
        reached = [epoch for epoch in found if epoch is not None]
        return sum(reached) / len(reached) if len(reached) == len(found) else None

    @property
    def last_validation(self) -> float:
        return min(result.history[-1].validation_accuracy for result in self.group.results)


@dataclass(frozen=True)
class Outcome:
    """What a family of trials says of a claim."""

    trial: Trial
    text: str
    holds: bool

    @property
    def told(self) -> str:
        """As evidence that does not decide."""
        first = self.trial.group.results[0]
        says = "speaks for it" if self.holds else "speaks against it"
        run = f"{len(first.history)} epochs, {seeds_text(len(self.trial.group.results))}"
        return f"on {self.trial.data} ({run}): {self.text}, which {says} but does not decide"


class SweptRuns(Check):
    """What the trials of a training sweep say, on ``data`` over all epochs of ``recipe``; others are told of only."""

    data: str
    recipe: str

    @property
    def command(self) -> str:
        """The sweep that decides."""
        network = "--base-depth 34 --base-width 64 --depths 18 --widths 32"
        return f"energysim training-sweep {network} --recipe {self.recipe} --data {self.data} --seeds 3"

    def outcomes(self, trials: Sequence[Trial], claimed: Claimed) -> Iterable[Outcome]:
        """One per family of trials that can be compared."""
        raise NotImplementedError

    def judge(self, claimed: Claimed, context: Context) -> Judgement:
        epochs = load_recipe(self.recipe).total_epochs
        found = list(self.outcomes(list(trials_of(context.runs)), claimed))
        deciding = [one for one in found if one.trial.data == self.data and one.trial.epochs >= epochs]
        if not deciding:
            missing = f"no sweep of {epochs} epochs on {self.data} was given"
            reason = "; ".join([missing, *(one.told for one in found)])
            return Judgement("-", Verdict.NEEDS_DATA, (), reason, self.command)
        verdict = Verdict.REPRODUCED if all(one.holds for one in deciding) else Verdict.NOT
        seeds = seeds_text(min(len(one.trial.group.results) for one in deciding))
        text = "; ".join(one.text for one in deciding)
        return Judgement(text, verdict, (), f"{seeds} on {self.data}", self.command)


class BestRate(SweptRuns):
    """The claimed learning rate has the highest top-1 of those that were tried."""

    kind: Literal["best learning rate"]

    def outcomes(self, trials: Sequence[Trial], claimed: Claimed) -> Iterator[Outcome]:
        for family in _families(trials, "lr"):
            rates = {trial.lr: trial.top1 for trial in family}
            if len(rates) < 2 or float(claimed.text) not in rates:
                continue
            best = max(rates, key=lambda rate: rates[rate])
            listed = ", ".join(f"{rate:g}: {top1:.1f} %" for rate, top1 in sorted(rates.items()))
            yield Outcome(family[0], f"{best:g} is best ({listed})", rates[best] == rates[float(claimed.text)])


class FasterShortcuts(SweptRuns):
    """With shortcuts the validation accuracy that both networks come to is reached in fewer epochs."""

    kind: Literal["faster with shortcuts"]

    def outcomes(self, trials: Sequence[Trial], claimed: Claimed) -> Iterator[Outcome]:
        for family in _families(trials, "shortcut"):
            by_form = {bool(trial.arguments.get("shortcut", True)): trial for trial in family}
            if len(by_form) < 2:
                continue
            target = _REACHED * min(trial.last_validation for trial in family)
            with_them, without = by_form[True].epochs_to(target), by_form[False].epochs_to(target)
            assert with_them is not None and without is not None
            text = f"{with_them:.1f} epochs with, {without:.1f} without to {100 * target:.1f} % validation accuracy"
            yield Outcome(by_form[True], text, with_them < without)


class KeptAccuracy(SweptRuns):
    """Percent of the unpruned network's top-1 that the pruned one keeps."""

    kind: Literal["kept accuracy"]
    workload: str
    fewer_macs: float

    def judge(self, claimed: Claimed, context: Context) -> Judgement:
        found = super().judge(claimed, context)
        if context.quick:
            return found
        share = channels_for(self.workload, self.fewer_macs)
        told = f"{self.fewer_macs:g} % fewer MACs of {self.workload} take {100 * share:.1f} % of its channels"
        command = f"{self.command} --ratio {share:.3f}"
        return replace(found, reason="; ".join([told, found.reason]), command=command)

    def outcomes(self, trials: Sequence[Trial], claimed: Claimed) -> Iterator[Outcome]:
        for family in _families(trials, "pruned"):
            by_form = {trial.pruned: trial for trial in family}
            if len(by_form) < 2:
                continue
            kept = 100 * by_form[True].top1 / by_form[False].top1
            text = f"{kept:.1f} % of {by_form[False].top1:.1f} % kept"
            yield Outcome(by_form[True], text, parse_printed(claimed.text).at_least().holds(kept))


def trials_of(groups: Iterable[Group]) -> Iterator[Trial]:
    """The groups whose network is a workload file that is still there: those of a training sweep."""
    for group in groups:
        first = group.results[0]
        file = Path(str(first.about.get("workload")))
        if file.suffix == ".yaml" and file.is_file():
            _, content = load_workload_file(file)
            lr = max(record.lr for record in first.history)
            yield Trial(group, content.model, content.arguments, lr, "parameters" in first.history[-1].extra)


def _families(trials: Sequence[Trial], free: str) -> list[list[Trial]]:
    """Trials that differ in ``free`` (lr, pruned, or an argument of the network) only."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.family(free), []).append(trial)
    return list(found.values())
