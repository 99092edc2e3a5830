"""The real Timeloop, where it is on PATH: golden cases again, whole networks, a search."""

from __future__ import annotations

import shutil

import loader
import pytest
import small_cases as small
from click.testing import CliRunner

from energysim.cli import cli
from energysim.cost.model import cost_model
from energysim.energy import estimate
from energysim.engines import native
from energysim.engines.differences import differing
from energysim.engines.registry import get_engine
from energysim.engines.timeloop_run import explain
from energysim.engines.timeloop_run.inputs import model_input
from energysim.engines.timeloop_run.read_back import counts_of
from energysim.engines.timeloop_run.runs import run_model
from energysim.mapping.counts import Convention
from energysim.mapping.search import Objective

pytestmark = [
    pytest.mark.timeloop,
    pytest.mark.skipif(
        any(shutil.which(name) is None for name in ("timeloop-model", "timeloop-mapper")),
        reason="timeloop-model and timeloop-mapper are not on PATH",
    ),
]
TIMELOOP = Convention.TIMELOOP
_GOLDEN = [
    name
    for name, case in sorted(loader.cases().items())
    if case["valid"] and name.startswith(("a_", "b_", "c_", "d_")) and not name.startswith("b_imp_MQ")
]


@pytest.mark.parametrize("name", _GOLDEN[::4])
def test_golden_case(name: str) -> None:
    """Every difference from the native engine has a reason, and where the golden test sees none there is none."""
    case = loader.cases()[name]
    arch, problem = loader.arch(case["arch"]), loader.problem(case)
    mapping = loader.mapping(case, arch)
    asked = model_input(problem, arch, mapping)
    theirs = counts_of(run_model(asked), arch, asked.macs_per_cycle)
    mine = native.evaluate(problem, arch, mapping, TIMELOOP)
    differences = explain.explained(problem, mapping, asked, arch, mine, theirs, TIMELOOP)
    assert all(difference.reason is not None for difference in differences)
    perfect = all(loop.bound == loop.last for loop in mapping.loops)
    assert {difference.reason for difference in differences} <= (
        {explain.EXTRAPOLATED} if perfect else {explain.IMPERFECT}
    )


@pytest.mark.parametrize("arch", ["simple3", "eyeriss", "a2", "jetson_nano"])
@pytest.mark.parametrize("workload", ["lightweight_cnn", "resnet18"])
def test_networks_have_no_undocumented_difference(workload: str, arch: str) -> None:
    result = CliRunner().invoke(cli, ["validate", workload, "--arch", arch, "--time-limit", "5"])
    assert result.exit_code == 0, result.output
    assert "no documented reason" not in result.output


@pytest.mark.parametrize("variant", [("tiled", "8"), ("full", "8")])
def test_variants(variant: tuple[str, str]) -> None:
    name, tile = variant
    words = ["validate", "lightweight_cnn", "--arch", "meta_proto_df", "--variant", name, "--tile", tile]
    result = CliRunner().invoke(cli, [*words, "--time-limit", "2"])
    assert result.exit_code == 0, result.output


def test_mapper_with_time_limit() -> None:
    """Interrupted at its limit it gives the best mapping so far, which has the counts that it states."""
    arch, problem = small.arch(), small.PLAIN[0]
    costs = cost_model(problem, arch, estimate(arch))
    engine = get_engine("timeloop")
    found = engine.search(problem, arch, costs, Objective.parse("edp"), TIMELOOP, 2.0)
    assert not differing(native.evaluate(problem, arch, found.mapping, TIMELOOP), found.counts)
