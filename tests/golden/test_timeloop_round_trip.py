"""Golden cases as files: read, evaluated, written, read again - and turned into energysim's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import loader
import pytest
import timeloop_files

from energysim.arch.loader import parse_arch
from energysim.arch.spec import ArchSpec, Memory
from energysim.arch.write import arch_document
from energysim.engines.native import evaluate
from energysim.engines.timeloop import TimeloopInput, read_timeloop
from energysim.engines.timeloop.importing import import_arch, import_problems
from energysim.engines.timeloop.writer import (
    architecture_yaml,
    art_yaml,
    dump,
    ert_yaml,
    layout,
    mapping_yaml,
    problem_yaml,
)
from energysim.errors import SpecError
from energysim.graph.explicit import explicit_graph
from energysim.graph.problem_file import ProblemsFile, problems_document
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.nest import Loop, Mapping
from energysim.spec_files import parse_yaml

_CASES = {name: case for name, case in loader.cases().items() if case["valid"]}
_SWITCHES = ("no_temporal_reuse", "no_coalesce", "rmw_first_update")
_REFUSED = {name for name, case in _CASES.items() if any(key in d for d in case["mapping"] for key in _SWITCHES)}
_READ = [name for name in _CASES if name not in _REFUSED]
ROLES = {"Weights": "weights", "Inputs": "ifmap", "Outputs": "ofmap"}


def _written(given: TimeloopInput) -> str:
    problem, mapping = given.need_problem(), given.need_mapping()
    found = layout(given.arch, problem, mapping)
    return dump(
        {
            **architecture_yaml(found),
            **problem_yaml(problem),
            "mapping": mapping_yaml(found, mapping),
            **ert_yaml(found, given.ert),
            **art_yaml(found, given.art),
        }
    )


def _counts(given: TimeloopInput) -> Counts:
    return evaluate(given.need_problem(), given.arch, given.need_mapping(), Convention.TIMELOOP)


@pytest.mark.parametrize("name", _READ)
def test_read_written_and_read_again(name: str, tmp_path: Path) -> None:
    """The file's counts are those that `test_timeloop_golden` compares with Timeloop's, before and after."""
    case = _CASES[name]
    first = read_timeloop(timeloop_files.write(case, tmp_path))
    arch = loader.arch(case["arch"], shared="no_reuse_spatial" not in name)
    golden = evaluate(loader.problem(case), arch, loader.mapping(case, arch), Convention.TIMELOOP)
    assert _counts(first) == golden
    _check_problem(case, first)
    _check_directives(case, first)
    text = _written(first)
    (tmp_path / "again.yaml").write_text(text)
    second = read_timeloop([tmp_path / "again.yaml"])
    assert _counts(second) == golden
    assert second.need_problem() == first.need_problem()
    assert second.ert == first.ert
    assert _written(second) == text


@pytest.mark.parametrize("name", sorted(_REFUSED))
def test_switches_without_a_counterpart_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"mapping\.yaml:\d+: mapping\[\d+\]\.\w+: the \w+ switch \w+ cannot be"):
        read_timeloop(timeloop_files.write(_CASES[name], tmp_path))


def _each_kind_once() -> list[str]:
    """One case per architecture and projection: strides, dilations, groups."""
    seen: dict[str, str] = {}
    for name in _READ:
        case = _CASES[name]
        seen.setdefault(f"{case['arch']} {case['tensors']}", name)
    return list(seen.values())


@pytest.mark.parametrize("name", _each_kind_once())
def test_own_files_give_the_same_counts(name: str, tmp_path: Path) -> None:
    """Architecture and problem as files of energysim: the same mapping moves the same words."""
    case = _CASES[name]
    paths = timeloop_files.write(case, tmp_path)
    given = read_timeloop(paths)
    imported = import_arch([*paths[:2], paths[2]])
    arch = parse_arch(dump(arch_document(imported.arch)))
    (layer,) = import_problems([paths[2]])
    text = dump(problems_document([(layer.name, layer.problem)], "a golden layer"))
    (item,) = ProblemsFile.from_spec(parse_yaml(text, "workload.yaml")).problems
    problem = explicit_graph("golden", [(item.name, item.problem)]).layers[0].problem
    assert problem is not None
    own = evaluate(problem, _free(arch), _renamed(given.need_mapping(), layer.letters), Convention.TIMELOOP)
    assert [(a.level, a.tensor, a.reads, a.fills, a.updates, a.instances, a.tile_words) for a in own.accesses] == [
        (a.level, ROLES[a.tensor], a.reads, a.fills, a.updates, a.instances, a.tile_words)
        for a in _counts(given).accesses
    ]
    assert own.cycles == _counts(given).cycles
    assert [(m.read_energy, m.leakage_w) for m in arch.memories] == [
        (m.read_energy, m.leakage_w) for m in imported.arch.memories
    ]


def _free(arch: ArchSpec) -> ArchSpec:
    """The mapping of a case says what is kept; these files have no constraints that would."""
    assert all(m.may_bypass or m is arch.memories[0] for m in arch.memories)
    return arch


def _renamed(mapping: Mapping, letters: Any) -> Mapping:
    loops = tuple(Loop(letters[x.dim], x.bound, x.node, x.last, x.axis) for x in mapping.loops)
    return Mapping(loops, tuple(frozenset(ROLES[name] for name in kept) for kept in mapping.kept))


# what is written, field by field against what was given to Timeloop ---------------------------------------------


def _levels(document: Any) -> list[dict[str, Any]]:
    return document["architecture"]["subtree"][0]["local"]


@pytest.mark.parametrize("name", loader.arch_numbers())
def test_architecture_fields(name: str, tmp_path: Path) -> None:
    case = next(case for case in _CASES.values() if case["arch"] == name)
    given = read_timeloop(timeloop_files.write(case, tmp_path))
    found = layout(given.arch, given.need_problem())
    written = parse_yaml(dump(architecture_yaml(found)), "written").plain
    recorded = loader.arch_numbers()[name]
    assert len(_levels(written)) == len(recorded)
    for level, numbers in zip(_levels(written), recorded, strict=True):
        assert level["name"] == f"{numbers['name']}[1..{numbers['meshX'] * numbers['meshY']}]"
        assert level["class"] == numbers["class"]
        is_compute = numbers is recorded[-1]
        for key in numbers.keys() - {"name", "class", "pj"}:
            default = 1 if key in ("cluster_size", "multiple_buffering") else None
            if not (is_compute and default):
                assert level["attributes"].get(key, default) == numbers[key], (level["name"], key)
    tables = parse_yaml(dump(ert_yaml(found, given.ert)), "written").plain["ERT"]["tables"]
    assert {table["name"]: {a["name"]: a["energy"] for a in table["actions"]} for table in tables} == {
        f"system_top_level.{n['name']}[1..{n['meshX'] * n['meshY']}]": n["pj"] for n in recorded if "pj" in n
    }


def _check_problem(case: dict[str, Any], given: TimeloopInput) -> None:
    expected = timeloop_files.problem(case)["problem"]
    written: Any = problem_yaml(given.need_problem())["problem"]
    assert written["shape"]["dimensions"] == expected["shape"]["dimensions"]
    assert written["shape"]["data_spaces"] == expected["shape"]["data_spaces"]
    assert written["instance"] == expected["instance"]
    # A name that only one of the two knows would be passed over in silence.
    names = {item["name"] for item in written["shape"]["coefficients"]}
    assert set(written["instance"]) == names | set(written["shape"]["dimensions"])


def _moving(directive: dict[str, Any]) -> tuple[list[str], list[str]]:
    """(factors above 1, their order) of a directive."""
    factors = {part[0]: part[1:].removeprefix("=") for part in directive["factors"].split()}
    return (
        sorted(f"{dim}={bound}" for dim, bound in factors.items() if bound != "1"),
        [dim for dim in directive["permutation"] if factors[dim] != "1"],
    )


def _check_directives(case: dict[str, Any], given: TimeloopInput) -> None:
    """Every directive that Timeloop was given is written as it was, up to the place of loops of bound 1."""
    arch, mapping = given.arch, given.need_mapping()
    written: list[Any] = list(mapping_yaml(layout(arch, given.need_problem(), mapping), mapping))
    kinds = {(d["target"], d["type"]): d for d in written}
    assert len(kinds) == len(written)
    for directive in case["mapping"]:
        kind = "bypass" if directive["type"] == "datatype" else directive["type"]
        mine = kinds[directive["target"], kind]
        if kind == "bypass":
            assert set(directive.get("bypass", ())) <= set(mine["bypass"])
            assert set(directive.get("keep", ())) <= set(mine["keep"])
            continue
        (factors, order), (own_factors, own_order) = _moving(directive), _moving(mine)
        assert own_factors == factors
        assert sorted(mine["permutation"]) == sorted(case["dims"])
        if kind == "spatial":
            along_x = set(order) & set(directive["permutation"][: directive["split"]])
            assert set(mine["permutation"][: mine["split"]]) == along_x
            assert set(mine.get("no_reuse", ())) == set(directive.get("no_reuse", ()))
        else:
            assert own_order == order
    memories = {node.name for node in arch.nodes if isinstance(node, Memory)}
    assert {d["target"] for d in written if d["type"] == "temporal"} >= memories
