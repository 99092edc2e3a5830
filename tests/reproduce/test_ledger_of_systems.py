"""The claims as they are shipped: whole, consistent, each with a command that runs; a quick ledger."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from energysim.cli import cli
from energysim.errors import NotFoundError
from energysim.report.reproduction import ledger_page
from energysim.reproduce.check import Context
from energysim.reproduce.claims import load_claims
from energysim.reproduce.ledger import SYSTEMS, Finding, Ledger, Verdict
from energysim.reproduce.run import reproduce
from energysim.reproduce.simulations import Simulations
from energysim.reproduce.training import Accuracy
from energysim.spec_files import list_specs
from energysim.sweep import Store
from energysim.train.experiment import load_recipe

HAND_CHECKED = (
    "resnet-weight-bytes", "resnet-map-bytes", "resnet-ideal", "lightweight-weight-bytes", "lightweight-map-bytes",
    "lightweight-ideal", "floor", "floor-reduction",
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("store") / "results.db", create=True) as opened:
        yield opened


def check(store: Store, *systems: str, claims: tuple[str, ...] = ()) -> Ledger:
    return reproduce(systems, Context(Simulations(store), quick=True, measured=False), claims)


@pytest.fixture(scope="module")
def ledger(store: Store) -> Ledger:
    return check(store, "S1", "S2")


@pytest.fixture(scope="module")
def findings(ledger: Ledger) -> dict[str, Finding]:
    return {f"{finding.system}/{finding.claim_id}": finding for finding in ledger.findings}


def test_every_claim_is_whole() -> None:
    for system in SYSTEMS:
        claims = load_claims(system).claims
        assert len({claim.id for claim in claims}) == len(claims)
        for claim in claims:
            if isinstance(claim.check, Accuracy):
                models = [claim.check.of, *([claim.check.minus] if claim.check.minus else [])]
                assert all(model.workload in list_specs("workloads") for model in models)
                assert all(load_recipe(model.recipe) for model in models)


def test_hand_checked_facts(store: Store) -> None:
    """Computed by hand, layer by layer, before energysim: 8-bit words, each operand of a layer moved once."""
    found = check(store, "S4", claims=HAND_CHECKED).findings
    assert [finding.verdict for finding in found] == [Verdict.REPRODUCED] * len(HAND_CHECKED)
    assert [finding.computed for finding in found[:2]] == ["11,210,432 B", "1,281,636 B"]
    assert [finding.computed for finding in found[3:5]] == ["257,456 B", "48,356 B"]


def test_counts_are_reproduced_exactly(findings: dict[str, Finding]) -> None:
    for name, value in (
        ("lightweight-parameters", "258,292"),
        ("resnet-parameters", "11,220,132"),
        ("lightweight-macs", "15,753,728"),
        ("resnet-macs", "555,468,800"),
    ):
        assert (findings[f"S1/{name}"].computed, findings[f"S1/{name}"].verdict) == (value, Verdict.REPRODUCED)


def test_a_megabyte_is_a_mebibyte_there(findings: dict[str, Finding]) -> None:
    for name in ("lightweight-size", "resnet-size"):
        assert findings[f"S1/{name}"].verdict is Verdict.ONLY_IF
        assert findings[f"S1/{name}"].conditions == ("MB of 2^20 bytes",)


def test_claims_that_contradict_their_own_table(findings: dict[str, Finding]) -> None:
    gap = findings["S1/accuracy-gap-elsewhere"]
    assert gap.verdict is Verdict.NEEDS_DATA and "is 7.600 points, not as claimed" in gap.reason
    assert "is 7.600 points, as claimed" in findings["S1/accuracy-gap"].reason
    points = findings["S1/lightweight-points-per-mmac"]
    assert (points.verdict, points.computed) == (Verdict.NOT, "4.456")  # 70.2 / 15.753728


def test_energy_is_in_proportion_to_macs_only_by_assumption(findings: dict[str, Finding]) -> None:
    assert findings["S1/energy-ratio"].conditions == ("energy is taken as proportional to MACs",)
    assert "2,520 mJ in the claimed time is 134.8 W" in findings["S1/resnet-energy"].reason  # 0.70 kWh / 10^6, 18.7 ms
    assert findings["S1/lightweight-energy"].verdict is Verdict.NOT


def test_the_dual_networks_parameters_depend_on_its_pooling(findings: dict[str, Finding]) -> None:
    assert findings["S2/dual-parameters"].conditions[0] == "both sub-models, pooling 5x5"
    assert findings["S2/dual-parameters-own"].conditions[0] == "both sub-models, pooling 4x4"
    assert "27,506 parameters" in findings["S2/dual-parameters-own"].computed


def test_recipes_are_those_of_the_write_ups(findings: dict[str, Finding]) -> None:
    assert findings["S1/recipe"].verdict is findings["S2/recipe"].verdict is Verdict.REPRODUCED
    assert findings["S1/normalization"].verdict is Verdict.REPRODUCED


def test_no_accuracy_is_invented(ledger: Ledger) -> None:
    undecided = [finding for finding in ledger.findings if finding.verdict is Verdict.NEEDS_DATA]
    assert len(undecided) == 12
    assert all(finding.computed == "-" and "energysim train" in finding.command for finding in undecided)


def test_every_command_parses(ledger: Ledger) -> None:
    for finding in ledger.findings:
        for line in finding.command.split(" && "):
            words = shlex.split(line)
            assert words[0] == "energysim"
            command = cli.get_command(cli.make_context("energysim", ["--help"], resilient_parsing=True), words[1])
            assert command is not None
            command.make_context(words[1], words[2:])


@pytest.mark.parametrize("name", ["S1/lightweight-macs", "S1/resnet-parameters"])
def test_a_trace_shows_the_figure(name: str, findings: dict[str, Finding]) -> None:
    result = CliRunner().invoke(cli, shlex.split(findings[name].command)[1:])
    assert findings[name].computed in result.output


def test_the_command_line_gives_the_same_finding(findings: dict[str, Finding], tmp_path: Path) -> None:
    finding = findings["S1/lightweight-size"]
    options = ["--json", "-", "--store", str(tmp_path / "results.db")]
    result = CliRunner().invoke(cli, [*shlex.split(finding.command)[1:], *options])
    assert Ledger.from_dict(json.loads(result.output)).findings == (finding,)


def test_the_page_has_every_claim(ledger: Ledger) -> None:
    page = ledger_page(ledger, "energysim reproduce S1 S2")
    assert all(finding.statement in page and finding.command in page for finding in ledger.findings)
    assert page.count("\n| ") == len(ledger.findings) + 2 and "## S3" not in page


def test_a_terminal_shows_it(tmp_path: Path) -> None:
    options = ["--claim", "resnet-macs", "--store", str(tmp_path / "results.db")]
    result = CliRunner().invoke(cli, ["reproduce", "s1", *options])
    assert result.exit_code == 0
    assert "555,468,800" in result.output and "1 claims: 1 reproduced" in result.output


@pytest.mark.parametrize(
    ("words", "told"),
    [(["S5"], "no system 'S5'"), (["S1", "--claim", "resnet-mac"], "did you mean 'resnet-macs'")],
)
def test_unknown_names_are_one_clear_error(words: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=told):
        CliRunner().invoke(cli, ["reproduce", *words, "--store", str(tmp_path / "results.db")], catch_exceptions=False)
    assert not (tmp_path / "results.db").exists()
