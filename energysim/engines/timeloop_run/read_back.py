"""Timeloop's answers as this project's values: the mapping that it wrote, and its counts over all instances."""

from __future__ import annotations

import tempfile
from pathlib import Path

from energysim.arch.spec import ArchSpec, Axis, Memory
from energysim.engines.timeloop.layout import Dummy, Layout
from energysim.engines.timeloop.reader import read_timeloop
from energysim.engines.timeloop_run.results import RunResult
from energysim.errors import ProgramError
from energysim.mapping.counts import AccessCounts, Counts
from energysim.mapping.nest import Loop, Mapping


def mapping_of(given: str, written: str, layout: Layout) -> Mapping:
    """The mapping in the mapper's output file, over the nodes of ``layout.arch``.

    ``given``: the run's own input. Raises SpecError, MappingError for a file that does not fit it.
    """
    with tempfile.TemporaryDirectory(prefix="energysim-timeloop-") as name:
        files = [Path(name) / "input.yaml", Path(name) / "timeloop-mapper.map.yaml"]
        for path, text in zip(files, (given, written), strict=True):
            path.write_text(text, encoding="utf-8")
        read = read_timeloop(files)
    found, levels = read.need_mapping(), layout.levels
    if [node.name for node in read.arch.nodes] != [level.name for level in levels]:
        raise ProgramError("timeloop-mapper answered with other levels than it was asked about")
    loops: list[Loop] = []
    for loop in found.loops:
        level = levels[loop.node]
        axis: Axis | None = loop.axis
        if isinstance(level, Dummy) and level.axis is not None:
            axis = level.axis
        loops.append(Loop(loop.dim, loop.bound, level.node, loop.last, axis))
    kept = [frozenset[str]()] * len(layout.arch.nodes)
    for level, names in zip(levels, found.kept, strict=True):
        kept[level.node] = kept[level.node] | names
    return Mapping(tuple(loops), tuple(kept))


def counts_of(result: RunResult, arch: ArchSpec, macs_per_cycle: float) -> Counts:
    """Counts of all instances, from the averages of one. ``macs_per_cycle``: a run's cycles per cycle of the device.

    Raises ProgramError where the run lists no level of the name of one of the device's memories.
    """
    accesses: list[AccessCounts] = []
    level_cycles: list[tuple[str, float]] = []
    for memory in arch.memories:
        level = result.level(memory.name)
        if level is None:
            raise ProgramError(f"Timeloop's output has no level {memory.name!r}")
        accesses += [
            AccessCounts(
                memory.name,
                space.name,
                space.tile_words,
                space.instances,
                round(space.reads * space.instances),
                round(space.fills * space.instances),
                round(space.updates * space.instances),
            )
            for space in level.spaces
        ]
        if _is_limited(memory):
            level_cycles.append((memory.name, level.cycles / macs_per_cycle))
    return Counts(
        accesses=tuple(accesses),
        macs=result.computes,
        compute_instances=result.compute_instances,
        compute_cycles=result.compute_cycles / macs_per_cycle,
        level_cycles=tuple(level_cycles),
        cycles=result.cycles / macs_per_cycle,
    )


def _is_limited(memory: Memory) -> bool:
    return (memory.read_bandwidth, memory.write_bandwidth, memory.shared_bandwidth) != (None, None, None)
