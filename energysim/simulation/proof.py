"""Proof by execution on a device: the very schedule and mappings that a simulation costs, run on real tensors.

The words that execution moves are compared with the schedule's and with those that each layer's cost rests on.
"""

from __future__ import annotations

from energysim.cost.results import LayerCost
from energysim.errors import InfeasibleError
from energysim.graph.layers import Layer, LayerGraph
from energysim.nn.executor.mapped_layer import LayerMapping
from energysim.nn.executor.mapped_tiles import TileMappings
from energysim.nn.executor.program import ExecutableProgram
from energysim.nn.executor.scheduled import Costed, How
from energysim.nn.executor.verify import Verification, verify
from energysim.schedule.homes import map_memory, reserving, streaming, whole_planes
from energysim.schedule.plan import StackPlan, plan_stack
from energysim.schedule.values import Schedule, Stack
from energysim.simulation.schedules import KeptMaps
from energysim.simulation.setting import Progress, Setting
from energysim.simulation.stacks import lives_in
from energysim.simulation.variants import Request, run_variants


def prove(
    program: ExecutableProgram, setting: Setting, request: Request, progress: Progress | None = None
) -> tuple[Verification, ...]:
    """Simulate the variants of ``request`` and execute each as it was costed.

    Raises InfeasibleError where the device cannot run a variant, ExecutionError where the executor cannot.
    """
    graph = program.graph
    return tuple(
        verify(
            program,
            item.schedule,
            mappings_of(graph, item.schedule, setting),
            {cost.name: _costed(graph.layer(cost.name), cost, setting) for cost in item.cost.layers},
        )
        for item in run_variants(graph, setting, request, progress)
    )


def mappings_of(graph: LayerGraph, schedule: Schedule, setting: Setting) -> dict[str, How]:
    """How the layers of a schedule run on the device, where a mapping decides what crosses DRAM.

    ``setting`` remembers the searches of the simulation, so nothing is mapped again.
    """
    kept, found = KeptMaps(graph, schedule, setting), dict[str, How]()
    for stack in schedule.stacks:
        layer = graph.layer(stack.layers[0])
        if len(stack.layers) == 1 and (stack.free or stack.tile is None):
            if layer.problem is not None:
                found[layer.name] = _alone(layer, stack, setting, kept)
        else:
            found.update(_tiles(plan_stack(graph, stack), setting, kept))
    return found


def _alone(layer: Layer, stack: Stack, setting: Setting, kept: KeptMaps) -> LayerMapping:
    assert layer.problem is not None
    problem = setting.words_of(layer.problem)
    if not stack.free:
        try:
            arch = whole_planes(setting.arch)
            return LayerMapping(problem, arch, setting.search(problem, arch, layer.name).mapping)
        except InfeasibleError:
            arch = streaming(setting.arch)
            return LayerMapping(problem, arch, setting.search(problem, arch, layer.name).mapping)
    arch, reserved = setting.arch, kept.bytes_at(layer.name)
    home = map_memory(arch)
    if reserved and home is not None:
        arch = reserving(arch, home, reserved)
    shares = tuple(sorted(kept.shares(layer.name).items()))
    return LayerMapping(problem, arch, setting.search(problem, arch, layer.name, shares).mapping)


def _tiles(plan: StackPlan, setting: Setting, kept: KeptMaps) -> dict[str, TileMappings]:
    """Of a stack on chip, the layers whose weights stream from DRAM; the layer of one mapped from DRAM to DRAM.

    A layer without MACs has no mapping; that its parameters stream is said by an entry without any.
    """
    arch, outermost = whole_planes(setting.arch), 0
    if map_memory(setting.arch) is not None:
        place = lives_in(plan, setting, kept.whole, kept.bytes_during(plan.stack.layers))
        if place is not None:
            if place.weights is not None:
                return {}
            (home, _), *_ = place.tiles
            arch, dram = home.arch, setting.arch.memories[0].name
            outermost = next(index for index, node in enumerate(arch.nodes) if node.name == dram)
    found = {}
    for layer in plan.layers:
        problems = [setting.words_of(tile.problem) for tile in layer.tiles if tile.problem is not None]
        mappings = {problem: setting.search(problem, arch, layer.name).mapping for problem in problems}
        if mappings or layer.weights.words:
            found[layer.name] = TileMappings(arch, mappings, setting.bits, outermost)
    return found


def _costed(layer: Layer, cost: LayerCost, setting: Setting) -> Costed:
    dram, parameters = setting.arch.memories[0].name, {"weights"}
    if layer.problem is not None:
        parameters = {tensor.name for tensor in layer.problem.tensors if tensor.is_parameter}
    here = [entry for entry in cost.levels if entry.level == dram]
    return Costed(
        weights=sum(entry.reads for entry in here if entry.tensor in parameters),
        loaded=sum(entry.reads for entry in here if entry.tensor not in parameters),
        stored=sum(entry.updates for entry in here),
        macs=cost.macs_executed,
    )
