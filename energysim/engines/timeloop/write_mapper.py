"""Settings of `timeloop-mapper`."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.mapping.search import Metric, Objective
from energysim.yaml_text import Document

_METRICS = {Metric.ENERGY: "energy", Metric.LATENCY: "delay", Metric.EDP: "edp", Metric.DRAM: "last_level_accesses"}


@dataclass(frozen=True, slots=True)
class MapperSettings:
    """How the search goes and ends. ``metrics``: Timeloop's names, the first counts most.

    ``victory_condition``: valid mappings in a row without an improvement that end the search, per thread;
    ``timeout``: invalid ones in a row; ``search_size``: valid mappings in all. 0: no such end. ``threads``: None for
    as many as the machine has.
    """

    metrics: tuple[str, ...] = ("energy",)
    algorithm: str = "random_pruned"
    threads: int | None = 1
    victory_condition: int = 1000
    timeout: int = 100_000
    search_size: int = 0
    max_permutations_per_if_visit: int = 16
    imperfect: bool = False


def metrics_of(objective: Objective) -> tuple[str, ...]:
    """An objective in Timeloop's words."""
    return tuple(_METRICS[metric] for metric in objective.metrics)


def mapper_yaml(settings: MapperSettings) -> Document:
    """``{"mapper": ..., "mapspace": ...}``. The metrics stand as a list under the plural key."""
    mapper = {
        "version": 0.4,
        "optimization_metrics": list(settings.metrics),
        "algorithm": settings.algorithm,
        **({} if settings.threads is None else {"num_threads": settings.threads}),
        "victory_condition": settings.victory_condition,
        "timeout": settings.timeout,
        "search_size": settings.search_size,
        "sync_interval": 0,
        "log_stats": False,
        "live_status": False,
        "diagnostics": False,
        "max_permutations_per_if_visit": settings.max_permutations_per_if_visit,
    }
    template = "ruby" if settings.imperfect else "uber"
    return {"mapper": mapper, "mapspace": {"version": 0.4, "template": template}}
