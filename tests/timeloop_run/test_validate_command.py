"""`energysim validate` and `--engine timeloop` on the command line, with recorded runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import small_cases as small
from click.testing import CliRunner, Result

from energysim.arch.spec import ArchSpec, Memory
from energysim.cli import cli
from energysim.engines.protocol import MappedLayer
from energysim.engines.registry import NativeEngine
from energysim.errors import EnergySimError
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import Convention
from energysim.mapping.evaluate import evaluate
from energysim.mapping.nest import Loop, Mapping
from energysim.mapping.search import Objective

_MODEL = """
import torch

def build():
    return torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3, padding=1, bias=False), torch.nn.Conv2d(4, 4, 1, bias=False))
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A workload of two convolutions whose native mappings are fixed: recorded runs are of these."""
    path = tmp_path / "two.py"
    path.write_text(_MODEL)
    monkeypatch.setattr(NativeEngine, "search", _fixed_search)
    return f"{path}:build"


def _fixed_search(
    self: NativeEngine,
    problem: TensorProblem,
    arch: ArchSpec,
    costs: CostModel,
    objective: Objective,
    convention: Convention,
    time_limit_s: float | None = None,
) -> MappedLayer:
    """K over the array, everything else a loop at the buffer in the problem's order."""
    loops = [Loop(dim, bound, 1, bound) for dim, bound in problem.dims if bound > 1 and dim != "K"]
    loops.append(Loop("K", problem.bounds["K"], 2, problem.bounds["K"], "x"))
    mapping = Mapping(tuple(loops), tuple(small.ALL if isinstance(node, Memory) else small.NONE for node in arch.nodes))
    return MappedLayer(mapping, evaluate(problem, arch, mapping, convention), True, 0.0, 1)


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def _validate(model: str, *words: str) -> Result:
    return _run("validate", model, "--input", "1x2x6x6", "--arch", "a2", *words)


def test_all_equal(timeloop: Path, model: str) -> None:
    result = _validate(model)
    assert result.exit_code == 0, result.output
    # Per layer: 2 memories x 3 tensors x 5 numbers, the cycles of 2 ports, 4 of the run, and 6 + 1 energies.
    assert "timeloop: 2 of 2 mappings, 86 of 86 numbers equal" in result.output


def test_documented_differences(timeloop: Path, model: str, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    result = _validate(model, "--convention", "exact", "--json", str(path))
    assert result.exit_code == 0, result.output
    assert "padding: Timeloop moves padding zeros as words" in result.output
    data = json.loads(path.read_text())
    padded, unpadded = data["comparisons"]
    assert data["unexplained"] == 0
    assert unpadded["differences"] == []
    words = {
        (d["level"], d["count"]): (d["native"], d["other"]) for d in padded["differences"] if d["tensor"] == "ifmap"
    }
    assert words["DRAM", "reads"] == (2 * 6 * 6, 2 * 8 * 8)
    assert {d["reason"].split(":")[0] for d in padded["differences"]} <= {"padding", "rounding"}


def test_undocumented_difference(timeloop: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, and the table says so; the run's own energies then differ too."""
    _validate(model)  # the version is checked before the numbers are tampered with
    monkeypatch.setenv("FAKE_TIMELOOP", "more")
    result = _validate(model, "--engines", "timeloop,native")
    assert result.exit_code == 1, result.output
    assert "no documented reason" in result.output


def test_model_fails(timeloop: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the layer."""
    _validate(model)
    monkeypatch.setenv("FAKE_TIMELOOP", "crash")
    result = _validate(model)
    assert isinstance(result.exception, EnergySimError)
    assert str(result.exception).startswith(
        "layer '0' on 'a2': timeloop-model failed (1): ERROR: couldn't map level GLB"
    )


@pytest.mark.parametrize(
    ("engines", "message"),
    [
        ("native", "native and at least one other engine are compared"),
        ("timeloop", "native and at least one other engine are compared"),
        ("native,timelop", "unknown engine 'timelop' (did you mean 'timeloop'?)"),
    ],
)
def test_bad_engines(engines: str, message: str) -> None:
    result = _run("validate", "lightweight_cnn", "--arch", "a2", "--engines", engines)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_no_words_for_the_device(timeloop: Path) -> None:
    result = _run("validate", "lightweight_cnn", "--arch", "ethos_u55", "--time-limit", "0")
    assert isinstance(result.exception, EnergySimError)
    assert "nothing can be compared: ethos_u55 cannot be written for Timeloop" in str(result.exception)


def test_simulate(timeloop: Path, model: str) -> None:
    """A whole simulation by the recorded mapper; its default convention is Timeloop's."""
    result = _run("simulate", model, "--input", "1x2x6x6", "-a", "a2", "--engine", "timeloop", "--json", "-")
    assert result.exit_code == 0, result.output
    data = json.loads(result.output)
    assert (data["engine"], data["convention"]) == ("timeloop", "timeloop")
    first, second = data["variants"][0]["layers"]
    assert not first["optimal"]
    assert first["macs"] == 4 * 2 * 9 * 36
    reads = {(row["level"], row["tensor"]): row["reads"] for row in second["levels"]}
    assert reads["DRAM", "ifmap"] >= 4 * 6 * 6


def test_mapper_finds_nothing_for_a_layer(timeloop: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_TIMELOOP", "nothing")
    monkeypatch.setenv("FAKE_TIMELOOP_FOR", "timeloop-mapper")
    result = _run("simulate", model, "--input", "1x2x6x6", "-a", "a2", "--engine", "timeloop")
    assert isinstance(result.exception, EnergySimError)
    assert "layer '0' cannot be mapped onto 'a2': timeloop-mapper found no valid mapping" in str(result.exception)


def test_map(timeloop: Path, model: str) -> None:
    words = ("map", model, "--input", "1x2x6x6", "--layer", "1", "-a", "a2", "--engine", "timeloop", "--json", "-")
    data = json.loads(_run(*words).output)
    assert data["convention"] == "timeloop"
    assert data["bound"] <= data["value"]
    assert not data["optimal"]
    result = _run(*words[:-2], "--imperfect")
    assert result.exit_code == 2
    assert "--imperfect belongs to the native engine" in result.output
