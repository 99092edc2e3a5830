"""What a simulation returns."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from energysim.arch.spec import ArchSpec
from energysim.cost.latency import peak_bytes_per_s
from energysim.cost.layers import layer_floor_bytes
from energysim.cost.results import SCHEMA, VariantCost
from energysim.errors import InfeasibleError
from energysim.graph.data import graph_data
from energysim.graph.layers import LayerGraph
from energysim.schedule.values import Schedule
from energysim.simulation.display import Plots, layers_frame, result_html
from energysim.simulation.occupancy import occupancies
from energysim.simulation.stored import StoredResult, stored_result
from energysim.version import __version__

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SimulationResult:
    """Everything a simulation says, with the versions, hashes and assumptions behind it.

    ``schedules``: how each variant cuts ``graph``, in the order of ``variants``. ``area_mm2``: of the components whose
    area is known (all instances), None where none is.
    """

    workload: str
    input_shapes: tuple[tuple[int, ...], ...]
    arch: ArchSpec
    engine: str
    estimator: str
    objective: str
    convention: str
    bits: int
    variants: tuple[VariantCost, ...]
    notes: tuple[str, ...]
    not_modelled: tuple[str, ...]
    schedules: tuple[Schedule, ...]
    graph: LayerGraph
    area_mm2: float | None = None
    command: tuple[str, ...] = ()
    plot: ClassVar[Plots] = Plots()

    def to_dict(self) -> dict[str, Any]:
        """The JSON of DESIGN section 4, with the layer graph, all schedules and on-chip memory over time."""
        return {
            "schema": SCHEMA,
            "energysim": __version__,
            "command": list(self.command),
            "workload": {"name": self.workload, "input": [list(s) for s in self.input_shapes], "bits": self.bits},
            "arch": {
                "name": self.arch.name,
                "sha256": self.arch.sha256,
                "source": self.arch.source,
                "memories": [{"name": name, "bytes_per_s": peak} for name, peak in peak_bytes_per_s(self.arch)],
            },
            "engine": self.engine,
            "estimator": self.estimator,
            "objective": self.objective,
            "convention": self.convention,
            "notes": list(self.notes),
            "not_modelled": list(self.not_modelled),
            "graph": graph_data(self.graph),
            "layer_floor_bytes": {
                layer.name: layer_floor_bytes(self.graph.layer(layer.name), self.graph, self.bits)
                for layer in self.variants[0].layers
            },
            "variants": [
                {**variant.to_dict(), "schedule": asdict(schedule)}
                for variant, schedule in zip(self.variants, self.schedules, strict=True)
            ],
            "occupancy": self._occupancy_data(),
        }

    def _occupancy_data(self) -> list[dict[str, Any]]:
        try:
            return [item.to_dict() for item in occupancies(self)]
        except InfeasibleError:  # no on-chip memory of the device holds feature maps
            return []

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2)

    def stored(self) -> StoredResult:
        """This result as a reader of its JSON has it."""
        return stored_result(self.to_dict(), f"{self.workload} on {self.arch.name}")

    def to_pandas(self) -> pd.DataFrame:
        """One row per variant and layer; energies in pJ, traffic in bytes, latency in seconds."""
        return layers_frame(self.variants)

    def _repr_html_(self) -> str:
        return result_html(f"{self.workload} on {self.arch.name}", self.variants)
