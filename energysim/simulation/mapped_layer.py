"""One problem on one device: the best mapping with its counts, tiles and cost."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.arch.spec import ArchSpec
from energysim.cost.latency import Latency, latency_of
from energysim.cost.mapped import MappedCost, cost_of_search
from energysim.cost.model import cost_model
from energysim.energy import estimate
from energysim.engines.protocol import MappedLayer
from energysim.engines.registry import get_engine
from energysim.engines.search_cache import cached_search
from energysim.errors import NotFoundError, did_you_mean
from energysim.graph.layers import Layer, LayerGraph
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.nest import Mapping
from energysim.mapping.search import Objective, SearchResult
from energysim.mapping.search.objective import metric_value
from energysim.mapping.search.result import Report


@dataclass(frozen=True)
class MappedProblem:
    """What the search found, evaluated. ``cost`` and ``found.value`` rest on the same energies and leakage."""

    problem: TensorProblem
    arch: ArchSpec
    convention: Convention
    found: SearchResult
    cost: MappedCost
    latency: Latency

    @property
    def mapping(self) -> Mapping:
        return self.found.mapping

    @property
    def counts(self) -> Counts:
        return self.found.counts


def map_problem(
    problem: TensorProblem,
    arch: ArchSpec,
    *,
    objective: Objective,
    convention: Convention,
    imperfect: bool = False,
    op_class: str = "conv",
    engine: str = "native",
    time_limit_s: float | None = None,
    progress: Report | None = None,
) -> MappedProblem:
    """The best mapping of a problem onto a device.

    ``imperfect``: loops need not divide their dimension (native engine only). ``op_class`` picks the efficiency of
    devices that state one. Raises InfeasibleError where nothing fits, UnavailableError for an engine that is not
    installed.
    """
    costs = cost_model(problem, arch, estimate(arch))
    bits = max((tensor.bits for tensor in problem.inputs), default=problem.output.bits)
    if engine == "native":
        found = cached_search(
            problem,
            arch,
            costs,
            objective=objective,
            convention=convention,
            imperfect=imperfect,
            time_limit_s=time_limit_s,
            progress=progress,
        )
    else:
        mapped = get_engine(engine).search(problem, arch, costs, objective, convention, time_limit_s)
        found = _claimed(mapped, problem, arch, costs, objective, convention)
    cost = cost_of_search(problem, arch, found.counts, costs, convention)
    return MappedProblem(problem, arch, convention, found, cost, latency_of(found.counts, arch, op_class, bits))


def _claimed(
    mapped: MappedLayer,
    problem: TensorProblem,
    arch: ArchSpec,
    costs: CostModel,
    objective: Objective,
    convention: Convention,
) -> SearchResult:
    """Another engine's mapping as a search result: its values by our costs, its bound by the gap it states. It does not
    say how many mappings there are."""
    values = [metric_value(metric, problem, arch, costs, mapped.counts, convention) for metric in objective.metrics]
    return SearchResult(
        mapping=mapped.mapping,
        counts=mapped.counts,
        objective=objective,
        value=values[0],
        bound=values[0] * (1.0 - mapped.gap),
        optimal=mapped.optimal,
        evaluated=mapped.evaluated,
        mapspace_size=0,
        secondary=values[1] if len(values) > 1 else None,
    )


def mac_layer(graph: LayerGraph, name: str | None) -> Layer:
    """The layer of that name; the only one where none is named. Raises NotFoundError listing layers with MACs."""
    layers = {layer.name: layer for layer in graph.layers if layer.problem is not None}
    known = f"layers with MACs: {', '.join(layers) or 'none'}"
    if name is None:
        if len(layers) == 1:
            return next(iter(layers.values()))
        raise NotFoundError(
            f"{graph.name!r} has {len(layers)} layers that can be mapped, and none is named", hint=known
        )
    if name in layers:
        return layers[name]
    other = next((layer for layer in graph.layers if layer.name == name), None)
    if other is not None:
        raise NotFoundError(f"the layer {name!r} ({other.op}) has no MACs to map: its words only stream", hint=known)
    raise NotFoundError(f"{graph.name!r} has no layer {name!r}", hint=did_you_mean(name, layers) or known)
