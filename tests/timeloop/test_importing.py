"""Timeloop's files become files of energysim that every command takes; what cannot is named with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from energysim.arch.loader import load_arch
from energysim.arch.spec import Array
from energysim.cli import cli
from energysim.engines.timeloop.importing import import_arch, import_problems
from energysim.errors import EnergySimError, SpecError
from energysim.graph.problem import Role
from energysim.workload import resolve_workload

FILES = Path(__file__).parent / "files"
DRAM = "  - !Component {name: Far, class: DRAM, attributes: {width: 64, datawidth: 8, global_cycle_seconds: 1e-9}}\n"
UNIT = "  - !Component {name: Unit, class: intmac, attributes: {datawidth: 8}}\n"


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=True)


def _paths(*stems: str) -> list[Path]:
    return [FILES / f"{stem}.yaml" for stem in stems]


def test_nodes_and_tree_become_the_same_device(tmp_path: Path) -> None:
    for spelling in ("nodes", "tree"):
        done = _run("arch", "import", *_paths(f"rowstationary_{spelling}", "rowstationary_ert", "conv_problem"),
                    "-o", tmp_path / f"{spelling}.yaml", "--name", "mine")  # fmt: skip
        assert done.exit_code == 0, done.output
        assert "the dimension M is called K here" in done.stderr
    nodes, tree = (load_arch(tmp_path / f"{spelling}.yaml") for spelling in ("nodes", "tree"))
    strip = [(m.name, m.kind, m.keep, m.capacity_bits, m.read_bandwidth, m.constraints.fixed) for m in nodes.memories]
    assert strip == [
        (m.name, m.kind, m.keep, m.capacity_bits, m.read_bandwidth, m.constraints.fixed) for m in tree.memories
    ]
    assert nodes.name == "mine"
    weights = next(memory for memory in nodes.memories if memory.name == "WeightPad")
    assert weights.keep == {"weights"}
    assert weights.read_energy is not None and weights.read_energy.pj.value == 3.81421
    assert ("K", 1) in weights.constraints.fixed and not any(dim == "M" for dim, _ in weights.constraints.fixed)


def test_the_device_takes_the_rest_of_the_tool(tmp_path: Path) -> None:
    """simulate, map and trace by path, on a device and layers that were imported."""
    device, layers = tmp_path / "device.yaml", tmp_path / "layers.yaml"
    assert _run("arch", "import", *_paths("grid_tree", "grid_ert"), "-o", device).exit_code == 0
    assert _run("workload", "import", *_paths("conv_problem"), "-o", layers).exit_code == 0
    assert "147,456" in _run("trace", layers).output
    done = _run("simulate", layers, "--arch", device, "--variant", "tiled", "--tile", "4", "--json", "-")
    assert done.exit_code == 0, done.output
    assert '"macs": 147456' in done.output
    assert _run("map", layers, "--arch", device, "--json", "-").exit_code == 0
    refused = _run("simulate", layers, "--arch", device, "--batch", "2")
    assert isinstance(refused.exception, EnergySimError) and "sizes included" in str(refused.exception)


def test_an_imported_layer_is_the_traced_one(tmp_path: Path) -> None:
    """A convolution without padding, by import and by torch.export."""
    model = tmp_path / "net.py"
    model.write_text("import torch\n\ndef build():\n    return torch.nn.Conv2d(16, 16, 3, bias=False)\n")
    traced = resolve_workload(f"{model}:build", "1x16x10x10").trace().layers[0].problem
    assert _run("workload", "import", *_paths("conv_problem"), "-o", tmp_path / "w.yaml").exit_code == 0
    (layer,) = resolve_workload(str(tmp_path / "w.yaml")).trace().layers
    assert layer.op == "conv2d" and layer.problem is not None and traced is not None
    bits = dict.fromkeys(Role, 8)
    assert layer.problem.with_bits(bits) == traced.with_bits(bits)


GEMM = """
problem:
  shape:
    dimensions: [M, K, N]
    data_spaces:
    - {name: Inputs, projection: [M, K]}
    - {name: Weights, projection: [K, N]}
    - {name: Outputs, projection: [M, N], read_write: true}
  instance: {M: 2, K: 3, N: 4}
"""
DEPTHWISE = """
problem:
  shape:
    dimensions: [C, P, R]
    coefficients: [{name: step, default: 2}]
    data_spaces:
    - {name: Weights, projection: [C, R]}
    - {name: Inputs, projection: [[[C]], [[P, step], [R]]]}
    - {name: Outputs, projection: [C, P], read_write: true}
  instance: {C: 5, P: 7, R: 3}
"""


@pytest.mark.parametrize(
    ("text", "letters", "op"),
    [
        (GEMM, {"M": "N", "K": "C", "N": "K"}, "linear"),
        (DEPTHWISE, {"C": "G", "P": "P", "R": "R"}, "conv2d"),
        (GEMM.replace("M", "X").replace("K", "Y").replace("N", "Z"), {"X": "N", "Y": "C", "Z": "K"}, "linear"),
    ],
)
def test_dimensions_are_named_by_their_part(tmp_path: Path, text: str, letters: dict[str, str], op: str) -> None:
    (tmp_path / "layer.yaml").write_text(text)
    (found,) = import_problems([tmp_path / "layer.yaml"])
    assert found.letters == letters
    assert [tensor.name for tensor in found.problem.tensors] != []
    _run("workload", "import", tmp_path / "layer.yaml", "-o", tmp_path / "w.yaml")
    (layer,) = resolve_workload(str(tmp_path / "w.yaml")).trace().layers
    assert layer.op == op
    assert layer.macs == found.problem.macs


# name -> (text, line of the error, words of the message)
ARCHS: dict[str, tuple[str, int, str]] = {
    "a level that keeps nothing": (
        f"architecture:\n  nodes:\n{DRAM}  - !Component {{name: X, class: SRAM, attributes: {{depth: 4, width: 8, "
        "datawidth: 8}, constraints: {dataspace: {bypass: [Weights, Inputs, Outputs]}}}\n" + UNIT,
        4,
        "X keeps nothing",
    ),
    "a buffer without a size": (
        f"architecture:\n  nodes:\n{DRAM}  - !Component {{name: X, class: SRAM, attributes: {{datawidth: 8}}}}\n{UNIT}",
        4,
        "X .sram. states no size",
    ),
    "factors at main memory": (
        f"architecture:\n  nodes:\n{DRAM.replace('}}', '}, constraints: {temporal: {factors: C=2}}}')}{UNIT}",
        3,
        "the factors of C at Far cannot be represented",
    ),
    "an unknown dimension": (
        f"architecture:\n  nodes:\n{DRAM}  - !Component {{name: X, class: SRAM, attributes: {{depth: 4, width: 8, "
        "datawidth: 8}, constraints: {temporal: {factors: Z=2}}}\n" + UNIT,
        4,
        "the dimension 'Z' in a constraint of X is not known",
    ),
    "a least share of a buffer": (
        f"architecture:\n  nodes:\n{DRAM}  - !Component {{name: X, class: SRAM, attributes: {{depth: 4, width: 8, "
        f"datawidth: 8, min_utilization: 0.5}}}}\n{UNIT}",
        4,
        "min_utilization of X cannot be represented",
    ),
    "a factor that depends on the problem": (
        (FILES / "conv_problem.yaml").read_text()
        + f"architecture:\n  nodes:\n{DRAM}  - !Component {{name: X, class: SRAM, attributes: {{depth: 4, width: 8, "
        "datawidth: 8}, constraints: {temporal: {factors: C=0}}}\n" + UNIT,
        23,
        "C=0 .the whole dimension. differs from problem to problem",
    ),
}


@pytest.mark.parametrize(("text", "line", "words"), ARCHS.values(), ids=ARCHS)
def test_what_no_device_can_say_is_named(tmp_path: Path, text: str, line: int, words: str) -> None:
    (tmp_path / "in.yaml").write_text(text)
    target = tmp_path / "out.yaml"
    done = _run("arch", "import", tmp_path / "in.yaml", "-o", target)
    assert isinstance(done.exception, SpecError)
    message = str(done.exception)
    assert re.search(words, message), message
    assert f"in.yaml:{line}:" in message, message
    assert not target.exists()


PROBLEMS: dict[str, tuple[str, str]] = {
    "two batches": (
        GEMM.replace("[M, K, N]", "[M, K, N, A, B]").replace("[M, K]", "[A, B, M, K]").replace("[K, N]", "[A, B, K, N]")
        .replace("[M, N]", "[A, B, M, N]").replace("N: 4", "N: 4, A: 2, B: 2"),
        "the dimension B, which moves ifmap and ofmap and weights, cannot be represented: A already plays that part",
    ),
    "three inputs": (
        GEMM.replace("    - {name: Outputs", "    - {name: Scales, projection: [K]}\n    - {name: Outputs"),
        r"the data spaces are Inputs \(ifmap\), Weights \(weights\), Scales \(weights\), Outputs \(ofmap\)",
    ),
    "a dimension of one tensor": (
        GEMM.replace("projection: [M, N]", "projection: [M]"),
        "the dimension N, which moves weights, cannot be represented",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_no_layer_can_say_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "layer.yaml").write_text(text)
    with pytest.raises(SpecError, match=rf"layer\.yaml:\d+: problem: {words}"):
        import_problems([tmp_path / "layer.yaml"])


def test_windows_of_more_than_two_dimensions_are_refused(tmp_path: Path) -> None:
    text = DEPTHWISE.replace("[C, P, R]", "[C, P, R, A]").replace("[R]]", "[R], [A]]").replace("R: 3}", "R: 3, A: 2}")
    (tmp_path / "layer.yaml").write_text(text)
    with pytest.raises(SpecError, match="the axis of Inputs over P and R and A is no sliding window"):
        import_problems([tmp_path / "layer.yaml"])


def test_files_without_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no file holds a 'problem'"):
        import_problems(_paths("grid_nodes"))
    with pytest.raises(SpecError, match="no file holds an 'architecture'"):
        import_arch(_paths("conv_problem"))
    with pytest.raises(SpecError, match="a second layer would be called 'conv_problem'"):
        import_problems(_paths("conv_problem", "conv_problem"))


def test_both_m_and_k_need_a_problem(tmp_path: Path) -> None:
    text = "architecture_constraints:\n- {target: GLB, type: temporal, factors: M=2 K=3}\n"
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(SpecError, match="constraints name both M and K"):
        import_arch([*_paths("grid_nodes"), tmp_path / "c.yaml"])


def test_factors_stay_whatever_the_bounds_of_the_problem_are(tmp_path: Path) -> None:
    """C=32 exceeds the 16 channels of the problem beside it, which Timeloop would pass over for that problem."""
    (tmp_path / "c.yaml").write_text(
        "architecture_constraints:\n- {target: PE, type: spatial, factors: C=32, permutation: CM, split: 1}\n"
    )
    found = import_arch([*_paths("grid_nodes", "conv_problem"), tmp_path / "c.yaml"])
    (array,) = [node for node in found.arch.nodes if isinstance(node, Array)]
    assert array.constraints.fixed == (("C", 32),)
    assert array.constraints.x_dims == {"C"}
