"""What limits and goals need to know, asked for before anything is computed."""

from __future__ import annotations

from dataclasses import replace

from energysim.errors import EnergySimError
from energysim.sweep.accuracy import Accuracies, accuracy_of
from energysim.sweep.experiment import Experiment
from energysim.sweep.resolve import area_of, workload_of


def check_known(experiment: Experiment, accuracies: Accuracies) -> None:
    """Raises EnergySimError where a goal or limit is about the accuracy of networks that no run trained, or the area
    of devices whose components state none."""
    asked = {*experiment.goals, *(limit.column for limit in experiment.limits)}
    legs = experiment.space.legs
    if "accuracy" in asked:
        points = [replace(leg.base, input=shape) for leg in legs for shape in dict(leg.axes)["input"]]
        names = {point: workload_of(point.workload, point.input, None).name for point in points}
        known = {name for point, name in names.items() if accuracy_of(point, accuracies) is not None}
        unknown = [name for name in dict.fromkeys(names.values()) if name not in known]
        if unknown:
            sizes = [f"{name} with {accuracies[name].images}" for name in unknown if name in accuracies]
            raise EnergySimError(
                f"no accuracy is known of {', '.join(unknown)}" + (f" (trained: {', '.join(sizes)})" if sizes else ""),
                hint="`energysim train` finds it; name its directory by --runs or 'accuracy_from:'",
            )
    if "area_mm2" in asked:
        for base in dict.fromkeys(leg.base for leg in legs):
            if area_of(base.arch, (), base.estimator, base.ert, base.art) is None:
                raise EnergySimError(
                    f"no area is known of any component of {base.arch!r}",
                    hint="name an area reference table by 'art:', or use 'estimator: accelergy'",
                )
