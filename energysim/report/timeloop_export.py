"""A simulated network as files for the real Timeloop: one directory per distinct problem, an index, a script."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from energysim.arch.spec import ArchSpec
from energysim.cost.mapped import cost_of_mapping
from energysim.cost.model import cost_model
from energysim.energy import ActionEnergies, estimate
from energysim.engines import native
from energysim.engines.registry import get_engine
from energysim.engines.timeloop.writer import (
    MapperSettings,
    actions_of,
    architecture_yaml,
    art_yaml,
    components_yaml,
    constraints_yaml,
    dump,
    ert_yaml,
    mapper_yaml,
    mapping_yaml,
    metrics_of,
    nodes_yaml,
    problem_yaml,
)
from energysim.engines.timeloop_run.inputs import mapper_input, model_input
from energysim.errors import SpecError
from energysim.graph.layers import LayerGraph, LayerKind
from energysim.graph.problem import TensorProblem
from energysim.mapping.counts import Convention
from energysim.mapping.nest import Mapping
from energysim.mapping.search import Objective
from energysim.report.mapping import mapping_data
from energysim.report.timeloop_export_text import README, RUN
from energysim.simulation.result import SimulationResult
from energysim.simulation.setting import Progress, Setting
from energysim.simulation.work import Work, work_of
from energysim.version import __version__

INDEX = "index.json"
SCHEMA = 1


@dataclass(frozen=True)
class Case:
    """Everything that is the same problem on the same form of the device with the same mapping."""

    name: str
    works: tuple[Work, ...]

    @property
    def problem(self) -> TensorProblem:
        return self.works[0].problem

    @property
    def arch(self) -> ArchSpec:
        return self.works[0].arch

    @property
    def mapping(self) -> Mapping:
        return self.works[0].mapped.mapping


def cases_of(works: Sequence[Work]) -> tuple[Case, ...]:
    """One case per distinct work, named after the first layer that needs it."""
    found: dict[object, list[Work]] = {}
    for work in works:
        found.setdefault((work.problem, work.arch.nodes, work.mapped.mapping), []).append(work)
    names = [re.sub(r"[^\w.-]", "_", same[0].layer) for same in found.values()]
    width = len(str(len(found)))
    return tuple(
        Case(f"{number:0{width}}_{name}", tuple(same))
        for number, (name, same) in enumerate(zip(names, found.values(), strict=True), 1)
    )


def export_simulation(
    result: SimulationResult, time_limit_s: float | None = None, progress: Progress | None = None
) -> dict[str, str]:
    """The files of a simulation of one variant in the convention `timeloop`. Raises as :func:`export_files`.

    What was searched before is not searched again, where the cache of searches is on.
    """
    objective, energies = Objective.parse(result.objective), estimate(result.arch, result.estimator)
    setting = Setting(
        result.arch, energies, get_engine("native"), objective, Convention.TIMELOOP, result.bits, time_limit_s
    )
    schedule, cost = result.schedules[0], result.variants[0]
    works = work_of(result.graph, schedule, setting, progress)
    about = {
        "workload": result.workload,
        "input": [list(shape) for shape in result.input_shapes],
        "arch": result.arch.name,
        "bits": result.bits,
        "variant": schedule.variant,
        "tile": cost.tile,
        "buffer_bytes": cost.buffer_bytes,
        "overlap": cost.overlap,
        "objective": result.objective,
        "estimator": result.estimator,
        "convention": Convention.TIMELOOP.value,
    }
    return export_files(works, result.graph, energies, objective, about)


def export_files(
    works: Sequence[Work], graph: LayerGraph, energies: ActionEnergies, objective: Objective, about: dict[str, Any]
) -> dict[str, str]:
    """Path -> text of every file. ``about``: workload, arch, variant and its sizes, for the index.

    Raises SpecError naming the layer and what of it Timeloop has no words for.
    """
    cases = cases_of(works)
    if not cases:
        raise SpecError("no layer has multiply-accumulates: there is nothing that Timeloop could map")
    files: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for case in cases:
        try:
            content, row = _case(case, energies, objective)
        except SpecError as error:
            raise SpecError(f"layer {case.works[0].layer!r}: {error.what}", hint=error.hint) from error
        files |= {f"{case.name}/{name}": text for name, text in content.items()}
        rows.append(row)
    files["mapper.yaml"] = dump(mapper_yaml(MapperSettings(metrics=metrics_of(objective), threads=None)))
    files["components.yaml"] = dump(components_yaml())
    files["run.sh"] = RUN
    files["README.md"] = README
    index = {
        "schema": SCHEMA,
        "energysim": __version__,
        **about,
        "cases": rows,
        "not_exported": [
            {"layer": layer.name, "op": layer.op}
            for layer in graph.layers
            if layer.problem is None and layer.kind is not LayerKind.VIEW
        ],
    }
    files[INDEX] = json.dumps(index, indent=2) + "\n"
    return files


def _case(case: Case, energies: ActionEnergies, objective: Objective) -> tuple[dict[str, str], dict[str, Any]]:
    """The files of one case, and its row of the index with the counts that energysim expects."""
    problem, arch, mapping = case.problem, case.arch, case.mapping
    given = model_input(problem, arch, mapping)
    found = given.layout
    searched = mapper_input(problem, arch, cost_model(problem, arch, energies), objective, MapperSettings()).layout
    files = {
        "architecture.yaml": dump(architecture_yaml(found)),
        "architecture.v4.yaml": dump(nodes_yaml(found)),
        "problem.yaml": dump(problem_yaml(problem)),
        "mapping.yaml": dump({"mapping": mapping_yaml(found, mapping)}),
        "constraints.yaml": dump(constraints_yaml(searched)),
        "ERT.yaml": dump(ert_yaml(found, actions_of(found, energies))),
        "ART.yaml": dump(art_yaml(found)),
    }
    if [level.name for level in searched.levels] != [level.name for level in found.levels]:
        files["architecture.mapper.yaml"] = dump(architecture_yaml(searched))
    counts = native.evaluate(problem, arch, mapping, Convention.TIMELOOP)
    cost = cost_of_mapping(problem, arch, mapping, counts, energies)
    row = {
        "case": case.name,
        "layers": [
            {
                "layer": work.layer,
                "repeats": work.repeats,
                **({"share_from_dram": {str(role): share for role, share in work.off_chip}} if work.off_chip else {}),
            }
            for work in case.works
        ],
        "runs": sum(work.repeats for work in case.works),
        "macs_per_cycle": given.macs_per_cycle,
        "expected": mapping_data(problem, arch, mapping, counts, cost),
    }
    return files, row
