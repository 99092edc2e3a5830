"""What the writer makes of architectures, mappings and constraints that the golden cases do not have."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from energysim.arch.loader import list_archs, load_arch, parse_arch
from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Array, Compute, Constraints, Energy, Memory, Node
from energysim.arch.write import arch_document
from energysim.cost.model import cost_model
from energysim.energy import estimate
from energysim.engines.native import evaluate
from energysim.engines.timeloop import TimeloopInput, read_timeloop
from energysim.engines.timeloop.writer import (
    MapperSettings,
    actions_of,
    actions_of_costs,
    architecture_yaml,
    art_yaml,
    components_yaml,
    constraints_yaml,
    dump,
    ert_yaml,
    layout,
    mapper_yaml,
    mapping_yaml,
    metrics_of,
    nodes_yaml,
    problem_yaml,
)
from energysim.errors import MappingError, SpecError
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.graph.problems import Operand, convolution_problem
from energysim.mapping.counts import Convention
from energysim.mapping.nest import Loop, Mapping
from energysim.mapping.search import Objective

FILES = Path(__file__).parent / "files"
ALL = frozenset({"weights", "ifmap", "ofmap"})


def _conv(padding: int = 0, bits: int = 8) -> TensorProblem:
    return convolution_problem(
        batch=1,
        groups=1,
        out_channels=8,
        in_channels=4,
        in_size=(8 - 2 * padding + 2, 10),
        out_size=(8, 8),
        kernel=(3, 3),
        stride=(1, 1),
        padding_before=(padding, 0),
        dilation=(1, 1),
        weights=Operand(bits, True),
        ifmap=Operand(bits),
        ofmap=Operand(bits),
    )


def _arch(*inner: Node, constraints: Constraints | None = None, array: Array | None = None) -> ArchSpec:
    array = array or Array("PE", 4, 4, constraints=constraints or Constraints())
    nodes = (Memory("DRAM", "dram", ALL), array, *inner, Compute("MAC", "int", 8))
    return ArchSpec("small", nodes, 1e9, 45)


def _again(directory: Path, arch: ArchSpec, problem: TensorProblem, mapping: Mapping) -> TimeloopInput:
    found = layout(arch, problem, mapping)
    path = directory / "again.yaml"
    path.write_text(
        dump({**architecture_yaml(found), **problem_yaml(problem), "mapping": mapping_yaml(found, mapping)})
    )
    return read_timeloop([path])


def _same_counts(directory: Path, arch: ArchSpec, problem: TensorProblem, mapping: Mapping) -> TimeloopInput:
    again = _again(directory, arch, problem, mapping)
    first = evaluate(problem, arch, mapping, Convention.TIMELOOP)
    assert evaluate(again.need_problem(), again.arch, again.need_mapping(), Convention.TIMELOOP) == first
    return again


def _loops(*loops: tuple[str, int, int, int, Any]) -> tuple[Loop, ...]:
    return tuple(Loop(*loop) for loop in loops)


@pytest.mark.parametrize("last", [4, 3])
def test_a_dimension_along_both_axes_is_one_loop_of_a_row(tmp_path: Path, last: int) -> None:
    """P over x and y at once, with and without a remainder."""
    size = {4: 8, 3: 7}[last]
    problem = _conv()
    problem = TensorProblem(tuple((d, size if d == "P" else b) for d, b in problem.dims), problem.tensors)
    ones = [
        ("K", 8, 0, 8, None),
        ("C", 4, 0, 4, None),
        ("Q", 8, 0, 8, None),
        ("R", 3, 0, 3, None),
        ("S", 3, 0, 3, None),
    ]
    mapping = Mapping(_loops(*ones, ("P", 2, 1, 2, "y"), ("P", 4, 1, last, "x")), (ALL, frozenset(), frozenset()))
    again = _same_counts(tmp_path, _arch(), problem, mapping)
    (array,) = [node for node in again.arch.nodes if isinstance(node, Array)]
    assert (array.x, array.y) == (16, 1)
    (loop,) = [loop for loop in again.need_mapping().loops if loop.axis]
    assert (loop.bound, loop.last) == (8, 8 if last == 4 else 7)


def test_padding_is_words_and_does_not_change_the_counts(tmp_path: Path) -> None:
    problem = _conv(padding=1)
    loops = [(dim, bound, 0, bound, None) for dim, bound in problem.dims if bound > 1]
    _same_counts(tmp_path, _arch(), problem, Mapping(_loops(*loops), (ALL, frozenset(), frozenset())))


def test_two_loops_over_one_dimension_at_a_memory_are_refused() -> None:
    problem = _conv()
    loops = _loops(("K", 2, 0, 2, None), ("C", 4, 0, 4, None), ("K", 4, 0, 4, None))
    mapping = Mapping(loops, (ALL, frozenset(), frozenset()))
    with pytest.raises(MappingError, match="DRAM has two temporal loops over one dimension"):
        mapping_yaml(layout(_arch(), problem, mapping), mapping)


def test_arrays_without_children_leave_no_level() -> None:
    found = layout(_arch(array=Array("PE", 1, 1)), _conv())
    assert [level.name for level in found.levels] == ["DRAM", "MAC"]


def test_a_size_that_is_no_multiple_of_the_access_keeps_all_its_words(tmp_path: Path) -> None:
    memory = Memory("BUF", "sram", ALL, capacity_bits=50 * 8, access_bits=32, banks=3, multiple_buffering=2.0)
    problem, arch = _conv(), _arch(memory)
    text = dump({**architecture_yaml(layout(arch, problem)), **problem_yaml(problem)})
    assert "entries: 50" in text and "depth" not in text.split("BUF")[1].split("MAC")[0]
    (tmp_path / "a.yaml").write_text(text)
    again = read_timeloop([tmp_path / "a.yaml"]).arch.memories[1]
    assert (again.capacity_bits, again.access_bits, again.banks, again.multiple_buffering) == (400, 32, 3, 2.0)


CANNOT: dict[str, tuple[ArchSpec, str]] = {
    "words of two widths": (
        _arch(Memory("BUF", "sram", ALL, psum_bits=32)),
        "BUF keeps words of different widths.*ofmap 32 b",
    ),
    "link transfers": (_arch(array=Array("PE", 4, 4, link_transfers=True)), "PE has link transfers"),
    "use of one array of two": (
        _arch(Array("B", 2), constraints=Constraints(min_utilization=0.5)),
        "PE must be used to 50%",
    ),
    "a name": (_arch(Memory("L 1", "sram", ALL)), "the name 'L 1'"),
    "a name twice": (_arch(Memory("DRAM", "sram", ALL)), "two levels are called 'DRAM'"),
    "too many words": (_arch(Memory("BUF", "sram", ALL, capacity_bits=2**40)), "BUF holds 137438953472 words"),
}


@pytest.mark.parametrize(("arch", "words"), CANNOT.values(), ids=CANNOT)
def test_what_timeloop_has_no_words_for_is_named(arch: ArchSpec, words: str) -> None:
    with pytest.raises(SpecError, match=f"small cannot be written for Timeloop: {words}"):
        layout(arch, _conv())


def test_long_names_of_dimensions_are_refused() -> None:
    rank = Rank((("row", 1),))
    problem = TensorProblem((("row", 2),), (Tensor("a", Role.IFMAP, (rank,)), Tensor("z", Role.OFMAP, (rank,))))
    with pytest.raises(SpecError, match="'row' cannot be written"):
        problem_yaml(problem)


def test_one_dimension_with_two_coefficients_gets_two_names(tmp_path: Path) -> None:
    ranks = (Rank((("P", 2), ("R", 1))), Rank((("P", 3),)))
    problem = TensorProblem(
        (("P", 4), ("R", 3)),
        (
            Tensor("weights", Role.WEIGHTS, (Rank((("R", 1),)),), 16, True),
            Tensor("ifmap", Role.IFMAP, ranks, 16),
            Tensor("ofmap", Role.OFMAP, (Rank((("P", 1),)),), 16),
        ),
    )
    (tmp_path / "p.yaml").write_text(dump(problem_yaml(problem)))
    again = read_timeloop([FILES / "grid_nodes.yaml", tmp_path / "p.yaml"])
    assert again.need_problem() == problem


# constraints --------------------------------------------------------------------------------------------------

READ = (
    "grid_nodes",
    "grid_tree",
    "flat_nodes",
    "split_nodes",
    "split_tree",
    "rowstationary_nodes",
    "rowstationary_tree",
)


@pytest.mark.parametrize("stem", READ)
def test_read_architectures_survive_with_their_constraints(
    stem: str, read: Callable[..., TimeloopInput], tmp_path: Path
) -> None:
    problem_file = FILES / "conv_problem.yaml"
    first = read(stem, "conv_problem")
    found = layout(first.arch, first.need_problem())
    for name, document in (
        ("tree", {**architecture_yaml(found), **constraints_yaml(found)}),
        ("nodes", nodes_yaml(found)),
    ):
        path = tmp_path / f"{stem}.yaml"
        path.write_text(dump(document))
        again = read_timeloop([path, problem_file]).arch
        shape = _without_idle_axes if name == "tree" else _unconstrained
        assert [shape(node) for node in again.nodes] == [shape(node) for node in first.arch.nodes]
        assert (again.clock_hz, again.technology_nm) == (first.arch.clock_hz, first.arch.technology_nm)


def _without_idle_axes(node: Node) -> Node:
    """What may lie along an axis of one child says nothing."""
    if not isinstance(node, Array):
        return node
    x_dims = None if node.x == 1 else node.constraints.x_dims
    y_dims = None if node.y == 1 else node.constraints.y_dims
    return dataclasses.replace(node, constraints=dataclasses.replace(node.constraints, x_dims=x_dims, y_dims=y_dims))


def _unconstrained(node: Node) -> Node:
    if isinstance(node, Memory):
        return dataclasses.replace(node, constraints=Constraints(), keep=frozenset(), may_bypass=frozenset())
    return dataclasses.replace(node, constraints=Constraints()) if isinstance(node, Array) else node


def _targets(arch: ArchSpec) -> list[dict[str, Any]]:
    document: Any = constraints_yaml(layout(arch, _conv()))
    targets: list[dict[str, Any]] = document["architecture_constraints"]["targets"]
    return targets


def test_axes_with_dimensions_of_their_own_are_levels_of_their_own() -> None:
    constraints = Constraints(x_dims=frozenset("PK"), y_dims=frozenset("RCK"), fixed=(("R", 3),), at_most=(("P", 2),))
    spatial = {t["target"]: t for t in _targets(_arch(constraints=constraints)) if t["type"] == "spatial"}
    x, y = spatial["inter_PE_X_spatial"], spatial["inter_PE_Y_spatial"]
    assert set(x["factors"].split()) == {"G=1", "N=1", "C=1", "Q=1", "R=1", "S=1", "P<=2"}
    assert set(y["factors"].split()) == {"G=1", "N=1", "P=1", "Q=1", "S=1", "R=3"}
    assert (x["split"], y["split"]) == (8, 0)
    assert sorted(x["permutation"]) == sorted("GNKCPQRS")


def test_a_factor_over_both_axes_is_refused_where_they_are_two_levels() -> None:
    constraints = Constraints(x_dims=frozenset("PK"), y_dims=frozenset("CK"), fixed=(("K", 8),))
    with pytest.raises(SpecError, match="the factor K=8 of PE may lie along x and y at once"):
        _targets(_arch(constraints=constraints))


def test_switches_of_an_array_and_its_least_use() -> None:
    array = Array("PE", 4, 4, multicast=False, reduction=False, constraints=Constraints(min_utilization=0.5))
    targets = _targets(_arch(Memory("RF", "regfile", ALL, capacity_bits=512), array=array))
    assert {"target": "RF", "type": "parallelism", "min": 0.5} in targets
    (spatial,) = [target for target in targets if target["type"] == "spatial"]
    assert spatial["no_reuse"] == ["weights", "ifmap", "ofmap"]


def test_least_use_is_read_back(tmp_path: Path, read_text: Callable[..., TimeloopInput]) -> None:
    text = "architecture_constraints:\n- {target: RF, type: utilization, min: 0.25}\n"
    (array,) = [n for n in read_text(text, after=("grid_nodes",)).arch.nodes if isinstance(n, Array)]
    assert array.constraints.min_utilization == 0.25
    with pytest.raises(SpecError, match=r"in\.yaml:2: .*the least use of 2 fan-outs together"):
        read_text(text.replace("RF", "WRF"), after=("split_nodes",))


def test_free_tensors_are_named_in_neither_list() -> None:
    memory = Memory("BUF", "sram", frozenset({"ifmap"}), frozenset({"weights"}), capacity_bits=800)
    (kept,) = [t for t in _targets(_arch(memory)) if t["target"] == "BUF" and t["type"] == "bypass"]
    assert (kept["keep"], kept["bypass"]) == (["ifmap"], ["ofmap"])


# energies and settings ----------------------------------------------------------------------------------------


def test_energies_are_ours_per_access() -> None:
    def stated(pj: float, bits: int) -> Energy:
        return Energy(Sourced(pj, pj, pj, "stated"), bits)

    buffer = Memory(
        "BUF", "sram", ALL, capacity_bits=1024, access_bits=32, read_energy=stated(8, 32), write_energy=stated(3, 8),
        leakage_w=Sourced(1e-6, 1e-6, 1e-6, "stated"),
    )  # fmt: skip
    arch, problem = _arch(buffer), _conv()
    found = layout(arch, problem)
    actions = actions_of(found, estimate(arch))
    # A write moves one word, a level's access four: the energy is stated for the access.
    assert actions["BUF"] == {"read": 8.0, "write": 12.0, "update": 12.0, "leak": pytest.approx(0.001)}
    costs = cost_model(problem, arch, estimate(arch))
    of_costs = actions_of_costs(found, costs)
    for name in ("read", "write", "update"):
        assert of_costs["BUF"][name] == actions["BUF"][name]
        assert of_costs["DRAM"][name] == actions["DRAM"][name]
    assert of_costs["DRAM"]["leak"] == costs.leak_pj_per_cycle > 0
    assert of_costs["MAC"]["compute"] == actions["MAC"]["compute"]
    tables: Any = ert_yaml(found, actions)["ERT"]
    assert [table["name"] for table in tables["tables"]] == [
        "small_top_level.DRAM[1..1]", "small_top_level.BUF[1..16]", "small_top_level.MAC[1..16]",
    ]  # fmt: skip
    areas: Any = art_yaml(found, {"BUF": 12.5})["ART"]
    assert {table["name"]: table["area"] for table in areas["tables"]}["small_top_level.BUF[1..16]"] == 12.5


def test_metrics_are_a_list_under_the_plural_key() -> None:
    settings = MapperSettings(metrics=metrics_of(Objective.parse("dram,energy")), threads=None)
    document: Any = mapper_yaml(settings)
    assert document["mapper"]["optimization_metrics"] == ["last_level_accesses", "energy"]
    assert "optimization_metric" not in document["mapper"] and "num_threads" not in document["mapper"]
    assert document["mapspace"]["template"] == "uber"


def test_every_class_that_is_written_has_its_components() -> None:
    document: Any = components_yaml()
    defined = {item["name"] for item in document["compound_components"]["classes"]}
    assert {"smartbuffer_SRAM", "smartbuffer_RF", "intmac", "fpmac"} == defined
    for item in document["compound_components"]["classes"]:
        parts = {part["name"].split("[")[0] for part in item["subcomponents"]}
        for action in item["actions"]:
            assert {part["name"].split("[")[0] for part in action["subcomponents"]} <= parts


@pytest.mark.parametrize("name", list_archs())
def test_own_architecture_files_round_trip(name: str) -> None:
    arch = load_arch(name)
    again = parse_arch(dump(arch_document(arch)), arch.source)
    assert dataclasses.replace(again, sha256=arch.sha256) == arch
