"""What the real Timeloop answered, read back and compared with the native engine; every reason for a difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import loader
import pytest
import small_cases as small

from energysim.arch.spec import ArchSpec
from energysim.cost.model import cost_model
from energysim.energy import estimate
from energysim.engines import native
from energysim.engines.differences import Difference, differing
from energysim.engines.registry import get_engine
from energysim.engines.timeloop_run import explain
from energysim.engines.timeloop_run.inputs import model_input
from energysim.engines.timeloop_run.read_back import counts_of
from energysim.engines.timeloop_run.runs import run_model
from energysim.engines.timeloop_run.version import question
from energysim.graph.problem import TensorProblem
from energysim.mapping.counts import Convention
from energysim.mapping.nest import Mapping
from energysim.mapping.search import Objective
from energysim.mapping.validate import validate

TIMELOOP, EXACT = Convention.TIMELOOP, Convention.EXACT
_Case = tuple[TensorProblem, Mapping]


def _differences(
    case: _Case, convention: Convention = TIMELOOP, given: ArchSpec | None = None, ours: ArchSpec | None = None
) -> list[Difference]:
    problem, mapping = case
    given, ours = given or small.arch(), ours or small.arch()
    asked = model_input(problem, given, mapping)
    theirs = counts_of(run_model(asked), given, asked.macs_per_cycle)
    mine = native.evaluate(problem, ours, mapping, convention)
    return explain.explained(problem, mapping, asked, ours, mine, theirs, convention)


def _reasons(differences: list[Difference]) -> set[str | None]:
    return {difference.reason for difference in differences}


def test_question_of_known_answer(timeloop: Path) -> None:
    engine = get_engine("timeloop")
    problem, arch, mapping = question()
    theirs, mine = engine.evaluate(problem, arch, mapping, TIMELOOP), native.evaluate(problem, arch, mapping, TIMELOOP)
    assert not differing(mine, theirs)


@pytest.mark.parametrize("name", ["d_rs_a", "b_spatial_R3xP8"])
def test_golden_counts_and_energies(timeloop: Path, name: str) -> None:
    """Through our input and our reader come the numbers that the golden set measured with its own input and reader."""
    case = loader.cases()[name]
    arch, numbers = loader.arch(case["arch"]), loader.arch_numbers()[case["arch"]]
    actions = {level["name"]: level["pj"] for level in numbers if level.get("pj")}
    result = run_model(model_input(loader.problem(case), arch, loader.mapping(case, arch), actions))
    assert result.computes == case["compute"]["computes"]
    assert result.cycles == case["cycles"]
    assert result.compute_energy_pj == pytest.approx(case["compute"]["energy_total_pJ"], rel=1e-6)
    assert not result.link_transfers
    for name, golden in case["levels"].items():
        level = result.level(name)
        assert level is not None
        assert level.cycles == golden["cycles"]
        assert {space.name for space in level.spaces} == set(golden["data"])
        for tensor, (tile, instances, reads, fills, updates, energy_pj, _) in golden["data"].items():
            space = level.space(tensor)
            assert space is not None
            found = (space.tile_words, space.instances, space.reads, space.fills, space.updates)
            assert found == (tile, instances, reads, fills, updates)
            assert space.energy_pj == pytest.approx(energy_pj, rel=1e-6)


@pytest.mark.parametrize("case", [small.PLAIN, small.BOTH_AXES, small.PADDED, small.STRIDED])
def test_nothing_differs(timeloop: Path, case: _Case) -> None:
    assert _differences(case) == []


def test_double_rate_units(timeloop: Path) -> None:
    """Two MACs per cycle: Timeloop counts in cycles of one MAC, so odd ones are rounded up by half of ours."""
    problem, mapping = small.PLAIN
    slow, fast = small.arch(), small.arch(rate=2.0)
    asked = model_input(problem, fast, mapping)
    counts = counts_of(run_model(asked), fast, asked.macs_per_cycle)
    assert counts.compute_cycles == native.evaluate(problem, slow, mapping, TIMELOOP).compute_cycles / 2
    assert _reasons(_differences(small.PLAIN, given=fast, ours=fast)) <= {explain.ROUNDED}


@pytest.mark.parametrize(
    ("case", "convention", "links", "reason", "places"),
    [
        (
            small.WRAPS,
            TIMELOOP,
            False,
            explain.EXTRAPOLATED,
            {("DRAM", "ifmap", "reads"), ("BUF", "ifmap", "fills")},
        ),
        (
            small.NEIGHBOURS,
            TIMELOOP,
            True,
            explain.LINKS,
            {("BUF", "ifmap", "reads"), ("RF", "ifmap", "reads")},
        ),
        (small.PADDED, EXACT, False, explain.PADDING, {("DRAM", "ifmap", "reads"), ("RF", "ifmap", "fills")}),
        (small.STRIDED, EXACT, False, explain.BOXES, {("DRAM", "ifmap", "reads"), ("BUF", "ifmap", "tile_words")}),
        (small.UNEVEN, TIMELOOP, False, explain.IMPERFECT, {("RF", "weights", "fills"), ("", "", "MACs")}),
    ],
)
def test_reason(
    timeloop: Path, case: _Case, convention: Convention, links: bool, reason: str, places: set[tuple[str, str, str]]
) -> None:
    """Each documented reason is found where it applies, and nothing stays without one."""
    differences = _differences(case, convention, small.arch(links=links))
    found = {tuple(difference.place) for difference in differences if difference.reason == reason}
    assert places <= found
    assert _reasons(differences) <= {reason, explain.ROUNDED}


@pytest.mark.parametrize("name", ["b_imp_P4sp", "b_imp_C3", "a_halo_R_s2d2"])
def test_reasons_of_golden_cases(timeloop: Path, name: str) -> None:
    case = loader.cases()[name]
    arch = loader.arch(case["arch"])
    differences = _differences((loader.problem(case), loader.mapping(case, arch)), given=arch, ours=arch)
    assert _reasons(differences) == {explain.EXTRAPOLATED if name.startswith("a_") else explain.IMPERFECT}


def test_tampered_run_has_no_reason(timeloop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that nothing explains are not explained away, whatever the case."""
    monkeypatch.setenv("FAKE_TIMELOOP", "more")
    for case in (small.PLAIN, small.BOTH_AXES, small.WRAPS):
        unexplained = [difference for difference in _differences(case) if difference.reason is None]
        assert {difference.place.what for difference in unexplained} == {"reads"}


def test_search_by_the_mapper(timeloop: Path) -> None:
    """The mapper's mapping is read back as what it printed: natively it has the counts that the mapper states."""
    engine, arch = get_engine("timeloop"), small.arch()
    problem = small.PLAIN[0]
    costs = cost_model(problem, arch, estimate(arch))
    found = engine.search(problem, arch, costs, Objective.parse("energy"), TIMELOOP)
    validate(problem, arch, found.mapping, TIMELOOP)
    assert not differing(native.evaluate(problem, arch, found.mapping, TIMELOOP), found.counts)
    assert not found.optimal
    best = get_engine("native").search(problem, arch, costs, Objective.parse("energy"), TIMELOOP)
    mine, theirs = (costs.energy_pj(problem, arch, item.counts, TIMELOOP) for item in (best, found))
    assert mine <= theirs
    assert theirs * (1 - found.gap) <= mine * (1 + 1e-9)


def test_asked_once(timeloop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same question from several threads is one run."""
    from concurrent.futures import ThreadPoolExecutor

    from energysim.engines.timeloop_run import engine as module

    engine, arch, problem = get_engine("timeloop"), small.arch(), small.PLAIN[0]
    costs = cost_model(problem, arch, estimate(arch))
    runs: list[Any] = []
    real = module.run_mapper
    monkeypatch.setattr(module, "run_mapper", lambda *args, **kwargs: runs.append(1) or real(*args, **kwargs))
    with ThreadPoolExecutor(4) as pool:
        ask = lambda _: engine.search(problem, arch, costs, Objective.parse("energy"), TIMELOOP)  # noqa: E731
        answers = list(pool.map(ask, range(4)))
    assert len(runs) == 1
    assert all(answer is answers[0] for answer in answers)
