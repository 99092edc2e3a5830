"""Points that a limit rules out before anything is simulated: what their buffer, area and accuracy are is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from energysim.errors import EnergySimError
from energysim.sweep.buffers import asked_bytes
from energysim.sweep.limits import Limit
from energysim.sweep.point import Point
from energysim.sweep.resolve import area_of, workload_of


@dataclass(frozen=True)
class Rules:
    """``limits`` of an experiment; ``accuracies`` of its networks."""

    limits: tuple[Limit, ...]
    accuracies: Mapping[str, float]

    def against(self, point: Point) -> str | None:
        """Which limits the point breaks, and by which values; None where a simulation has to tell."""
        broken = []
        for limit in self.limits:
            value = self._known(limit.column, point)
            if value is not None and limit.excess({limit.column: value}) > 0:
                broken.append(f"{limit}: {value:g}")
        return f"ruled out by {', '.join(broken)}" if broken else None

    def _known(self, column: str, point: Point) -> float | None:
        try:
            match column:
                case "used_buffer_bytes":
                    return asked_bytes(point)
                case "area_mm2":
                    return area_of(point.arch, point.overrides, point.estimator, point.ert, point.art)
                case "accuracy":
                    name = workload_of(point.workload, point.input, point.batch).name
                    return self.accuracies.get(name)
        except EnergySimError:
            pass  # a point's own failure: computing it tells
        return None
