"""Points that a limit rules out before anything is simulated: what their buffer, area and accuracy are is known."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.errors import EnergySimError
from energysim.sweep.accuracy import Accuracies, accuracy_of
from energysim.sweep.buffers import asked_bytes
from energysim.sweep.limits import Limit
from energysim.sweep.point import Point
from energysim.sweep.resolve import area_of


@dataclass(frozen=True)
class Rules:
    """``limits`` of an experiment; ``accuracies`` of its networks."""

    limits: tuple[Limit, ...]
    accuracies: Accuracies

    def against(self, point: Point) -> str | None:
        """Which limits the point breaks, and by which values; None where a simulation has to tell."""
        try:
            broken = [text for limit in self.limits if (text := self._broken(limit, point))]
        except EnergySimError:
            return None  # its own failure: computing it tells
        return f"ruled out by {', '.join(broken)}" if broken else None

    def _broken(self, limit: Limit, point: Point) -> str | None:
        value = self._known(limit.column, point)
        if value is None and limit.column == "accuracy":
            return f"{limit}: not known for its images"
        broken = value is not None and limit.excess({limit.column: value}) > 0
        return f"{limit}: {value:g}" if broken else None

    def _known(self, column: str, point: Point) -> float | None:
        match column:
            case "used_buffer_bytes":
                return asked_bytes(point)
            case "area_mm2":
                return area_of(point.arch, point.overrides, point.estimator, point.ert, point.art)
            case "accuracy":
                return accuracy_of(point, self.accuracies)
        return None
