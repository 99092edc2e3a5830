"""`simulate`: one workload on one device, in one or all schedule variants."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.energy import estimate
from energysim.energy.reference_tables import area_notes, areas_mm2, read_tables, stating
from energysim.engines.registry import get_engine
from energysim.errors import NotFoundError, UnitError, did_you_mean
from energysim.graph.layers import LayerGraph
from energysim.mapping.counts import Convention
from energysim.mapping.search import Objective
from energysim.schedule.values import Overlap
from energysim.simulation.result import SimulationResult
from energysim.simulation.setting import Progress, Setting
from energysim.simulation.variants import Request, run_variants
from energysim.simulation.widths import with_widths
from energysim.units import format_energy, format_power
from energysim.workload import Workload, resolve_workload, workload_of

if TYPE_CHECKING:
    from torch import nn


def simulate(
    model: str | Path | nn.Module | LayerGraph | Workload,
    arch: str | Path | ArchSpec,
    *,
    input: str | tuple[int, ...] | None = None,
    batch: int | None = None,
    bits: int | None = None,
    variant: str = "layerwise",
    tile: int | str | tuple[int, int] | None = None,
    buffer_bytes: int | None = None,
    buffer_channels: int | None = None,
    overlap: str = "recompute",
    objective: str = "energy",
    convention: str | None = None,
    engine: str = "native",
    estimator: str = "table",
    ert: Sequence[str | Path] = (),
    art: Sequence[str | Path] = (),
    imperfect: bool = False,
    time_limit_s: float | None = None,
    progress: Progress | None = None,
) -> SimulationResult:
    """Map a network onto a device and cost it.

    ``model``: a workload name or path, ``package.module:factory``, an ``nn.Module`` (then ``input`` gives the shape),
    or a traced graph. ``bits``: word width of all tensors (default: what the network quantizes them to, else the
    device's). ``variant``: plain, layerwise, tiled, buffered, full, optimal, or all; ``tile`` (16, "4x72", or rows and
    columns), ``buffer_bytes`` or ``buffer_channels``, and ``overlap`` (recompute, cache_columns, cache) say how.
    ``convention``: None for the engine's own (native: exact, timeloop: timeloop). ``imperfect``: loops need not divide
    their dimension (native engine only). ``ert``, ``art``: files in Accelergy's format whose energies and areas win.
    ``time_limit_s`` bounds the search of each distinct problem; where it strikes, the layer says its gap.
    Raises EnergySimError on bad input.
    """
    if time_limit_s is not None and time_limit_s < 0:
        raise UnitError(f"a time limit of {time_limit_s} s", hint="0 or more")
    tables = read_tables(ert, art)
    spec = stating(arch if isinstance(arch, ArchSpec) else load_arch(str(arch)), tables)
    energies = estimate(spec, estimator)
    runner = get_engine(engine, imperfect)
    request = Request.checked(variant, tile, buffer_bytes, buffer_channels, Overlap(overlap))
    workload, graph = _graph_of(model, input, batch)
    graph, width = with_widths(graph, spec, bits, variant)
    setting = Setting(
        spec,
        energies,
        runner,
        Objective.parse(objective),
        runner.convention if convention is None else _convention(convention),
        width,
        time_limit_s,
    )
    variants = run_variants(graph, setting, request, progress)
    areas = areas_mm2(spec, tables, energies)
    return SimulationResult(
        workload=workload,
        input_shapes=tuple(graph.edges[name].shape for name in graph.inputs),
        arch=spec,
        engine=engine,
        estimator=estimator,
        objective=objective,
        convention=setting.convention.value,
        bits=width,
        variants=tuple(item.cost for item in variants),
        schedules=tuple(item.schedule for item in variants),
        graph=graph,
        notes=graph.notes + spec.assumptions + energies.notes + area_notes(areas),
        not_modelled=_not_modelled(graph, spec, variants[0].cost.latency_s),
        area_mm2=sum(area for _, area in areas) if areas else None,
        command=tuple(sys.argv),
    )


def _convention(name: str) -> Convention:
    if name not in list(Convention):
        hint = did_you_mean(name, Convention) or f"one of {', '.join(Convention)}"
        raise NotFoundError(f"unknown convention {name!r}", hint=hint)
    return Convention(name)


def _graph_of(
    model: str | Path | nn.Module | LayerGraph | Workload, input: str | tuple[int, ...] | None, batch: int | None
) -> tuple[str, LayerGraph]:
    if isinstance(model, LayerGraph):
        return model.name, model
    shape = "x".join(map(str, input)) if isinstance(input, tuple) else input
    if isinstance(model, Workload):
        workload = model
    elif isinstance(model, str | Path):
        workload = resolve_workload(str(model), shape, batch)
    else:
        workload = workload_of(model, shape, batch)
    return workload.name, workload.trace()


def _not_modelled(graph: LayerGraph, arch: ArchSpec, latency_s: float) -> tuple[str, ...]:
    """What the numbers leave out, in words that a reader of the table understands."""
    missing = list(arch.not_modelled)
    if arch.idle_power_w is not None:
        idle = arch.idle_power_w
        missing.append(
            f"idle power ({format_power(idle.value)}: {format_energy(idle.value * latency_s * 1e12)} in "
            "the time of one inference)"
        )
    unmoved = sum(
        graph.edges[name].words
        for layer in graph.layers
        if layer.problem is not None
        for name in set(layer.parameters) - {edge for _, edge in layer.operands}
    )
    if unmoved:
        missing.append(f"traffic of biases and folded BatchNorm terms ({unmoved:,} words per inference)")
    vector_ops = sum(layer.ops for layer in graph.layers)
    if vector_ops:
        missing.append(
            f"energy and time of the arithmetic in pooling, elementwise, normalization and softmax layers "
            f"({vector_ops:,} operations; their traffic is counted)"
        )
    for operator, count in graph.unmodelled.items():
        missing.append(f"operator {operator} ({count} x): only its words are moved")
    return tuple(missing)
