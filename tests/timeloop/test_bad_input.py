"""Every bad input is one error that names the file, the line and the remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from energysim.engines.timeloop import TimeloopInput, read_timeloop
from energysim.engines.timeloop.expressions import evaluate
from energysim.errors import EnergySimError, MappingError, NotFoundError, SpecError

Read = Callable[..., TimeloopInput]
PROBLEM = "problem: {shape: cnn-layer, instance: {R: 1, S: 1, P: 7, Q: 1, C: 6, K: 4, N: 1}}\n"
FAR = "  - !Component {name: Far, class: DRAM, attributes: {width: 64, datawidth: 8, global_cycle_seconds: 1e-9}}\n"
UNIT = "  - !Component {name: Unit, class: intmac, attributes: {datawidth: 8}}\n"


def _arch(middle: str, last: str = UNIT) -> str:
    return f"architecture:\n  nodes:\n{FAR}{middle}{last}"


def _tree(local: str) -> str:
    return f"architecture:\n  subtree:\n  - name: top\n    local:\n{local}"


# name -> (files read before, text, line of the error, words that must be in the message)
CASES: dict[str, tuple[tuple[str, ...], str, int, tuple[str, ...]]] = {
    # problems
    "misspelt coefficient": (
        ("grid_nodes",),
        "problem:\n  shape: cnn-layer\n  instance: {R: 1, S: 1, P: 7, Q: 1, C: 6, K: 4, N: 1,\n    HStride: 2}",
        4,
        ("'HStride'", "'Hstride'"),
    ),
    "missing bound": (
        ("grid_nodes",),
        "problem:\n  shape: cnn-layer\n  instance: {R: 1, S: 1, P: 7, Q: 1, C: 6, N: 1}",
        3,
        ("'K'",),
    ),
    "negative bound": (
        ("grid_nodes",),
        "problem:\n  shape: cnn-layer\n  instance: {R: 1, S: 1, P: -7, Q: 1, C: 6, K: 4, N: 1}",
        3,
        ("-7", "least is 1"),
    ),
    "unknown shape": (("grid_nodes",), "problem:\n  shape: cnn_layr\n  instance: {R: 1}", 2, ("'cnn_layer'",)),
    "projection onto an unknown dimension": (
        ("grid_nodes",),
        "problem:\n  shape:\n    dimensions: [I, J]\n    data_spaces:\n    - {name: A, projection: [[[I]], [[X]]]}\n",
        5,
        ("'X'", "I, J"),
    ),
    "unknown coefficient": (
        ("grid_nodes",),
        "problem:\n  shape:\n    dimensions: [I]\n    coefficients: [{name: step, default: 1}]\n"
        "    data_spaces:\n    - {name: A, projection: [[[I, stpe]]]}\n",
        6,
        ("'stpe'", "'step'"),
    ),
    "no output": (
        ("grid_nodes",),
        "problem:\n  shape:\n    dimensions: [I]\n    data_spaces: [{name: A, projection: [I]}]\n  instance: {I: 2}",
        2,
        ("read_write: true",),
    ),
    "sparse data": (
        ("grid_nodes",),
        "problem:\n  shape: cnn-layer\n  instance:\n    densities: {Inputs: 0.5}\n    R: 1\n",
        4,
        ("densities",),
    ),
    # architectures
    "unknown top-level key": ((), "archtecture: {}\n", 1, ("'architecture'",)),
    "untagged node": ((), _arch("  - {name: X}\n"), 4, ("tag",)),
    "misspelt tag": ((), _arch("  - !Componnt {name: X}\n"), 4, ("!Component",)),
    "misspelt node key": ((), _arch("  - !Component {name: X, clas: SRAM}\n"), 4, ("'clas'", "'class'")),
    "no compute unit": ((), _arch("", ""), 3, ("innermost level must be a compute unit",)),
    "a level twice": ((), _arch(FAR), 4, ("two levels are called 'Far'",)),
    "width no multiple of the word": (
        (),
        _arch("  - !Component {name: X, class: SRAM, attributes: {depth: 4, width: 20, datawidth: 8}}\n"),
        4,
        ("20 bits",),
    ),
    "two sizes": (
        (),
        _arch("  - !Component {name: X, class: SRAM, attributes: {depth: 4, sizeKB: 2, width: 8, datawidth: 8}}\n"),
        4,
        ("depth, entries, sizeKB",),
    ),
    "a size that is no number": (
        (),
        _arch("  - !Component {name: X, class: SRAM, attributes: {depth: big, width: 8, datawidth: 8}}\n"),
        4,
        ("'big'",),
    ),
    "negative size": (
        (),
        _arch("  - !Component {name: X, class: SRAM, attributes: {depth: -4, width: 8, datawidth: 8}}\n"),
        4,
        ("-4",),
    ),
    "overbooking": (
        (),
        _arch("  - !Component {name: X, class: SRAM, attributes: {depth: 4, datawidth: 8, allow_overbooking: true}}\n"),
        4,
        ("allow_overbooking", "cannot be represented"),
    ),
    "pipelined node": ((), _arch("  - !Pipelined {nodes: []}\n"), 4, ("!Pipelined",)),
    "a fan-out inside parallel": (
        (),
        _arch("  - !Parallel\n    nodes:\n    - !Component {name: X, class: SRAM, spatial: {meshX: 2}}\n"),
        6,
        ("inside !Parallel",),
    ),
    "instances and mesh": (
        (),
        _tree(
            "    - {name: 'Far[1..1]', class: DRAM}\n    - {name: 'Unit[1..6]', class: mac, attributes: {meshX: 4}}\n"
        ),
        6,
        ("6 instances",),
    ),
    "unreadable range": (
        (),
        _tree("    - {name: 'Far[1-1]', class: DRAM}\n"),
        5,
        ("Far[1-1]", "RF[1..64]"),
    ),
    "two subtrees": ((), "architecture:\n  subtree:\n  - {name: a}\n  - {name: b}\n", 2, ("2 subtrees",)),
    "negative energy": (
        ("grid_nodes",),
        "ERT:\n  tables:\n  - name: x.GLB\n    actions:\n    - {name: read, energy: -1}\n",
        5,
        ("-1",),
    ),
    # mappings
    "unknown target": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: GBL, type: temporal, factors: P=7 C=6 K=4}\n",
        3,
        ("'GBL'", "'GLB'"),
    ),
    "unknown dimension": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: GLB, type: temporal, factors: P=7 c=6 K=4}\n",
        3,
        ("'c'", "'C'"),
    ),
    "unknown dimension in a permutation": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: GLB, type: temporal, factors: P=7 C=6 K=4, permutation: PCM}\n",
        3,
        ("'M'",),
    ),
    "unreadable factors": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: GLB, type: temporal, factors: 'P=seven'}\n",
        3,
        ("'P=seven'",),
    ),
    "residual above its bound": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: GLB, type: temporal, factors: 'P=4,5'}\n",
        3,
        ("residual 5",),
    ),
    "factors that do not cover": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: GLB, type: temporal, factors: P=7 C=3 K=4}\n",
        2,
        ("factors of C cover 3", "has 6"),
    ),
    "a rest that is no whole number": (
        ("grid_nodes",),
        PROBLEM
        + "mapping:\n- {target: DRAM, type: temporal, factors: P=2}\n- {target: GLB, type: temporal, factors: P=0}\n",
        4,
        ("no multiple of 2",),
    ),
    "spatial without a fan-out": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: DRAM, type: spatial, factors: C=6}\n",
        3,
        ("no fan-out below",),
    ),
    "temporal at a fan-out": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: PE, type: temporal, factors: C=6}\n",
        3,
        ("stores nothing",),
    ),
    "unknown directive": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: GLB, type: tempral}\n",
        3,
        ("'temporal'",),
    ),
    "skew": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: GLB, type: skew}\n",
        3,
        ("'skew'", "cannot be represented"),
    ),
    "a directive twice": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: GLB, type: temporal, factors: C=6}\n- {target: GLB, type: temporal}\n",
        4,
        ("second temporal",),
    ),
    "a switch without counterpart": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: GLB, type: temporal, rmw_first_update: [Outputs]}\n",
        3,
        ("rmw_first_update", "cannot be represented"),
    ),
    "keep what may not be kept": (
        ("split_nodes",),
        PROBLEM + "mapping:\n- {target: IRF, type: bypass, keep: [Weights]}\n"
        "- {target: DRAM, type: temporal, factors: P=7 C=6 K=4}\n",
        3,
        ("IRF", "Weights", "it may keep: Inputs"),
    ),
    "bypass what must be kept": (
        ("split_nodes",),
        PROBLEM + "mapping:\n- {target: WRF, type: bypass, bypass: [Weights]}\n"
        "- {target: DRAM, type: temporal, factors: P=7 C=6 K=4}\n",
        3,
        ("requires WRF to keep Weights",),
    ),
    "unknown data space": (
        ("grid_nodes",),
        PROBLEM + "mapping:\n- {target: GLB, type: bypass, bypass: [Weigths]}\n"
        "- {target: DRAM, type: temporal, factors: P=7 C=6 K=4}\n",
        3,
        ("'Weights'",),
    ),
    # constraints
    "least factor": (
        ("grid_nodes",),
        PROBLEM + "architecture_constraints:\n  targets:\n  - {target: GLB, type: temporal, factors: C>=2}\n",
        4,
        ("C>=2", "cannot be represented"),
    ),
    "unknown constraint type": (
        ("grid_nodes",),
        PROBLEM + "architecture_constraints:\n  targets:\n  - {target: GLB, type: max_overbooked_proportion}\n",
        4,
        ("max_overbooked_proportion",),
    ),
    "contradicting constraints": (
        ("grid_nodes",),
        PROBLEM + "architecture_constraints:\n- {target: GLB, type: temporal, factors: C=2}\n"
        "- {target: GLB, type: temporal, factors: C=3}\n",
        4,
        ("already constrained to 2",),
    ),
    "kept and bypassed": (
        ("grid_nodes",),
        PROBLEM + "architecture_constraints:\n- {target: GLB, type: bypass, keep: [Inputs], bypass: [Inputs]}\n",
        3,
        ("both kept and bypassed",),
    ),
    "duplicate section": (("grid_nodes",), _arch(""), 1, ("second 'architecture'", "grid_nodes.yaml")),
    "broken YAML": (("grid_nodes",), "problem: {shape: [\n", 2, ()),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_one_clear_error(read_text: Read, case: tuple[tuple[str, ...], str, int, tuple[str, ...]]) -> None:
    after, text, line, words = case
    with pytest.raises((SpecError, MappingError)) as caught:
        read_text(text, after=after)
    message = str(caught.value)
    found = re.search(r"in\.yaml:(\d+)", message)
    assert found is not None, message
    assert int(found[1]) == line, message
    for word in words:
        assert word in message


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nothing\.yaml"):
        read_timeloop([tmp_path / "nothing.yaml"])


def test_what_is_missing_is_named(read: Read) -> None:
    with pytest.raises(SpecError, match="no file holds an 'architecture'"):
        read("conv_problem")
    with pytest.raises(SpecError, match="a mapping needs a problem"):
        read("grid_nodes", "grid_mapping")
    with pytest.raises(SpecError, match="no file holds a 'mapping'"):
        read("grid_nodes", "conv_problem").need_mapping()
    with pytest.raises(SpecError, match="no file holds a 'problem'"):
        read("grid_nodes").need_problem()


@pytest.mark.parametrize(
    ("text", "value"), [("2**14", 16384), ("-3 + 2*w", 7), ("ceil(w/2)", 3), ("min(w, 2)", 2), ("7 // 2 % 2", 1)]
)
def test_expressions(text: str, value: float) -> None:
    assert evaluate(text, {"w": 5}) == value


@pytest.mark.parametrize(
    "text", ["", "w", "1/0", "9**999", "__import__('os')", "'a'*9", "2**14 +", "ceil()", "max(a=1)"]
)
def test_expressions_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        evaluate(text, {})


def test_every_error_is_of_the_public_family() -> None:
    assert issubclass(SpecError, EnergySimError) and issubclass(MappingError, EnergySimError)
