"""The single problems behind a schedule: what is mapped for every layer, onto which form of the device, how often."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields

from energysim.arch.spec import ArchSpec
from energysim.engines.protocol import MappedLayer
from energysim.graph.layers import LayerGraph
from energysim.graph.problem import Role, TensorProblem
from energysim.schedule.plan import plan_stack
from energysim.schedule.values import Schedule, Stack
from energysim.simulation.schedules import schedule_costs
from energysim.simulation.setting import Progress, Setting

OffChip = tuple[tuple[Role, float], ...]


@dataclass(frozen=True)
class Work:
    """One mapped problem of a layer. ``arch``: the device with this schedule's constraints; ``repeats``: how often the
    layer runs it (tiles, images); ``off_chip``: the share of a role's words that crosses DRAM, where it is not all."""

    layer: str
    problem: TensorProblem
    arch: ArchSpec
    repeats: int
    off_chip: OffChip
    mapped: MappedLayer


@dataclass(frozen=True, slots=True)
class _Recorder(Setting):
    """A setting that notes every problem that is mapped."""

    asked: list[tuple[str, TensorProblem, ArchSpec, OffChip, MappedLayer]] = field(default_factory=list, compare=False)

    def search(self, problem: TensorProblem, arch: ArchSpec, name: str, off_chip: OffChip = ()) -> MappedLayer:
        mapped = Setting.search(self, problem, arch, name, off_chip)
        self.asked.append((name, problem, arch, off_chip, mapped))
        return mapped


def work_of(
    graph: LayerGraph, schedule: Schedule, setting: Setting, progress: Progress | None = None
) -> tuple[Work, ...]:
    """Every problem of every layer with MACs, in execution order; equal tiles of a layer are one work.

    What ``setting`` has mapped before is not searched again. Raises InfeasibleError like the simulation.
    """
    recorder = _Recorder(**{item.name: getattr(setting, item.name) for item in fields(Setting)})
    schedule_costs(graph, schedule, recorder, progress)
    repeats = {layer: count for stack in schedule.stacks for layer, count in _repeats(graph, stack, setting).items()}
    found: dict[tuple[str, TensorProblem, ArchSpec], Work] = {}
    for name, problem, arch, off_chip, mapped in recorder.asked:
        times = repeats[name][problem] if name in repeats else 1
        found[name, problem, arch] = Work(name, problem, arch, times, off_chip, mapped)
    return tuple(found.values())


def _repeats(graph: LayerGraph, stack: Stack, setting: Setting) -> dict[str, Counter[TensorProblem]]:
    """Tiles of every layer of a stack by their problem; none for a layer that is mapped whole."""
    if len(stack.layers) == 1 and (stack.free or stack.tile is None):
        return {}
    found: dict[str, Counter[TensorProblem]] = {}
    for plan in plan_stack(graph, stack).layers:
        count: Counter[TensorProblem] = Counter()
        for tile in plan.tiles:
            if tile.problem is not None:
                count[setting.words_of(tile.problem)] += tile.repeats
        found[plan.name] = count
    return found
