"""What runs inside the step before it: BatchNorm in a convolution's weights, an activation function in its producer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from energysim.graph.ir import Step, Value
from energysim.graph.layers import LayerKind, TensorKind

_TAKES_BATCH_NORM = ("conv", "linear")


def fold(steps: Sequence[Step], outputs: Sequence[Value]) -> tuple[Step, ...]:
    """Merge each foldable step into its producer, where it is the producer's only reader and the producer's result does
    not leave the network."""
    readers = Counter(name for step in steps for name in {value.name for value in step.inputs})
    readers.update({value.name for value in outputs})
    merged: list[Step] = []
    producer: dict[str, int] = {}
    for step in steps:
        host = _host(step, merged, producer, readers)
        if host is None:
            producer.update({value.name: len(merged) for value in step.outputs})
            merged.append(step)
        else:
            merged[host] = _merge(merged[host], step)
            producer[step.outputs[0].name] = host
    return tuple(merged)


def _host(step: Step, merged: Sequence[Step], producer: dict[str, int], readers: Counter[str]) -> int | None:
    moving = [value for value in step.inputs if not value.is_stored]
    if len(moving) != 1 or moving[0].name not in producer or readers[moving[0].name] != 1:
        return None
    index = producer[moving[0].name]
    host = merged[index]
    if host.outputs[-1].name != moving[0].name:
        return None
    if step.op == "batch_norm" and _takes_batch_norm(host, step):
        return index
    return index if host.hosts and (step.pointwise or _is_bias(host, step)) else None


def _is_bias(host: Step, step: Step) -> bool:
    """A stored vector with one element per output channel, added to a product that has no bias yet."""
    added = [value for value in step.inputs if value.is_stored]
    if step.op != "add" or host.kind is not LayerKind.MAC or host.folded or len(added) != 1:
        return False
    shape, result = added[0].shape, step.outputs[0].shape
    channel = -1 - int(host.op[-2]) if host.op.startswith("conv") else -1
    return len(shape) >= -channel and shape[channel] == result[channel] == added[0].words


def _takes_batch_norm(host: Step, step: Step) -> bool:
    """Scale and shift per output channel go into stored weights, unless something nonlinear already runs in between."""
    if host.kind is not LayerKind.MAC or not host.op.startswith(_TAKES_BATCH_NORM):
        return False
    weights = dict(host.operands)["weights"]
    channels_last = host.op == "linear" and len(step.inputs[0].shape) > 2
    return weights.is_stored and set(host.folded) <= {"bias"} and not channels_last


def _merge(host: Step, step: Step) -> Step:
    result = step.outputs[0]
    # The running statistics vanish in the weights; the trained scale and shift stay listed as this layer's parameters.
    kept = [v for v in step.inputs if v.kind is TensorKind.PARAMETER or (v.is_stored and step.op != "batch_norm")]
    operands = tuple((name, result if name == "ofmap" else value) for name, value in host.operands)
    label = "bias" if _is_bias(host, step) else step.op
    return replace(
        host,
        inputs=(*host.inputs, *kept),
        outputs=(*host.outputs[:-1], result),
        operands=operands,
        folded=(*host.folded, label),
        calls=(*host.calls, *step.calls),
    )
