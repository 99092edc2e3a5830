"""Access counts and cycles of one mapped problem in closed form, with Timeloop's meanings.

Equations and how each was validated: ``docs/counts.md``.
"""

from __future__ import annotations

from math import ceil

from energysim.arch.spec import ArchSpec, Memory
from energysim.graph.problem import TensorProblem
from energysim.mapping.access import Nest, TensorPlan, distinct_words, tensor_plan, tile_size, traffic
from energysim.mapping.counts import AccessCounts, Convention, Counts
from energysim.mapping.nest import Mapping
from energysim.mapping.validate import temporal_steps, validate, word_bits


def evaluate(
    problem: TensorProblem, arch: ArchSpec, mapping: Mapping, convention: Convention = Convention.EXACT
) -> Counts:
    """Access counts (words, all instances), cycles and instances of a mapping. Deterministic.

    Raises MappingError where the mapping does not fit the problem or the architecture.
    """
    nest = validate(problem, arch, mapping, convention)
    compute = len(arch.nodes) - 1
    accesses: list[AccessCounts] = []
    instances: dict[int, float] = {}
    for tensor in problem.tensors:
        plan = tensor_plan(tensor, problem.dims, convention)
        levels = [index for index, kept in enumerate(mapping.kept) if tensor.name in kept]
        received = 0
        for position, level in enumerate(levels):
            child = levels[position + 1] if position + 1 < len(levels) else compute
            below = traffic(nest, plan, level, child)
            if level not in instances:
                instances[level] = nest.instances(level)
            reads, fills, updates = _accesses(nest, plan, level, position == 0, below.sent, received)
            accesses.append(
                AccessCounts(
                    arch.nodes[level].name,
                    tensor.name,
                    tile_size(nest, plan, level),
                    instances[level],
                    reads,
                    fills,
                    updates,
                )
            )
            received = below.received
    bits = max((tensor.bits for tensor in problem.inputs), default=problem.output.bits)
    compute_cycles = temporal_steps(problem, mapping, nest, convention) / arch.compute.throughput(bits)
    level_cycles = _level_cycles(problem, arch, nest, accesses, compute_cycles, convention)
    return Counts(
        accesses=tuple(accesses),
        macs=problem.macs,
        compute_instances=nest.instances(compute),
        compute_cycles=compute_cycles,
        level_cycles=level_cycles,
        cycles=max([compute_cycles, *[cycles for _, cycles in level_cycles]]),
    )


def _accesses(
    nest: Nest, plan: TensorPlan, level: int, outermost: bool, sent: int, received: int
) -> tuple[int, int, int]:
    """(reads, fills, updates) of a tensor at a level from the words sent below and received from above.

    Results: every word that arrives is an update; it is added to the word kept here, which costs a read except at its
    first touch; a later visit of a tile costs its refill. ("First-read elision" of Timeloop's default model.)
    """
    if not plan.tensor.is_output:
        return sent, 0 if outermost else received, 0
    first_touches = distinct_words(nest, plan, level)
    fills = 0 if outermost else received - first_touches
    # Boxes of a result with holes claim words that no update ever reaches.
    return max(0, sent - first_touches), max(0, fills), sent


def _level_cycles(
    problem: TensorProblem,
    arch: ArchSpec,
    nest: Nest,
    accesses: list[AccessCounts],
    compute_cycles: float,
    convention: Convention,
) -> tuple[tuple[str, float], ...]:
    """Cycles that the bandwidths of each memory allow: the traffic of an instance over its bits per cycle."""
    result: list[tuple[str, float]] = []
    for index, memory in enumerate(arch.nodes):
        if not isinstance(memory, Memory):
            continue
        limits = (memory.read_bandwidth, memory.write_bandwidth, memory.shared_bandwidth)
        if limits == (None, None, None):
            continue
        peak = nest.peak_instances(index)
        read = written = 0.0
        for access in accesses:
            if access.level != memory.name:
                continue
            bits = word_bits(memory, problem.tensor(access.tensor))
            reads, writes = access.reads / peak, (access.fills + access.updates) / peak
            if convention is Convention.TIMELOOP:
                # Timeloop sums demands per cycle; summing in its order gives its rounding too.
                reads, writes = ceil(reads) / compute_cycles, ceil(writes) / compute_cycles
            read += reads * bits
            written += writes * bits
        demands = [
            (demand, limit)
            for demand, limit in zip((read, written, read + written), limits, strict=True)
            if limit is not None and demand
        ]
        if convention is Convention.TIMELOOP:
            slowdown = min([1.0, *[limit / demand for demand, limit in demands]])
            result.append((memory.name, float(ceil(compute_cycles / slowdown))))
        else:
            result.append((memory.name, max([0.0, *[demand / limit for demand, limit in demands]])))
    return tuple(result)
