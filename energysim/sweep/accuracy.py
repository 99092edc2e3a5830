"""Accuracy of networks that were really trained, by the name of the workload and the size of the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from energysim.errors import EnergySimError
from energysim.sweep.point import Point
from energysim.sweep.resolve import workload_of


@dataclass(frozen=True)
class Accuracy:
    """``top1``: share of the test images, mean over the seeds; ``image``: channels, rows, columns that it was reached
    with, None where the runs do not say."""

    top1: float
    image: tuple[int, ...] | None = None

    @property
    def images(self) -> str:
        """ "3x32x32" """
        return "any size" if self.image is None else "x".join(map(str, self.image))


Accuracies = Mapping[str, Accuracy]
"""By the name of the workload."""


def accuracies_of(paths: Sequence[str | Path]) -> dict[str, Accuracy]:
    """Workload -> its accuracy, from directories of training runs.

    It is that of the network as it was trained: a sweep's word width does not change it, though quantizing to it may.
    Raises NotFoundError where there are no finished runs, EnergySimError where two trainings of one network compete.
    """
    if not paths:
        return {}
    from energysim.train.runs import find_groups, summarize_group

    found: dict[str, tuple[Accuracy, Path]] = {}
    for group in find_groups([Path(path) for path in paths]):
        about = group.results[0].about
        name = str(about.get("name", group.label))
        if name in found:
            raise EnergySimError(
                f"{name!r} was trained in {str(found[name][1])!r} and in {str(group.first)!r}",
                hint="name the directory of one of them",
            )
        image = about.get("image_shape")
        top1 = summarize_group(group, None, timed=False).top1.mean
        found[name] = Accuracy(top1, None if image is None else tuple(map(int, image))), group.first
    return {name: accuracy for name, (accuracy, _) in found.items()}


def accuracy_of(point: Point, accuracies: Accuracies) -> float | None:
    """That of the point's network with images of its size; None where it was not trained with them. (Layers that are
    written out have no images.) Raises like ``resolve_workload``."""
    workload = workload_of(point.workload, point.input, point.batch)
    known = accuracies.get(workload.name)
    if known is None:
        return None
    shapes = workload.input_shapes
    return known.top1 if known.image is None or not shapes or shapes[0][1:] == known.image else None
