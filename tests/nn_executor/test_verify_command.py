"""The command: what it prints, its JSON and its exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from energysim.cli import cli
from energysim.cli.verify import verify as command
from energysim.errors import EnergySimError
from energysim.nn.executor import scheduled
from energysim.schedule.plan import plan_stack
from energysim.schedule.values import Stack


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["verify", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_every_variant_of_the_lightweight_cnn() -> None:
    code, text = _run("lightweight_cnn", "--tile", "3x5", "--overlap", "cache", "--buffer", "24KiB")
    assert code == 0
    for variant in ("plain", "layerwise", "tiled", "buffered", "full"):
        (line,) = [line for line in text.splitlines() if f" {variant} " in line]
        assert "equal" in line and "as scheduled" in line


def test_json(tmp_path: Path) -> None:
    target = tmp_path / "proof.json"
    arguments = ("resnet18", "--variant", "full", "--tile", "5", "--buffer", "300KiB", "--json", str(target))
    code, _ = _run(*arguments)
    proof = json.loads(target.read_text())
    (variant,) = proof["variants"]
    assert code == 0 and variant["passed"] and variant["outputs_equal"]
    assert variant["wrong"] == [] and variant["dtype"] == "float64"
    assert variant["exact_maps"] == variant["compared_maps"]
    assert sum(len(stack["layers"]) for stack in variant["stacks"]) == 30
    assert sum(stack["macs"] for stack in variant["stacks"]) > 555_468_800
    assert all(stack["differences"] == [] for stack in variant["stacks"])


def test_mappings_of_layers_that_run_alone(tmp_path: Path) -> None:
    """Eyeriss' weights go from DRAM to each PE's own memory: transfers are shared along its rows."""
    target = tmp_path / "proof.json"
    arguments = ("lightweight_cnn", "--variant", "layerwise", "--arch", "eyeriss", "--input", "1x3x8x8")
    code, _ = _run(*arguments, "--json", str(target))
    (variant,) = json.loads(target.read_text())["variants"]
    assert code == 0 and variant["passed"]
    assert sum(stack["mapped"] for stack in variant["stacks"]) == 6


def test_the_optimal_schedule_is_executed_with_its_mappings() -> None:
    arguments = ("lightweight_cnn", "--arch", "meta_proto_df", "--objective", "dram", "--input", "1x3x8x8")
    code, text = _run(*arguments)
    assert code == 0
    for variant in ("plain", "layerwise", "tiled", "buffered", "full", "optimal"):
        (line,) = [line for line in text.splitlines() if f" {variant} " in line]
        assert "equal" in line and "as scheduled" in line


def test_optimal_needs_a_device() -> None:
    code, text = _run("lightweight_cnn", "--variant", "optimal")
    assert code == 2 and "--arch" in text


@pytest.mark.parametrize(("option", "value"), [("--objective", "dram"), ("--time-limit", "1")])
def test_what_says_how_layers_are_mapped_needs_a_device(option: str, value: str) -> None:
    code, text = _run("lightweight_cnn", option, value)
    assert code == 2 and option in text and "--arch" in text


def test_float32_uses_the_models_own_weights() -> None:
    code, text = _run("lightweight_cnn", "--variant", "tiled", "--dtype", "float32")
    assert code == 0 and "allowed 1e-04" in text


def test_a_difference_is_explained_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(graph: object, stack: Stack) -> object:
        return plan_stack(graph, Stack(stack.layers, None, stack.overlap))  # type: ignore[arg-type]

    monkeypatch.setattr(scheduled, "plan_stack", wrong)
    code, text = _run("lightweight_cnn", "--variant", "tiled", "--tile", "3")
    assert code == 1
    assert "stacks differ" in text
    assert re.search(r"layer features\.0\.0: words loaded of images: [\d,]+ executed, [\d,]+ scheduled", text)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("no_such_network",), "no workload named"),
        (("lightweight_cnn", "--variant", "full", "--buffer", "1 banana"), "banana"),
        (("lightweight_cnn", "--variant", "full", "--buffer", "1.5ch"), "whole number of channels"),
        (("lightweight_cnn", "--variant", "full", "--buffer", "0ch"), "whole number of channels"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[str, ...], word: str) -> None:
    with pytest.raises(EnergySimError) as caught:
        _run(*arguments)
    assert word in str(caught.value)


def test_help_needs_no_torch() -> None:
    assert command.name == "verify"
    code = "import sys; import energysim.cli.verify; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
