"""From calls to steps: names resolved, in-place writes made into new values, stored values computed ahead dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import energysim.graph.ops_mac
import energysim.graph.ops_vector
import energysim.graph.ops_view  # noqa: F401  (importing the three registers their operators)
from energysim.graph.ir import Call, Step, Value, replace_values
from energysim.graph.layers import LayerKind, TensorKind
from energysim.graph.ops import steps_of
from energysim.graph.ops_mac import padding_pairs
from energysim.graph.ops_view import ALWAYS_COPIED, CREATORS
from energysim.graph.widths import QUANTIZERS, quantized

_CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d", "convolution"})
_PADS = frozenset({"pad", "constant_pad_nd"})


@dataclass(frozen=True, slots=True)
class Program:
    """Steps in execution order, the values that leave the network, the stored ones whole, and what was assumed."""

    steps: tuple[Step, ...]
    outputs: tuple[Value, ...]
    stored: dict[str, Value]
    notes: tuple[str, ...]


@dataclass
class _State:
    known: dict[str, Value] = field(default_factory=dict)  # name -> the value that now stands for it
    values: dict[str, Value] = field(default_factory=dict)  # every value produced, by its own name
    stored: dict[str, Value] = field(default_factory=dict)  # parameters and constants, by their own name
    pads: dict[str, tuple[Value, tuple[tuple[int, int], ...]]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)


def lower(calls: Iterable[Call], inputs: Sequence[Value], outputs: Sequence[Value]) -> Program:
    """Steps of all calls, without identities, dead code and what depends on stored values alone."""
    state = _State(values={value.name: value for value in inputs})
    steps: list[Step] = []
    for call in calls:
        steps += _lower_call(_resolve(call, state), state)
    results = tuple(state.known.get(value.name, value) for value in outputs)
    return Program(_without_dead(steps, results), results, state.stored, _notes(state))


def _resolve(call: Call, state: _State) -> Call:
    return replace(call, arguments=replace_values(call.arguments, state.known))


def _lower_call(call: Call, state: _State) -> list[Step]:
    if not call.outputs:
        return []
    tensors = call.tensors
    state.stored.update({value.name: value for value in tensors if value.is_stored and not value.storage})
    if call.op in QUANTIZERS:
        state.known[call.outputs[0].name] = quantized(call)
        return []
    fill = call.optional("fill_value")
    made = call.op in CREATORS and (fill is None or fill.is_stored)
    if made or all(value.is_stored for value in tensors):
        _store(call, tensors, state)
        return []
    call = _with_folded_padding(call, state)
    origin: dict[str, Any] = {"module": call.module, "leaf": call.leaf, "target": call.target, "calls": (call,)}
    steps = [replace(step, **origin) for step in steps_of(call)]
    if call.copies or call.op in ALWAYS_COPIED:
        _count(state, "copies", call.outputs[0].words)
    kept: list[Step] = []
    for step in steps:
        if step.op == "identity" and step.kind is LayerKind.VIEW:
            state.known[step.outputs[0].name] = step.inputs[0]
            continue
        if step.kind is LayerKind.VIEW:
            source = step.inputs[0]
            shared = tuple(replace(value, storage=source.root, width=source.width) for value in step.outputs)
            state.known.update({value.name: value for value in shared})
            step = replace(step, outputs=shared)
        state.values.update({value.name: value for value in step.outputs})
        kept.append(step)
    for target, result in zip(call.overwrites, call.outputs, strict=False):
        if target.shape == result.shape:
            kept += _overwrite(target, result, call, state)
    return kept


def _store(call: Call, tensors: tuple[Value, ...], state: _State) -> None:
    """A result known before the network runs: a view of a parameter stays that parameter, others are new constants."""
    trained = any(value.kind is TensorKind.PARAMETER for value in tensors) and call.op not in CREATORS
    kind = TensorKind.PARAMETER if trained else TensorKind.CONSTANT
    steps = () if call.op in CREATORS or not tensors else steps_of(call)
    source = steps[0].inputs[0] if len(steps) == 1 and steps[0].kind is LayerKind.VIEW else None
    if source is None and trained and not call.overwrites:
        _count(state, "ahead", call.outputs[0].words)
    for value in call.outputs:
        if source is not None and steps[0].op == "identity":
            state.known[value.name] = source
        elif source is not None:
            state.known[value.name] = replace(value, kind=source.kind, storage=source.root)
        else:
            name = f"%{call.module}.{value.name[1:]}" if call.module else value.name
            state.known[value.name] = replace(value, name=name, kind=kind)


def _overwrite(target: Value, result: Value, call: Call, state: _State) -> list[Step]:
    """After an in-place call the old name means the result; a view written to also renews the tensor around it."""
    old, result = state.known.get(target.name, target), state.known.get(result.name, result)
    for name in [name for name, value in state.known.items() if value.name == old.name] + [target.name, old.name]:
        state.known[name] = result
    if old.root == old.name or old.root == result.root:
        return []
    base = state.known.get(old.root, state.values.get(old.root))
    if base is None:
        base = replace(old, name=old.root, storage="")
    renewed = replace(base, name=f"{result.name}.whole", kind=TensorKind.ACTIVATION, storage="")
    if not base.is_stored:
        renewed = replace(renewed, storage=base.root)
    for name in [name for name, value in state.known.items() if value.name == base.name] + [base.name, old.root]:
        state.known[name] = renewed
    state.values[renewed.name] = renewed
    _count(state, "partial", result.words)
    parts = (result,) if base.is_stored else (base, result)
    return [Step("slice_scatter", LayerKind.VIEW, parts, (renewed,), module=call.module, target=call.target)]


def _with_folded_padding(call: Call, state: _State) -> Call:
    """Zeros padded around the plane just before a convolution become the convolution's own padding."""
    if call.op in _PADS and call.get("mode", "constant") == "constant" and not call.get("value", 0):
        amounts = tuple(call.arguments["pad"])
        pairs = tuple(zip(amounts[::2], amounts[1::2], strict=True))[::-1]
        if any(amounts) and min(amounts) >= 0:
            state.pads[call.outputs[0].name] = (call.tensors[0], pairs)
    elif call.op in _CONVOLUTIONS and not call.get("transposed", False):
        source, weight = call.value("input"), call.value("weight")
        known = state.pads.get(source.name)
        axes = len(weight.shape) - 2
        # Only the plane's own axes, and an outer axis only if nothing is added to it.
        if known is not None and not any(sum(pair) for pair in known[1][: len(known[1]) - axes]):
            dilation = call.get("dilation", 1)
            holes = (dilation,) * axes if isinstance(dilation, int) else tuple(dilation) * (axes // len(dilation))
            own = padding_pairs(call.get("padding", 0), weight.shape[2:], holes)
            outer = ((0, 0),) * (axes - len(known[1])) + known[1][-axes:]
            both: Any = tuple((a + c, b + d) for (a, b), (c, d) in zip(outer, own, strict=True))
            return replace(call, arguments={**call.arguments, "input": known[0], "padding": both})
    return call


def _without_dead(steps: Sequence[Step], outputs: Sequence[Value]) -> tuple[Step, ...]:
    needed, kept = {value.name for value in outputs}, []
    for step in reversed(steps):
        used = tuple(value for value in step.outputs if value.name in needed)
        if used:
            kept.append(replace(step, outputs=used))
            needed.update(value.name for value in step.inputs)
    return tuple(reversed(kept))


def _count(state: _State, key: str, words: int) -> None:
    state.notes[key] += 1
    state.words[key] += words


def _notes(state: _State) -> tuple[str, ...]:
    texts = {
        "copies": "{n} reshapes that PyTorch carries out as copies ({w:,} words) are counted as free: "
        "a change of layout is a matter of the addresses that a loop nest reads and writes",
        "ahead": "{n} results of parameters alone ({w:,} words) are computed once, ahead of inference",
        "partial": "{n} writes into a part of a tensor ({w:,} words): only the part is written",
    }
    return tuple(text.format(n=state.notes[key], w=state.words[key]) for key, text in texts.items() if state.notes[key])
