"""Claims about a network alone: parameters, MACs, bytes, structure."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from energysim.graph.layers import Layer, LayerGraph
from energysim.reproduce.check import Check, Claimed, Context, graph_of
from energysim.reproduce.evidence import Evidence, Sample, compared
from energysim.reproduce.printed import parse_printed, shown
from energysim.train.summary import FLOAT32_BYTES

_UNITS = (("MB of 10^6 bytes", 1e6), ("MB of 2^20 bytes", 2.0**20))


class Count(StrEnum):
    PARAMETERS = "parameters"
    MACS = "macs"

    def of(self, graph: LayerGraph) -> int:
        return graph.parameters if self is Count.PARAMETERS else graph.macs


class NetworkCount(Check):
    """Parameters or MACs of a workload, in ``scale`` (1e6: millions); with ``over``, the ratio to another's."""

    kind: Literal["network count"]
    count: Count
    workload: str
    over: str | None = None
    scale: float = 1.0

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        value = self.count.of(graph_of(self.workload)) / self.scale
        reasons: tuple[str, ...] = ()
        if self.over is not None:
            other = self.count.of(graph_of(self.over))
            reasons = (f"{shown(value)} over {shown(other)} {self.count}",)
            value /= other
        printed = parse_printed(claimed.text)
        command = f"energysim trace {self.workload}" if self.over is None else None
        return Evidence((compared(printed, value, claimed.unit),), reasons, command)


class ModelSize(Check):
    """Bytes of the parameters in float32, in both meanings of MB."""

    kind: Literal["model size"]
    workload: str

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        size = graph_of(self.workload).parameters * FLOAT32_BYTES
        printed = parse_printed(claimed.text)
        samples = tuple(compared(printed, size / unit, "MB", (name,)) for name, unit in _UNITS)
        return Evidence(samples, (f"{size:,} bytes of float32 parameters",))


class Structure(Check):
    """``channels``: of the network's input, then of each convolution; ``strides`` of the convolutions; ``outputs`` of
    the linear layers; ``depth``: convolutions and linear layers. 1x1 convolutions (shortcuts) are left out."""

    kind: Literal["structure"]
    workload: str
    of: Literal["channels", "strides", "outputs", "depth"]

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        graph = graph_of(self.workload)
        text = {"channels": _channels, "strides": _strides, "outputs": _outputs, "depth": _depth}[self.of](graph)
        return Evidence((Sample((), text, text == claimed.text),), (), f"energysim trace {self.workload}")


def _convolutions(graph: LayerGraph) -> list[Layer]:
    found = [layer for layer in graph.layers if layer.op.startswith("conv") and layer.window is not None]
    return [layer for layer in found if layer.window is not None and max(layer.window.kernel) > 1]


def _channels(graph: LayerGraph) -> str:
    first = graph.edges[graph.inputs[0]].shape[1]
    widths = [graph.edges[layer.outputs[0]].shape[1] for layer in _convolutions(graph)]
    return "-".join(map(str, (first, *widths)))


def _strides(graph: LayerGraph) -> str:
    return ",".join(str(layer.window.stride[0]) for layer in _convolutions(graph) if layer.window is not None)


def _linear(graph: LayerGraph) -> list[Layer]:
    return [layer for layer in graph.layers if layer.op.startswith("linear")]


def _outputs(graph: LayerGraph) -> str:
    return "-".join(str(graph.edges[layer.outputs[0]].shape[-1]) for layer in _linear(graph))


def _depth(graph: LayerGraph) -> str:
    return str(len(_convolutions(graph)) + len(_linear(graph)))


class DualSize(Check):
    """Parameters (or float32 bytes) of the dual CNN or of one of its sub-models, by the window of its pooling, which
    the write-up does not give."""

    kind: Literal["dual size"]
    of: Literal["parameters", "bytes"]

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        from energysim.nn.zoo.dual import IMAGE, DualCNN, SubCNN

        printed, samples = parse_printed(claimed.text), []
        windows = range(2, IMAGE + 1)
        for name, network in (("both sub-models", DualCNN), ("one sub-model", SubCNN)):
            for pool in windows:
                if IMAGE // pool // pool == 0:
                    break
                count = sum(parameter.numel() for parameter in network(pool=pool).parameters())
                value = count if self.of == "parameters" else count * FLOAT32_BYTES / 1e6
                samples.append(compared(printed, value, claimed.unit, (name, f"pooling {pool}x{pool}")))
        return Evidence(tuple(samples))


class IdealTraffic(Check):
    """Bytes where every convolution and linear layer reads its weights and its input once and writes its output once.

    ``of``: weights, maps, both (``total``), or the ``floor`` (weights, network input and output); ``bits``: width of a
    word; ``ratio``: the total over the floor instead. No shortcut, pooling or normalization is counted.
    """

    kind: Literal["ideal traffic"]
    workload: str
    of: Literal["weights", "maps", "total", "floor", "ratio"]
    bits: int = 8
    scale: float = 1.0

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        from energysim.simulation.floor import floor_bytes

        graph = graph_of(self.workload)
        weights, maps = ideal_words(graph)
        floor = floor_bytes(graph, self.bits)
        words = {"weights": weights, "maps": maps, "total": weights + maps}
        value = words[self.of] * self.bits / 8 if self.of in words else floor
        if self.of == "ratio":
            value = (weights + maps) * self.bits / 8 / floor
        reasons = (f"{weights:,} words of weights, {maps:,} of feature maps",)
        return Evidence((compared(parse_printed(claimed.text), value / self.scale, claimed.unit),), reasons)


def ideal_words(graph: LayerGraph) -> tuple[int, int]:
    """(Weights, feature maps) that convolutions and linear layers touch, each word of an operand once per layer."""
    weights = maps = 0
    for layer in graph.layers:
        if layer.problem is not None:
            weights += sum(graph.edges[edge].words for _, edge in layer.operands if edge in layer.parameters)
            maps += sum(graph.edges[edge].words for edge in (*layer.inputs, *layer.outputs))
    return weights, maps
