"""A schedule becomes cost: every stack on the device, with what the schedule retains on chip."""

from __future__ import annotations

from dataclasses import replace

from energysim.cost.results import LayerCost
from energysim.graph.layers import LayerGraph
from energysim.graph.problem import Role
from energysim.schedule.buffering import retained_ranges
from energysim.schedule.homes import map_memory, reserving
from energysim.schedule.plan import plan_stack
from energysim.schedule.values import Schedule, Stack
from energysim.simulation.layers import Shares, layer_alone, layer_untiled
from energysim.simulation.parallel import in_order
from energysim.simulation.setting import Progress, Setting
from energysim.simulation.stacks import stack_costs


def schedule_costs(
    graph: LayerGraph, schedule: Schedule, setting: Setting, progress: Progress | None = None
) -> tuple[LayerCost, ...]:
    """The cost of every layer of a schedule, in execution order."""
    kept = KeptMaps(graph, schedule, setting)
    costs: list[LayerCost] = []

    def cost(number: int) -> tuple[LayerCost, ...]:
        return one_stack(graph, schedule.stacks[number], setting, kept, number)

    each = in_order(cost, range(len(schedule.stacks)), setting.engine.jobs)
    for number, stack in enumerate(schedule.stacks):
        if progress is not None:
            progress(number, len(schedule.stacks), stack.layers[0])
        costs.extend(next(each))
    if progress is not None:
        progress(len(schedule.stacks), len(schedule.stacks), "")
    return tuple(costs)


def one_stack(
    graph: LayerGraph, stack: Stack, setting: Setting, kept: KeptMaps, number: int = 0
) -> tuple[LayerCost, ...]:
    """The cost of every layer of one stack, while the maps of ``kept`` are on chip.

    Raises InfeasibleError where they and the stack do not fit together.
    """
    layer = graph.layer(stack.layers[0])
    if len(stack.layers) == 1 and stack.free:
        shares = kept.shares(stack.layers[0])
        arch = setting.arch
        if kept.bytes_at(stack.layers[0]):
            home = map_memory(arch)
            assert home is not None
            arch = reserving(arch, home, kept.bytes_at(stack.layers[0]))
        return (replace(layer_alone(layer, graph, setting, arch, shares), stack=number),)
    if len(stack.layers) == 1 and stack.tile is None:
        return (replace(layer_untiled(layer, graph, setting), stack=number),)
    return stack_costs(plan_stack(graph, stack), graph, setting, number, kept.whole, kept.bytes_during(stack.layers))


class KeptMaps:
    """Retained feature maps: which share of a layer's words stays off DRAM, and the bytes taken while it runs."""

    def __init__(self, graph: LayerGraph, schedule: Schedule, setting: Setting) -> None:
        self._graph = graph
        self._ranges = retained_ranges(graph, schedule.retained, setting.bits)
        self._position = {layer.name: index for index, layer in enumerate(graph.layers)}
        self._share = {
            keep.edge: 1.0 if keep.channels is None else keep.channels / graph.edges[keep.edge].shape[1]
            for keep in schedule.retained
        }

    def bytes_at(self, layer: str) -> int:
        return self.bytes_during((layer,))

    def bytes_during(self, layers: tuple[str, ...]) -> int:
        """Of all that is on chip at any time while the layers run: depth-first, a stack's layers run at once."""
        first, last = self._position[layers[0]], self._position[layers[-1]]
        return sum(item.size_bytes for item in self._ranges if item.first <= last and first <= item.last)

    @property
    def whole(self) -> frozenset[str]:
        """The feature maps, with their views, of which no word crosses DRAM."""
        return frozenset(name for name, edge in self._graph.edges.items() if self._share.get(edge.storage) == 1.0)

    def shares(self, name: str) -> Shares:
        """Share of the words of ifmaps and ofmaps that crosses DRAM; weights slots that hold activations included."""
        layer = self._graph.layer(name)
        if not self._share:
            return {}
        slots: dict[Role, list[str]] = {Role.IFMAP: list(layer.inputs), Role.OFMAP: list(layer.outputs)}
        if layer.problem is not None:
            for tensor, edge in layer.operands:
                role = layer.problem.tensor(tensor).role
                if role is Role.WEIGHTS and edge in layer.inputs:
                    slots[Role.IFMAP] = [other for other in slots[Role.IFMAP] if other != edge]
                    slots[Role.WEIGHTS] = [edge]
        return {role: self._off_chip(edges) for role, edges in slots.items() if edges}

    def _off_chip(self, edges: list[str]) -> float:
        words = sum(self._graph.edges[edge].words for edge in edges)
        stays = sum(
            self._graph.edges[edge].words * self._share.get(self._graph.edges[edge].storage, 0.0) for edge in edges
        )
        return 1.0 - stays / words if words else 1.0
