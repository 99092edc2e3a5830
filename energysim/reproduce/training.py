"""Claims about accuracy: judged by finished training runs, where there are any."""

from __future__ import annotations

import math
from typing import Literal

from energysim.reproduce.check import Check, Claimed, Context
from energysim.reproduce.evidence import Judgement, with_unit
from energysim.reproduce.ledger import Verdict
from energysim.reproduce.printed import Printed, parse_printed
from energysim.spec_files import SpecModel
from energysim.train.experiment import load_recipe
from energysim.train.runs import Group
from energysim.train.summary import Spread


class TrainedModel(SpecModel):
    """A network trained as an experiment says."""

    workload: str
    recipe: str


class Accuracy(Check):
    """Top-1 or top-5 in percent of a network trained with a recipe; with ``minus``, how many points it has more."""

    kind: Literal["accuracy"]
    data: str
    of: TrainedModel
    minus: TrainedModel | None = None
    metric: Literal["top1", "top5"] = "top1"

    def judge(self, claimed: Claimed, context: Context) -> Judgement:
        models = (self.of,) if self.minus is None else (self.of, self.minus)
        found = [self._spread(model, context) for model in models]
        if any(spread is None for spread in found):
            return Judgement("-", Verdict.NEEDS_DATA, (), self._missing(context), self.command)
        spreads = [spread for spread in found if spread is not None]
        value = spreads[0].mean - (spreads[1].mean if len(spreads) > 1 else 0.0)
        error = math.hypot(*(spread.std or 0.0 for spread in spreads))
        verdict = Verdict.REPRODUCED if near(parse_printed(claimed.text), value, error) else Verdict.NOT
        seeds = min(spread.n for spread in spreads)
        text = f"{value:.1f} ± {error:.1f}" if seeds > 1 else f"{value:.1f}"
        computed, reason = with_unit(text, claimed.unit), f"{seeds_text(seeds)} on {self.data}"
        return Judgement(computed, verdict, (), reason, self.command)

    @property
    def command(self) -> str:
        """What trains the networks that the claim is about."""
        models = (self.of,) if self.minus is None else (self.of, self.minus)
        end = f"--data {self.data} --seeds 3"
        lines = (f"energysim train {model.workload} --recipe {model.recipe} {end}" for model in models)
        return " && ".join(dict.fromkeys(lines))

    def _spread(self, model: TrainedModel, context: Context) -> Spread | None:
        groups = [group for group in context.runs if matches(group, model, self.data) and complete(group, model.recipe)]
        if not groups:
            return None
        values = [getattr(result.test, self.metric) for result in groups[0].results]
        return Spread.of([100 * value for value in values if value is not None])

    def _missing(self, context: Context) -> str:
        models = (self.of,) if self.minus is None else (self.of, self.minus)
        lacking = [model for model in models if self._spread(model, context) is None]
        named = " and of ".join(f"{model.workload} by the recipe {model.recipe}" for model in lacking)
        parts = [f"no complete run of {named} on {self.data} was given"]
        for model in lacking:
            for group in context.runs:
                if group.results[0].about.get("name") == model.workload:
                    parts.append(_elsewhere(group, self.metric))
        return "; ".join(parts)


def near(printed: Printed, value: float, error: float) -> bool:
    """Whether the claimed interval and one standard deviation around the measured mean have values in common."""
    return value + error >= printed.low and value - error <= printed.high


def matches(group: Group, model: TrainedModel, data: str) -> bool:
    about = group.results[0].about
    return (about.get("name"), about.get("recipe_name"), about.get("data")) == (model.workload, model.recipe, data)


def complete(group: Group, recipe: str) -> bool:
    """Whether every seed ran as long as the recipe says (or stopped early by its rule)."""
    epochs = load_recipe(recipe).total_epochs
    return all(len(result.history) >= epochs or result.stopped_early for result in group.results)


def seeds_text(seeds: int) -> str:
    return f"{seeds} seed{'s' * (seeds > 1)}"


def _elsewhere(group: Group, metric: str) -> str:
    """A run that does not decide: another data set, or a shorter one."""
    first = group.results[0]
    values = [getattr(result.test, metric) for result in group.results]
    known = [100 * value for value in values if value is not None]
    told = f"{sum(known) / len(known):.1f} %" if known else "no figure"
    epochs = f"{len(first.history)} epochs of recipe {first.about.get('recipe_name')!r}"
    return f"{first.about.get('name')} on {first.about.get('data')} reached {told} ({epochs}), which does not decide it"
