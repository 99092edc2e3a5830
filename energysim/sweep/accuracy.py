"""Accuracy of networks that were really trained, by the name of the workload."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from energysim.errors import EnergySimError


def accuracies_of(paths: Sequence[str | Path]) -> dict[str, float]:
    """Workload -> top-1 accuracy on the test images, mean over the seeds, from directories of training runs.

    It is that of the network as it was trained: a sweep's word width does not change it, though quantizing to it may.
    Raises NotFoundError where there are no finished runs, EnergySimError where two trainings of one network compete.
    """
    if not paths:
        return {}
    from energysim.train.runs import find_groups, summarize_group

    found: dict[str, tuple[float, Path]] = {}
    for group in find_groups([Path(path) for path in paths]):
        name = str(group.results[0].about.get("name", group.label))
        if name in found:
            raise EnergySimError(
                f"{name!r} was trained in {str(found[name][1])!r} and in {str(group.first)!r}",
                hint="name the directory of one of them",
            )
        found[name] = summarize_group(group, None, timed=False).top1.mean, group.first
    return {name: accuracy for name, (accuracy, _) in found.items()}
