"""Claims about a recipe: is what the shipped experiment trains with what the write-up says?"""

from __future__ import annotations

from typing import Any, Literal

from energysim.reproduce.check import Check, Claimed, Context
from energysim.reproduce.evidence import Evidence, Sample
from energysim.train.experiment import load_experiment


class RecipeSettings(Check):
    """Settings of an experiment by path (``recipe.optimizer.lr``), each as the write-up gives it."""

    kind: Literal["recipe"]
    experiment: str
    settings: dict[str, Any]

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        plain = load_experiment(self.experiment).model_dump()
        found = {path: _at(plain, path) for path in self.settings}
        different = [path for path, value in self.settings.items() if found[path] != value]
        told = [f"{path} is {found[path]!r}, not {self.settings[path]!r}" for path in different]
        text = "; ".join(told) if told else f"all {len(found)} settings as stated"
        sample = Sample((), text, not different)
        reason = f"the experiment {self.experiment!r} states them"
        return Evidence((sample,), (reason,))


class Normalization(Check):
    """Mean and standard deviation of the channels of a CIFAR data set, as images are normalized."""

    kind: Literal["normalization"]
    data: Literal["cifar10", "cifar100"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        from energysim.train.sources import CIFAR_STATISTICS

        mean, std = CIFAR_STATISTICS[self.data]
        same = (mean, std) == (self.mean, self.std)
        return Evidence((Sample((), f"{mean}, {std}", same),), ("what training and evaluation use",))


def _at(plain: Any, path: str) -> Any:
    """The value at a dotted path, whose numbers count the items of lists."""
    for key in path.split("."):
        plain = plain[int(key)] if key.isdigit() else plain[key]
    return plain
