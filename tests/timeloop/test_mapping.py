"""Problems, mappings and constraints as values."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energysim.arch.spec import Array
from energysim.engines.timeloop import TimeloopInput, read_timeloop
from energysim.graph.problem import Rank, Role
from energysim.mapping.nest import Loop
from energysim.mapping.render import loop_nest_json, loop_nest_text, tile_words

Read = Callable[..., TimeloopInput]
FILES = Path(__file__).parent / "files"
NAMES = frozenset({"Weights", "Inputs", "Outputs"})


def test_problem(read: Read) -> None:
    problem = read("grid_nodes", "conv_problem").need_problem()
    assert problem.dims == (("C", 16), ("M", 16), ("R", 3), ("S", 3), ("N", 1), ("P", 8), ("Q", 8))
    assert [tensor.role for tensor in problem.tensors] == [Role.WEIGHTS, Role.IFMAP, Role.OFMAP]
    assert problem.tensor("Inputs").ranks[2] == Rank((("R", 1), ("P", 1)))
    assert problem.macs == 147456


SHAPES = {
    "built in": "{shape: cnn-layer, instance: {R: 3, S: 3, P: 4, Q: 4, C: 2, K: 5, N: 1, Wstride: 2, Hdilation: 3}}",
    "bounds beside the shape": "{shape: cnn-layer, R: 3, S: 3, P: 4, Q: 4, C: 2, K: 5, N: 1, Wstride: 2, Hdilation: 3}",
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_built_in_shape_and_coefficients(read_text: Read, text: str) -> None:
    problem = read_text(f"problem: {text}", after=("grid_nodes",)).need_problem()
    inputs = problem.tensor("Inputs")
    assert inputs.ranks[2:] == (Rank((("R", 1), ("P", 2))), Rank((("S", 3), ("Q", 1))))
    assert problem.bounds["K"] == 5


def test_matmul_roles(read_text: Read) -> None:
    text = """
problem:
  shape:
    dimensions: [I, J, K]
    data_spaces:
    - {name: A, projection: [I, K]}
    - {name: B, projection: [[[K]], [[J]]]}
    - {name: Z, projection: [I, J], read_write: True}
  instance: {I: 2, J: 3, K: 4}
"""
    problem = read_text(text, after=("grid_nodes",)).need_problem()
    assert [tensor.role for tensor in problem.tensors] == [Role.IFMAP, Role.WEIGHTS, Role.OFMAP]


def test_loop_nest_of_diagonals(read: Read) -> None:
    read_ = read("grid_nodes", "conv_problem", "grid_mapping")
    assert read_.mapping is not None
    assert read_.mapping.loops == (
        Loop("M", 16, 1, 16), Loop("C", 16, 1, 16), Loop("Q", 8, 1, 8),
        Loop("P", 8, 2, 8, "y"), Loop("R", 3, 2, 3, "x"),
        Loop("S", 3, 3, 3),
    )  # fmt: skip
    assert read_.mapping.kept == (NAMES, NAMES, frozenset(), NAMES, frozenset())


def test_kept_follows_the_architecture_without_a_directive(read: Read) -> None:
    mapping = read("rowstationary_nodes", "rowstationary_mapping").need_mapping()
    assert mapping.kept[1] == {"Inputs", "Outputs"}
    assert mapping.kept[4:7] == ({"Inputs"}, {"Weights"}, {"Outputs"})
    # P=0 is what remains, a container's name is its fan-out, and along Y alone everything goes to Y.
    assert Loop("P", 8, 1, 8) in mapping.loops
    assert [loop.axis for loop in mapping.loops if loop.node in (2, 3)] == ["x", "y", "y"]


def _mapped(
    read_text: Read, mapping: str, problem: str = "{R: 1, S: 1, P: 7, Q: 1, C: 6, K: 4, N: 1}"
) -> TimeloopInput:
    return read_text(f"problem: {{shape: cnn-layer, instance: {problem}}}\nmapping:\n{mapping}", after=("grid_nodes",))


def test_residual_factors(read_text: Read) -> None:
    read = _mapped(
        read_text,
        "- {target: DRAM, type: temporal, factors: P=2 C=6 K=4}\n"
        "- {target: PE, type: spatial, factors: 'P=4,3', split: 0}\n",
    )
    assert read.need_mapping().loops[-1] == Loop("P", 4, 2, 3, "y")
    problem, mapping = read.need_problem(), read.need_mapping()
    outputs = problem.tensor("Outputs")
    assert [tile_words(problem, mapping, outputs, node) for node in (0, 1, 3)] == [28, 4, 1]
    assert "par P in [0:4,3) along Y" in loop_nest_text(problem, read.arch, mapping)


@pytest.mark.parametrize(
    "factors", ["C=6 K=4 P=7", "C=6,K=4,P=7", "C6 K4 P7", "C = 6  K=4  P=0  # all", "[C=6, K=4, P=7]", "C=6 K=4 P=7,7"]
)
def test_factors_in_every_spelling(read_text: Read, factors: str) -> None:
    text = factors if factors.startswith("[") else f"'{factors}'"
    read = _mapped(read_text, f"- {{target: DRAM, type: temporal, factors: {text}, permutation: 'PCK'}}\n")
    assert [(loop.dim, loop.bound) for loop in read.need_mapping().loops] == [("K", 4), ("C", 6), ("P", 7)]


def test_spatial_at_a_memory_means_the_fan_out_below_it(read_text: Read) -> None:
    read = _mapped(
        read_text,
        "- {target: GLB, type: spatial, factors: C=6 K=4, permutation: CK, split: 1}\n"
        "- {target: DRAM, type: temporal, factors: P=7}\n",
    )
    assert read.need_mapping().loops[1:] == (Loop("K", 4, 2, 4, "y"), Loop("C", 6, 2, 6, "x"))


def test_bypass_directives(read_text: Read) -> None:
    read = _mapped(
        read_text,
        "- {target: GLB, type: bypass, bypass: [Weights]}\n"
        "- {target: RF, type: datatype, keep: [Weights], bypass: [Inputs]}\n"
        "- {target: DRAM, type: dataspace, bypass: [Outputs]}\n"
        "- {target: DRAM, type: temporal, factors: C=6 K=4 P=7}\n",
    )
    kept = read.need_mapping().kept
    assert (kept[0], kept[1], kept[3]) == (NAMES - {"Outputs"}, NAMES - {"Weights"}, NAMES - {"Inputs"})
    assert read.arch.memories[0].may_bypass == {"Outputs"}


def test_no_reuse_turns_multicast_and_reduction_off(read_text: Read) -> None:
    text = (
        "- {{target: PE, type: spatial, factors: C=6 K=4, no_reuse: {}}}\n"
        "- {{target: DRAM, type: temporal, factors: P=7}}\n"
    )
    arrays = []
    for names in ("[Weights, Inputs, Outputs]", "[Outputs]", "[Inputs, Weights]"):
        node = _mapped(read_text, text.format(names)).arch.nodes[2]
        assert isinstance(node, Array)
        arrays.append((node.multicast, node.reduction))
    assert arrays == [(False, False), (True, False), (False, True)]


def test_constraints_from_a_file(read_text: Read) -> None:
    text = """
mapspace_constraints:
  targets:
  - {target: GLB, type: temporal, factors: 'C=0 M<=4 R=9', permutation: QC, default_max_factor: 8}
  - {target: RF, type: dataspace, keep: [Outputs], bypass: [Inputs]}
  - {target: PE, type: spatial, permutation: [C, M], split: 1}
"""
    read = read_text(text, after=("grid_nodes", "conv_problem"))
    glb, rf = read.arch.memories[1:]
    assert dict(glb.constraints.fixed) == {"C": 16}  # 0: the whole dimension; R=9 exceeds the problem's 3
    assert glb.constraints.at_most[0] == ("M", 4) and dict(glb.constraints.at_most)["P"] == 8
    assert glb.constraints.innermost == ("Q", "C")
    assert (rf.keep, rf.may_bypass) == ({"Outputs"}, {"Weights"})
    array = read.arch.nodes[2]
    assert isinstance(array, Array)
    assert array.constraints.x_dims == {"C"} and array.constraints.y_dims == {"M", "R", "S", "N", "P", "Q"}
    assert any("R=9 exceeds" in warning for warning in read.warnings)


def test_broken_constraints_are_said(read_text: Read) -> None:
    text = """
problem: {shape: cnn-layer, instance: {R: 3, S: 1, P: 4, Q: 1, C: 8, K: 4, N: 1}}
mapping:
- {target: GLB, type: temporal, factors: C=4 P=4 R=3, permutation: PCR}
- {target: PE, type: spatial, factors: C=2 K=4, permutation: CK, split: 1}
architecture_constraints:
- {target: GLB, type: temporal, factors: R=1 C<=2, permutation: CP}
- {target: PE, type: spatial, permutation: CK, split: 2}
"""
    warnings = read_text(text, after=("grid_nodes",)).warnings
    assert len(warnings) == 4
    for what in ("R=3, must be 1", "C=4, may be 2 at most", "must begin with C P", "K lies along Y"):
        assert sum(what in warning for warning in warnings) == 1
    kept = (
        text.replace("R=1 C<=2", "R=3 C<=4")
        .replace("permutation: CP", "permutation: PC")
        .replace("split: 2", "split: 1")
    )
    assert read_text(kept, after=("grid_nodes",)).warnings == ()


def test_what_a_problem_does_not_use_is_said(read_text: Read) -> None:
    read = read_text(
        "problem: {shape: cnn-layer, instance: {R: 1, S: 1, P: 7, Q: 1, C: 6, K: 4, N: 1, Wpad: 1}}",
        after=("grid_nodes",),
    )
    assert any("'Wpad'" in warning for warning in read.warnings)


def test_text_and_values_of_a_loop_nest(read: Read) -> None:
    read_ = read("rowstationary_nodes", "rowstationary_mapping")
    text = loop_nest_text(read_.need_problem(), read_.arch, read_.need_mapping())
    assert text.splitlines()[0] == "MainMemory: Weights 4,608, Inputs 1,600, Outputs 2,048 words"
    assert "inter_Row_spatial: 1 x 12 of 1 x 12 in use" in text
    assert "SumPad: Outputs 16 words (capacity 16 words)" in text
    assert loop_nest_json(read_.arch, read_.need_mapping())[3] == {
        "level": "inter_Column_spatial", "dim": "Q", "bound": 8, "last": 8, "spatial": "X",
    }  # fmt: skip


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mapping_survives_the_round_trip(tmp_path: Path, seed: int) -> None:
    """Loops -> directives -> loops, with residuals, over every level of the grid."""
    rng = random.Random(seed)
    dims = ["R", "S", "P", "Q", "C", "K", "N"]
    levels = [("DRAM", 0, "temporal"), ("GLB", 1, "temporal"), ("PE", 2, "spatial"), ("RF", 3, "temporal")]
    loops: list[Loop] = []
    directives = []
    bounds = dict.fromkeys(dims, 1)
    for target, node, kind in levels:
        order = rng.sample(dims, len(dims))  # innermost first
        split = rng.randint(0, len(dims)) if kind == "spatial" else None
        factors = {}
        for position in reversed(range(len(order))):
            dim = order[position]
            bound = rng.choice([1, 1, 2, 3])
            last = rng.randint(1, bound)
            factors[dim] = f"{dim}={bound},{last}"
            bounds[dim] = (bounds[dim] - 1) * bound + last
            axis = None if split is None else ("x" if position < split else "y")
            if bound > 1:
                loops.append(Loop(dim, bound, node, last, axis))  # type: ignore[arg-type]
        extra = "" if split is None else f", split: {split}"
        directives.append(
            f"- {{target: {target}, type: {kind}, factors: '{' '.join(factors.values())}', "
            f"permutation: {''.join(order)}{extra}}}"
        )
    instance = ", ".join(f"{dim}: {bound}" for dim, bound in bounds.items())
    path = tmp_path / "mapping.yaml"
    rng.shuffle(directives)
    path.write_text(f"problem: {{shape: cnn-layer, instance: {{{instance}}}}}\nmapping:\n" + "\n".join(directives))
    assert read_timeloop([FILES / "grid_nodes.yaml", path]).need_mapping().loops == tuple(loops)
