"""Proof by execution: a schedule run on real tensors gives the plain network's tensors and moves the words promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from energysim.graph.layers import LayerGraph
from energysim.inputs import InputSpec
from energysim.nn.executor.exact import LARGEST, TAPS, inputs_like, is_exact, whole_numbers
from energysim.nn.executor.program import ExecutableProgram, ExecutionError, prepare
from energysim.nn.executor.run import run_schedule
from energysim.nn.executor.scheduled import Costed, How, promise
from energysim.nn.executor.trace import StackTrace
from energysim.schedule.values import Schedule

TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Largest difference, relative to the largest value of a feature map, where results are rounded: sums of a few thousand
products in another order differ by some hundred units in the last place, layer after layer."""


@dataclass(frozen=True)
class StackCheck:
    """One stack: words and MACs as executed. ``differences`` says where they are not those of the schedule, or not
    those that its layers were costed with."""

    layers: tuple[str, ...]
    mapped: bool
    loaded_words: int
    stored_words: int
    weight_words: int
    macs: int
    peak_words: int
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Verification:
    """``exact_maps`` of ``compared_maps`` feature maps had to be, and were, equal bit for bit unless they are among the
    ``wrong``; the others within ``tolerance``. ``largest_error`` is relative to the largest value of its map."""

    variant: str
    dtype: str
    checks: tuple[StackCheck, ...]
    compared_maps: int
    exact_maps: int
    wrong: tuple[str, ...]
    tolerance: float
    largest_error: float
    outputs_equal: bool

    @property
    def passed(self) -> bool:
        return self.outputs_equal and not self.wrong and not any(check.differences for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "variant": self.variant,
            "dtype": self.dtype,
            "passed": self.passed,
            "outputs_equal": self.outputs_equal,
            "compared_maps": self.compared_maps,
            "exact_maps": self.exact_maps,
            "wrong": list(self.wrong),
            "tolerance": self.tolerance,
            "largest_error": self.largest_error,
            "stacks": [
                {
                    "layers": list(check.layers),
                    "mapped": check.mapped,
                    "loaded_words": check.loaded_words,
                    "stored_words": check.stored_words,
                    "weight_words": check.weight_words,
                    "macs": check.macs,
                    "peak_words": check.peak_words,
                    "differences": list(check.differences),
                }
                for check in self.checks
            ],
        }


def prepare_exactly(model: nn.Module, inputs: Sequence[InputSpec], *, seed: int = 0) -> ExecutableProgram:
    """A float64 copy of the model with whole-number weights and inputs whose sums float64 holds exactly.

    Raises ExecutionError where even one weight per output channel lets values grow too large.
    """
    images = inputs_like(inputs, torch.float64, seed)
    largest = 0.0
    for taps in TAPS:
        program = prepare(whole_numbers(model, taps, seed), images)
        largest = max(float(t.detach().abs().max()) for t in program.values.values() if t.is_floating_point())
        if largest <= LARGEST:
            return program
    raise ExecutionError(f"values grow to {largest:.0g}: float64 cannot hold their sums exactly", hint="use float32")


def verify(
    program: ExecutableProgram,
    schedule: Schedule,
    mapped: Mapping[str, How] | None = None,
    costed: Mapping[str, Costed] | None = None,
) -> Verification:
    """Run ``schedule`` and compare every feature map with the plain network's, and every word with the schedule's.

    ``mapped``: see :func:`run_schedule`. ``costed``: what each layer's cost rests on, compared layer by layer.
    Feature maps on which float64 is exact have to be equal bit for bit; all others within a tolerance.
    Raises ExecutionError where the schedule cannot be run at all.
    """
    done = run_schedule(program, schedule, mapped)
    exact = _exact_edges(program)
    tolerance = TOLERANCES[program.inputs[0].dtype]
    wrong, compared, strict, largest = [], 0, 0, 0.0
    for edge, tensor in done.edges.items():
        plain = program.plain(edge)
        if plain is None:
            continue
        error = _error(tensor, plain)
        compared += 1
        strict += edge in exact
        largest = max(largest, error)
        if error > (0.0 if edge in exact else tolerance):
            wrong.append(edge)
    last = dict(zip(program.graph.outputs, zip(done.outputs, program.expected, strict=True), strict=True))
    equal = all(_error(mine, theirs) <= (0.0 if edge in exact else tolerance) for edge, (mine, theirs) in last.items())
    return Verification(
        variant=schedule.variant,
        dtype=str(program.inputs[0].dtype).removeprefix("torch."),
        checks=tuple(_check(program.graph, schedule, trace, mapped or {}, costed) for trace in done.stacks),
        compared_maps=compared,
        exact_maps=strict,
        wrong=tuple(wrong),
        tolerance=tolerance,
        largest_error=largest,
        outputs_equal=equal,
    )


def _exact_edges(program: ExecutableProgram) -> set[str]:
    """Feature maps whose values, and those of everything before them, float64 holds exactly."""
    if program.inputs[0].dtype != torch.float64:
        return set()
    exact = {edge for edge, tensor in zip(program.graph.inputs, program.inputs, strict=True) if is_exact(tensor)}
    for layer in program.graph.layers:
        if exact.issuperset(layer.inputs):
            for edge in layer.outputs:
                plain = program.plain(edge)
                if plain is not None and is_exact(plain):
                    exact.add(edge)
    return exact


def _error(mine: Tensor, theirs: Tensor) -> float:
    """Largest difference over the largest value; infinite where a value is missing."""
    if torch.equal(mine, theirs):
        return 0.0
    difference = (mine - theirs).abs().max().double() / theirs.abs().max().double().clamp(min=1e-30)
    return float(difference.nan_to_num(nan=torch.inf))


def _check(
    graph: LayerGraph,
    schedule: Schedule,
    trace: StackTrace,
    mapped: Mapping[str, How],
    costed: Mapping[str, Costed] | None,
) -> StackCheck:
    stack = trace.stack
    said = promise(graph, schedule, stack, mapped)
    differences = [
        f"layer {layer}: {what}{of}: {mine[name]:,} executed, {theirs[name]:,} scheduled"
        for what, mine, theirs in (
            ("words loaded", trace.loaded, said.loaded),
            ("words stored", trace.stored, said.stored),
            ("words of weights", trace.weights, said.weights),
            ("MACs", trace.macs, said.macs),
        )
        for name in _unequal(mine, theirs)
        for layer, of in [(name, "") if name in stack.layers else (_mover(graph, stack.layers, name), f" of {name}")]
    ]
    if costed is not None:
        differences += [line for layer in stack.layers for line in _uncosted(trace, layer, costed[layer])]
    if said.room_words is not None and trace.peak_words > said.room_words:
        differences.append(
            f"layers {stack.layers[0]} to {stack.layers[-1]}: words on chip: {trace.peak_words:,} executed, "
            f"room for {said.room_words:,}"
        )
    return StackCheck(
        layers=stack.layers,
        mapped=any(layer in mapped for layer in stack.layers),
        loaded_words=trace.loaded.total(),
        stored_words=trace.stored.total(),
        weight_words=trace.weights.total(),
        macs=trace.macs.total(),
        peak_words=trace.peak_words,
        differences=tuple(differences),
    )


def _unequal(mine: Counter[str], theirs: Counter[str]) -> list[str]:
    return [name for name in dict.fromkeys((*mine, *theirs)) if mine[name] != theirs[name]]


def _mover(graph: LayerGraph, layers: Sequence[str], edge: str) -> str:
    """The layer of a stack that makes a feature map, or first reads it."""
    return next(name for name in layers if edge in (*graph.layer(name).outputs, *graph.layer(name).inputs))


def _uncosted(trace: StackTrace, layer: str, cost: Costed) -> list[str]:
    pairs = (
        ("words of weights", trace.weights[layer], cost.weights),
        ("words loaded", trace.layer_loads[layer], cost.loaded),
        ("words stored", trace.layer_stores[layer], cost.stored),
        ("MACs", trace.macs[layer], cost.macs),
    )
    return [f"layer {layer}: {what}: {mine:,} executed, {its:,} costed" for what, mine, its in pairs if mine != its]
