"""What limits and goals need to know, asked for before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping

from energysim.errors import EnergySimError
from energysim.sweep.experiment import Experiment
from energysim.sweep.resolve import area_of, workload_of


def check_known(experiment: Experiment, accuracies: Mapping[str, float]) -> None:
    """Raises EnergySimError where a goal or limit is about the accuracy of networks that no run trained, or the area
    of devices whose components state none."""
    asked = {*experiment.goals, *(limit.column for limit in experiment.limits)}
    legs = experiment.space.legs
    if "accuracy" in asked:
        names = dict.fromkeys(workload_of(leg.base.workload, dict(leg.axes)["input"][0], None).name for leg in legs)
        unknown = [name for name in names if name not in accuracies]
        if unknown:
            raise EnergySimError(
                f"no accuracy is known of {', '.join(unknown)}",
                hint="`energysim train` finds it; name its directory by --runs or 'accuracy_from:'",
            )
    if "area_mm2" in asked:
        for base in dict.fromkeys(leg.base for leg in legs):
            if area_of(base.arch, (), base.estimator, base.ert, base.art) is None:
                raise EnergySimError(
                    f"no area is known of any component of {base.arch!r}",
                    hint="name an area reference table by 'art:', or use 'estimator: accelergy'",
                )
