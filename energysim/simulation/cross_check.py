"""The mappings of one simulation through other engines: every number side by side, every difference with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from energysim.arch.spec import ArchSpec
from energysim.cost.mapped import cost_of_mapping, cost_of_search
from energysim.cost.model import cost_model
from energysim.engines import native
from energysim.engines.differences import ENERGY, Difference, Place, numbers
from energysim.engines.protocol import MappedLayer
from energysim.engines.registry import Check, get_check
from energysim.errors import EnergySimError, MappingError, SpecError
from energysim.graph.layers import LayerGraph
from energysim.graph.problem import Role, TensorProblem
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.nest import Mapping
from energysim.simulation.parallel import in_order
from energysim.simulation.setting import Progress, Setting
from energysim.simulation.variants import Request, run_variants

FOLLOWS = "follows from the counts"
IDLE = "MAC leakage: Timeloop leaves out that of compute units and of instances that are not in use"
_SAME_ENERGY = 1e-6
_PRINTED_PJ = 0.005  # Timeloop prints leakage with two decimals


@dataclass(frozen=True)
class Case:
    """One mapping that a simulation uses, and the layers that use it."""

    layers: tuple[str, ...]
    problem: TensorProblem
    arch: ArchSpec
    mapping: Mapping


@dataclass(frozen=True)
class Comparison:
    """One case in one other engine. ``compared``: how many numbers. ``skipped``: why the engine cannot say anything."""

    case: Case
    engine: str
    compared: int
    differences: tuple[Difference, ...]
    skipped: str | None = None

    @property
    def unexplained(self) -> tuple[Difference, ...]:
        return tuple(difference for difference in self.differences if difference.reason is None)


@dataclass(frozen=True)
class CrossCheck:
    """``comparisons``: of every distinct mapping in every other engine."""

    arch: ArchSpec
    convention: Convention
    comparisons: tuple[Comparison, ...]

    @property
    def unexplained(self) -> int:
        return sum(len(item.unexplained) for item in self.comparisons)


@dataclass(frozen=True, slots=True)
class _Recording(Setting):
    """A setting that notes which mappings are asked for, and for which layers."""

    asked: dict[tuple[TensorProblem, ArchSpec, Mapping], dict[str, None]] = field(default_factory=dict, compare=False)

    def search(
        self, problem: TensorProblem, arch: ArchSpec, name: str, off_chip: tuple[tuple[Role, float], ...] = ()
    ) -> MappedLayer:
        mapped = Setting.search(self, problem, arch, name, off_chip)
        self.asked.setdefault((problem, arch, mapped.mapping), {})[name] = None
        return mapped


def cases_of(
    graph: LayerGraph, setting: Setting, request: Request, progress: Progress | None = None
) -> tuple[Case, ...]:
    """The distinct mappings behind the variants of a request, in the order in which they are first used."""
    recording = _Recording(
        setting.arch,
        setting.energies,
        setting.engine,
        setting.objective,
        setting.convention,
        setting.bits,
        setting.time_limit_s,
    )
    run_variants(graph, recording, request, progress)
    return tuple(
        Case(tuple(names), problem, arch, mapping) for (problem, arch, mapping), names in recording.asked.items()
    )


def cross_check(
    graph: LayerGraph,
    setting: Setting,
    request: Request,
    engines: tuple[str, ...],
    progress: Progress | None = None,
) -> CrossCheck:
    """Evaluates every mapping of a simulation natively and by each of ``engines``.

    The mappings are found by ``setting.engine`` and counted under its convention.

    Raises InfeasibleError where the device cannot run the variant, SpecError where an engine has no words for any of
    its mappings, UnavailableError for an engine that is not installed, ProgramError where one fails.
    """
    checks = {name: get_check(name) for name in engines}
    cases = cases_of(graph, setting, request)
    work = [(case, name) for case in cases for name in engines]

    def compare(item: tuple[Case, str]) -> Comparison:
        case, name = item
        return _compare(case, name, checks[name].run, setting)

    each = in_order(compare, work, max(check.jobs for check in checks.values()))
    found: list[Comparison] = []
    for number, (case, _) in enumerate(work):
        if progress is not None:
            progress(number, len(work), case.layers[0])
        found.append(next(each))
    if progress is not None:
        progress(len(work), len(work), "")
    if all(item.skipped is not None for item in found):
        raise SpecError(f"nothing can be compared: {found[0].skipped}" if found else "no layer has MACs to map")
    return CrossCheck(setting.arch, setting.convention, tuple(found))


def _compare(case: Case, engine: str, run: Callable[..., Check], setting: Setting) -> Comparison:
    problem, arch, mapping, convention = case.problem, case.arch, case.mapping, setting.convention
    ours = native.evaluate(problem, arch, mapping, convention)
    try:
        check = run(problem, arch, mapping, setting.energies)
    except SpecError as error:
        return Comparison(case, engine, 0, (), str(error))
    except EnergySimError as error:
        refused = _too_big(case) if convention is Convention.EXACT else None
        if refused is not None:
            return Comparison(case, engine, 0, (), f"it fits only under the convention exact: {refused}")
        raise type(error)(f"layer {case.layers[0]!r} on {arch.name!r}: {error}") from error
    differences = check.explain(problem, arch, mapping, ours, convention)
    compared = len(numbers(ours))
    if convention is Convention.TIMELOOP and check.measured.energy_pj:
        energies = list(_energies(case, ours, check, setting, differences))
        compared += sum(1 for _ in energies)
        differences = [*differences, *(item for item in energies if item.native != item.other)]
    return Comparison(case, engine, compared, tuple(differences))


def _too_big(case: Case) -> str | None:
    """Why a mapping that fits without padding and holes does not fit with them; None where it does."""
    try:
        native.evaluate(case.problem, case.arch, case.mapping, Convention.TIMELOOP)
    except MappingError as error:
        return str(error)
    return None


def _energies(
    case: Case, ours: Counts, check: Check, setting: Setting, differences: list[Difference]
) -> Iterator[Difference]:
    """Every energy in both engines; equal numbers where they are the same but for the last digits."""
    theirs = check.measured.energy_pj
    reasons = {(item.place.level, item.place.tensor): item.reason for item in differences}
    energies, costs = setting.energies, cost_model(case.problem, case.arch, setting.energies)
    mine = cost_of_search(case.problem, case.arch, ours, costs, Convention.TIMELOOP)
    dynamic = {Place(item.access.level, item.access.tensor, ENERGY): item.energy_pj for item in mine.accesses}
    dynamic[Place("", "", ENERGY)] = mine.compute_pj
    for place, energy_pj in dynamic.items():
        here = (place.level, place.tensor)
        yield _energy(place, energy_pj, theirs.get(place), FOLLOWS if reasons.get(here) else None)
    leaks = {place: pj for place, pj in theirs.items() if place not in dynamic}
    if not leaks or mine.leakage_pj == 0:
        return
    cycles = check.measured.counts.cycles
    in_use = cost_of_mapping(case.problem, case.arch, case.mapping, replace(ours, cycles=cycles), energies).leakage_pj
    printed = sum(leaks.values())
    slack = _PRINTED_PJ * len(leaks) + _SAME_ENERGY * in_use
    explained = abs(in_use - printed) <= slack
    if explained and abs(mine.leakage_pj - in_use) <= slack:
        printed = mine.leakage_pj
    yield Difference(Place("", "", "leakage (pJ)"), mine.leakage_pj, printed, IDLE if explained else None)


def _energy(place: Place, mine: float, theirs: float | None, reason: str | None) -> Difference:
    if theirs is not None and abs(mine - theirs) <= _SAME_ENERGY * abs(mine):
        theirs = mine
    return replace(Difference(place, mine, theirs), reason=reason)
