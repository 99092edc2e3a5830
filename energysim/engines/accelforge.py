"""The engine `accelforge`: one given mapping evaluated by AccelForge, for cross-checks. An extra, imported when asked.

Its mapping is a list of loops with a storage node per tensor and memory among them; a storage node is filled anew in
every iteration of the loops above it. So that a tile which a loop does not change stays, as in Timeloop, its node
stands above the innermost loops that do not move the tensor. Actions are counted in bits.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from energysim.arch.spec import ArchSpec, Array, Memory
from energysim.energy import ActionEnergies
from energysim.engines.differences import Difference, Measured, Place, numbers
from energysim.engines.protocol import MappedLayer
from energysim.errors import ProgramError, SpecError, UnavailableError
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import AccessCounts, Convention, Counts
from energysim.mapping.nest import Loop, Mapping
from energysim.mapping.search import Objective
from energysim.yaml_text import Tagged, dump

DRAINED = "drained reads: AccelForge charges the read of every result that leaves a memory"
WINDOWS = "sliding windows: AccelForge fetches whole windows, also what the last step or a neighbour had of them"
STAYS = "nest order: AccelForge has no place for a tile that stays while a loop of a memory further out turns"
_HINT = "pip install energysim-edge[accelforge] (Python 3.12; it brings libraries of its own, so an environment apart)"
_LAYER = "layer"
_BIT = 1


class AccelforgeEngine:
    """`evaluate` only, in the convention `timeloop`. Raises UnavailableError when made where it is not installed.

    AccelForge does not tell refills from updates: all writes of a result are `updates`. Bandwidths are not compared.
    """

    name = "accelforge"
    convention = Convention.TIMELOOP
    jobs = 1

    def __init__(self) -> None:
        _package()

    def evaluate(self, problem: TensorProblem, arch: ArchSpec, mapping: Mapping, convention: Convention) -> Counts:
        """Raises SpecError for what AccelForge has no words for, ProgramError where it refuses the mapping."""
        if convention is not Convention.TIMELOOP:
            raise UnavailableError("AccelForge knows no padding", hint="--convention timeloop")
        return _counts(_evaluated(problem, arch, mapping), problem, arch, mapping)

    def search(
        self,
        problem: TensorProblem,
        arch: ArchSpec,
        costs: CostModel,
        objective: Objective,
        convention: Convention,
        time_limit_s: float | None = None,
    ) -> MappedLayer:
        raise UnavailableError(
            "the engine 'accelforge' evaluates given mappings only",
            hint="energysim validate --engines native,accelforge",
        )


def _package() -> Any:
    try:
        return importlib.import_module("accelforge")
    except ImportError as error:
        raise UnavailableError(f"the engine 'accelforge' needs {error.name or 'accelforge'}", hint=_HINT) from None


# --- input ----------------------------------------------------------------------------------------------------------


def accelforge_input(problem: TensorProblem, arch: ArchSpec, mapping: Mapping) -> str:
    """Architecture, workload and mapping in AccelForge's YAML.

    Raises SpecError for imperfect factors and arrays that neither multicast nor reduce.
    """
    for loop in mapping.loops:
        if loop.last != loop.bound:
            raise SpecError(f"AccelForge is asked about perfect factors only: {loop.dim} has {loop.bound}, {loop.last}")
    return dump(
        {
            "arch": {"nodes": _nodes(arch, mapping)},
            "workload": _workload(problem),
            "mapping": {"nodes": _nest(problem, arch, mapping)},
        }
    )


def _nodes(arch: ArchSpec, mapping: Mapping) -> list[Tagged]:
    found: list[Tagged] = []
    free: dict[str, object] = {"leak_power": 0, "area": 0}
    for node, kept in zip(arch.nodes, mapping.kept, strict=True):
        if isinstance(node, Memory):
            if not kept:
                continue
            actions = [{"name": name, "energy": 1, "throughput": "inf"} for name in ("read", "write")]
            tensors = {"keep": " | ".join(sorted(kept))}
            found.append(
                Tagged("!Memory", {"name": node.name, "size": "inf", **free, "tensors": tensors, "actions": actions})
            )
        elif isinstance(node, Array):
            if not (node.multicast and node.reduction):
                raise SpecError(f"{node.name} neither multicasts nor reduces: AccelForge is not asked about that")
            axes = [{"name": axis, "fanout": size} for axis, size in (("X", node.x), ("Y", node.y))]
            found.append(Tagged("!Container", {"name": node.name, "spatial": axes}))
        else:
            compute = [{"name": "compute", "energy": 1, "throughput": 1}]
            found.append(Tagged("!Compute", {"name": node.name, **free, "actions": compute}))
    return found


def _workload(problem: TensorProblem) -> dict[str, object]:
    shape = {dim.lower(): f"0 <= {dim.lower()} < {bound}" for dim, bound in problem.dims}
    accesses: list[dict[str, object]] = []
    for tensor in problem.tensors:
        ranks = {}
        for index, rank in enumerate(tensor.ranks):
            terms = [dim.lower() if factor == 1 else f"{factor} * {dim.lower()}" for dim, factor in rank.terms]
            ranks[f"{tensor.name.upper()}{index}"] = " + ".join(terms)
        access: dict[str, object] = {"name": tensor.name, "projection": ranks}
        accesses.append(access | ({"output": True} if tensor.is_output else {}))
    einsum = {"name": _LAYER, "tensor_accesses": accesses}
    # Words of one bit: the actions are then counted in words.
    return {"iteration_space_shape": shape, "bits_per_value": {"All": _BIT}, "einsums": [einsum]}


def _nest(problem: TensorProblem, arch: ArchSpec, mapping: Mapping) -> list[Tagged]:
    """Loops and storage nodes. The spatial loops below a memory come before its temporal ones, so that a node of the
    memory below can stand above those of them that do not move its tensor."""
    left = dict(problem.bounds)
    found: list[Tagged] = []
    run: list[Loop] = []  # temporal loops since the last array or memory, outermost first

    def emit(loop: Loop) -> None:
        left[loop.dim] //= loop.bound
        body: dict[str, object] = {"rank_variable": loop.dim.lower(), "tile_shape": left[loop.dim]}
        if loop.axis is None:
            found.append(Tagged("!Temporal", body))
        else:
            found.append(
                Tagged("!Spatial", body | {"name": loop.axis.upper(), "component": arch.nodes[loop.node].name})
            )

    def flush(index: int) -> None:
        """The waiting temporal loops, and the tensors of memory ``index`` among them."""
        places: dict[int, list[str]] = {}
        for tensor in problem.tensors:
            if tensor.name in mapping.kept[index]:
                at = len(run)
                while at and run[at - 1].dim not in tensor.dims:
                    at -= 1
                places.setdefault(at, []).append(tensor.name)
        for at in range(len(run) + 1):
            if at in places:
                found.append(Tagged("!Storage", {"tensors": places[at], "component": arch.nodes[index].name}))
            if at < len(run):
                emit(run[at])
        run.clear()

    for index, node in enumerate(arch.nodes):
        here = [loop for loop in mapping.loops if loop.node == index]
        if isinstance(node, Array):
            for loop in here:
                emit(loop)
        elif isinstance(node, Memory):
            flush(index)
            run.extend(here)
        else:
            for loop in run:
                emit(loop)
            found.append(Tagged("!Compute", {"einsum": _LAYER, "component": node.name}))
    return found


# --- output ---------------------------------------------------------------------------------------------------------


def _evaluated(problem: TensorProblem, arch: ArchSpec, mapping: Mapping) -> Dict[str, float]:
    """AccelForge's numbers by their names, as in ``layer<SEP>action<SEP>RF<SEP>weights<SEP>read``."""
    package, text = _package(), accelforge_input(problem, arch, mapping)
    with tempfile.TemporaryDirectory(prefix="energysim-accelforge-") as name:
        path = Path(name) / "input.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            result = package.Spec.from_yaml(str(path)).evaluate_mapping().to_dict()
        except Exception as error:  # it raises whatever its parts raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise ProgramError(f"AccelForge refuses the mapping: {reason[:300]}") from error
    return {key: value for key, value in result.items() if "<SEP>action<SEP>" in key or "<SEP>latency<SEP>" in key}


def _counts(found: Dict[str, float], problem: TensorProblem, arch: ArchSpec, mapping: Mapping) -> Counts:
    def number(*words: str) -> int:
        key = "<SEP>".join((_LAYER, *words))
        if key not in found:
            raise ProgramError(f"AccelForge's result has no {key!r}")
        return round(float(found[key]))

    accesses: list[AccessCounts] = []
    for index, node in enumerate(arch.nodes):
        instances = prod(loop.bound for loop in mapping.loops if loop.axis is not None and loop.node < index)
        for tensor in problem.tensors:
            if tensor.name in mapping.kept[index]:
                read, write = (number("action", node.name, tensor.name, action) for action in ("read", "write"))
                fills, updates = (0, write) if tensor.is_output else (write, 0)
                accesses.append(AccessCounts(node.name, tensor.name, 0, float(instances), read, fills, updates))
    compute = arch.compute.name
    cycles = float(number("latency", compute))
    units = float(prod(loop.bound for loop in mapping.loops if loop.axis is not None))
    return Counts(tuple(accesses), number("action", compute, "None", "compute"), units, cycles, (), cycles)


# --- comparison -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AccelforgeCheck:
    """Reads, writes and MACs beside the native ones."""

    measured: Measured

    def explain(
        self, problem: TensorProblem, arch: ArchSpec, mapping: Mapping, ours: Counts, convention: Convention
    ) -> list[Difference]:
        """Differences of reads, writes (fills and updates together), MACs and compute cycles, with their reasons."""
        found: list[Difference] = []
        for mine in ours.accesses:
            other = self.measured.counts.at(mine.level, mine.tensor)
            assert other is not None
            pairs = (
                ("reads", mine.reads, other.reads),
                ("writes", mine.fills + mine.updates, other.fills + other.updates),
            )
            for what, native, theirs in pairs:
                if native != theirs:
                    reason = _reason(problem, arch, mapping, mine, what, theirs)
                    found.append(Difference(Place(mine.level, mine.tensor, what), native, theirs, reason))
        before, after = numbers(ours), numbers(self.measured.counts)
        for place in (Place("", "", "MACs"), Place("", "", "compute cycles")):
            if before[place] != after[place]:
                found.append(Difference(place, before[place], after[place]))
        return found


def check(problem: TensorProblem, arch: ArchSpec, mapping: Mapping, energies: ActionEnergies) -> AccelforgeCheck:
    """Counts only: AccelForge is given no energies."""
    found = _evaluated(problem, arch, mapping)
    return AccelforgeCheck(Measured(_counts(found, problem, arch, mapping), {}))


def _reason(
    problem: TensorProblem, arch: ArchSpec, mapping: Mapping, mine: AccessCounts, what: str, theirs: float
) -> str | None:
    level = next(index for index, node in enumerate(arch.nodes) if node.name == mine.level)
    tensor = problem.tensor(mine.tensor)
    if what == "reads" and tensor.is_output and theirs == mine.fills + mine.updates:
        return DRAINED
    reads, writes = _expected(problem, arch, mapping, mine, level)
    if theirs != (reads if what == "reads" else writes):
        return None
    return WINDOWS if any(len(rank.terms) > 1 for rank in tensor.ranks) else STAYS


def _expected(
    problem: TensorProblem, arch: ArchSpec, mapping: Mapping, mine: AccessCounts, level: int
) -> tuple[int, int]:
    """(reads, writes) of a tensor at a memory if every tile is fetched whole, and again wherever AccelForge's nest has
    no place for a node that stays."""
    name, outer = mine.tensor, [index for index, kept in enumerate(mapping.kept) if mine.tensor in kept]
    inner = next((index for index in outer if index > level), None)
    arrived = 0 if level == outer[0] else _fetched(problem, arch, mapping, name, level)[0]
    sent = None if inner is None else _fetched(problem, arch, mapping, name, inner)[1]
    if not problem.tensor(name).is_output:
        return _served(problem, mapping, name, level) if sent is None else sent, arrived
    distinct = mine.updates - mine.reads
    updates = mine.updates if sent is None else sent
    if level == outer[0]:
        return updates - distinct, updates
    writes = updates + arrived - distinct
    return writes, writes  # everything that is written is read once: to be added to, or on its way up


def _served(problem: TensorProblem, mapping: Mapping, name: str, node: int) -> int:
    """Words of an operand that the compute units take from a memory: one per MAC, shared along loops of no effect."""
    dims = problem.tensor(name).dims
    spatial = [loop for loop in mapping.loops if loop.axis is not None and loop.node > node]
    return problem.macs // prod(loop.bound for loop in spatial if loop.dim not in dims)


def _fetched(problem: TensorProblem, arch: ArchSpec, mapping: Mapping, name: str, node: int) -> tuple[int, int]:
    """(words that all instances of a node exchange with the memory above, words that this memory sees of them)."""
    dims = problem.tensor(name).dims
    parent = max(index for index in range(node) if name in mapping.kept[index])
    before = max(index for index in range(node) if isinstance(arch.nodes[index], Memory))
    inside = dict(problem.bounds)
    above = [loop for loop in mapping.loops if loop.node < node]
    for loop in above:
        inside[loop.dim] //= loop.bound
    ranks = problem.tensor(name).ranks
    tile = prod(1 + sum(factor * (inside[dim] - 1) for dim, factor in rank.terms) for rank in ranks)
    temporal = [loop for loop in above if loop.axis is None]
    while temporal and temporal[-1].node == before and temporal[-1].dim not in dims:
        temporal.pop()
    spatial = [loop for loop in above if loop.axis is not None]
    shared = prod(loop.bound for loop in spatial if loop.node > parent and loop.dim not in dims)
    received = tile * prod(loop.bound for loop in (*temporal, *spatial))
    return received, received // shared
