"""Why Timeloop counts otherwise than the native engine: each reason is tried out, and holds where it closes the gap.

The reasons are written down in ``docs/engines.md``. A reason is given only where the native count *under that
assumption* equals Timeloop's, or where Timeloop with the switch that removes it equals the native count.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from energysim.arch.spec import ArchSpec
from energysim.engines import native
from energysim.engines.differences import Difference, Place, differing, numbers, rounded
from energysim.engines.timeloop_run.inputs import RunInput
from energysim.engines.timeloop_run.read_back import counts_of
from energysim.engines.timeloop_run.runs import EXHAUSTIVE, run_model
from energysim.errors import ProgramError
from energysim.graph.problem import TensorProblem
from energysim.mapping.counts import AccessCounts, Convention, Counts
from energysim.mapping.nest import Mapping

ROUNDED = "rounding: Timeloop prints the average of one instance, and whole cycles of one MAC"
EXTRAPOLATED = "extrapolation: Timeloop walks two iterations of a loop and scales the second"
LINKS = "link transfers: neighbours forward words to one another"
IMPERFECT = "imperfect spatial factors: Timeloop averages over unequal instances, or loses MACs of the last ones"
PADDING = "padding: Timeloop moves padding zeros as words"
BOXES = "bounding boxes: Timeloop stores and moves the holes of strides and dilations"
FULL_BOUNDS = "imperfect cycles: Timeloop counts the cycles of full bounds"
_WALK_LIMIT_S = 60.0


def explained(
    problem: TensorProblem, mapping: Mapping, given: RunInput, arch: ArchSpec, ours: Counts, theirs: Counts,
    convention: Convention,
) -> list[Difference]:  # fmt: skip
    """All differences between native and Timeloop's counts of a mapping, with their reasons.

    ``given``: what Timeloop read. ``ours``: the native counts under ``convention``.
    """
    left = differing(ours, theirs)
    found: dict[Place, Difference] = dict(left)

    def settle(reason: str, places: set[Place]) -> None:
        for place in places & set(left):
            found[place] = replace(found[place], reason=reason)
            del left[place]

    # `exact` cycles are fractions, so they differ by less than one even where a cycle is a cycle.
    cycle = 1.0 / given.macs_per_cycle if convention is Convention.TIMELOOP else 2.0 / given.macs_per_cycle
    settle(ROUNDED, {place for place, item in left.items() if rounded(item, ours, cycle)})
    base = ours
    if left and convention is Convention.EXACT:
        base = native.evaluate(problem, arch, mapping, Convention.TIMELOOP)
        for place in _closed(left, base, theirs, given):
            settle(_convention_reason(problem, place), {place})
    if left:
        reason, walked = _walked(given, arch)
        if walked is not None:
            settle(reason, {place for place in left if _near(place, base, walked, given)})
    if left and any(loop.axis is not None and loop.last != loop.bound for loop in mapping.loops):
        lost = theirs.macs != problem.macs  # then nothing else of the run can be right
        settle(IMPERFECT, {place for place in left if lost or _averaged(place, base, theirs, mapping, arch)})
    return list(found.values())


def _closed(left: dict[Place, Difference], base: Counts, theirs: Counts, given: RunInput) -> set[Place]:
    return {place for place in left if _near(place, base, theirs, given)}


def _near(place: Place, base: Counts, other: Counts, given: RunInput) -> bool:
    mine, theirs = numbers(base).get(place), numbers(other).get(place)
    if mine == theirs:
        return True
    return rounded(Difference(place, mine, theirs), base, 1.0 / given.macs_per_cycle)


def _convention_reason(problem: TensorProblem, place: Place) -> str:
    if place.what == "compute cycles":
        return FULL_BOUNDS
    tensors = [tensor for tensor in problem.tensors if place.tensor in ("", tensor.name)]
    padded = any(_is_padded(problem, tensor.name) for tensor in tensors)
    return PADDING if padded and not any(_has_holes(problem, tensor.name) for tensor in tensors) else BOXES


def _is_padded(problem: TensorProblem, name: str) -> bool:
    """Whether iterations reach coordinates at which there is no word."""
    for rank in problem.tensor(name).ranks:
        last = rank.offset + sum(coefficient * (problem.bounds[dim] - 1) for dim, coefficient in rank.terms)
        if rank.offset < 0 or (rank.extent is not None and last >= rank.extent):
            return True
    return False


def _has_holes(problem: TensorProblem, name: str) -> bool:
    """Whether some coordinate between the first and the last of a rank is reached by no iteration."""
    for rank in problem.tensor(name).ranks:
        reached = {0}
        for dim, coefficient in rank.terms:
            reached = {at + coefficient * step for at in reached for step in range(problem.bounds[dim])}
        if len(reached) <= max(reached):
            return True
    return False


# --- Timeloop's own shortcuts ---------------------------------------------------------------------------------------


def _walked(given: RunInput, arch: ArchSpec) -> tuple[str, Counts | None]:
    """Timeloop's counts with every iteration walked and nothing forwarded; None where that takes too long."""
    reason = LINKS if given.link_transfers else EXTRAPOLATED
    plain = replace(given, link_transfers=False)
    try:
        result = run_model(plain, environment=EXHAUSTIVE, limit_s=_WALK_LIMIT_S)
    except ProgramError:
        return reason, None
    return reason, counts_of(result, arch, given.macs_per_cycle)


def _averaged(place: Place, base: Counts, theirs: Counts, mapping: Mapping, arch: ArchSpec) -> bool:
    """Whether what arrives at a level equals ours if Timeloop divides it by the full fan-out: it multiplies by the
    instances in use, and truncates the distinct words of a result that one instance sees."""
    if place.what not in ("reads", "fills") or not place.tensor:
        return False
    mine, other = base.at(place.level, place.tensor), theirs.at(place.level, place.tensor)
    node = next(index for index, node in enumerate(arch.nodes) if node.name == place.level)
    peak = prod(loop.bound for loop in mapping.loops if loop.axis is not None and loop.node < node)
    if mine is None or other is None or peak == mine.instances or mine.instances != other.instances:
        return False

    def arrived(access: AccessCounts) -> int:
        """Of a result: fills and first touches. Of an operand (no updates): fills."""
        return access.fills + (access.updates - access.reads if access.updates else 0)

    if place.what == "reads" and not mine.updates:
        return False
    return mine.updates == other.updates and abs(arrived(other) / other.instances * peak - arrived(mine)) <= peak
