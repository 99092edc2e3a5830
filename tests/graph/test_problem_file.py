"""Workloads that write their layers out: axes as text, checks, and the layer that a traced model would give."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.errors import SpecError
from energysim.graph.problem import Rank, Role
from energysim.graph.problem_file import ProblemsFile, parse_rank, problems_document, rank_text
from energysim.spec_files import parse_yaml
from energysim.workload import resolve_workload
from energysim.yaml_text import dump

RANKS = st.builds(
    Rank,
    st.lists(st.tuples(st.sampled_from("NPQRS"), st.integers(1, 9)), max_size=3, unique_by=lambda x: x[0]).map(tuple),
    st.integers(-9, 9),
    st.none() | st.integers(0, 99),
)


@given(RANKS)
@settings(max_examples=100, deadline=None)
def test_an_axis_survives_as_text(rank: Rank) -> None:
    text = rank_text(rank)
    assert parse_rank(text) == rank


def test_an_axis_as_a_person_writes_it() -> None:
    assert parse_rank("2*P+R-1<32") == Rank((("P", 2), ("R", 1)), -1, 32)
    assert parse_rank(" 3 * P ") == Rank((("P", 3),))


@pytest.mark.parametrize("text", ["", "P*2", "P - R", "P + ", "0*P", "P < x", "2P", "p", "P < -1", 7])
def test_what_is_no_axis(text: object) -> None:
    with pytest.raises(SpecError):
        parse_rank(text)


LAYER = "problems:\n- name: a\n  dims: {K: 2, C: 3}\n  weights: [K, C]\n  ifmap: [C]\n  ofmap: [K]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAYER.replace("ifmap: [C]", "ifmap: [X]"), "no bound is given for the dimension 'X'"),
        (LAYER.replace("C: 3", "C: 3, N: 4"), "the dimension 'N' moves no tensor"),
        (LAYER.replace("C: 3", "C: 0"), "greater than 0"),
        (LAYER.replace("K: 2", "K: 2, M: 3"), "'M' is no dimension"),
        (LAYER.replace("[K, C]", "[K, C, K]"), "'K' moves two axes of weights"),
        (LAYER.replace("weights", "weight"), "unknown key 'weight'"),
        (LAYER + LAYER.partition("\n")[2], "two layers are called 'a'"),
        (LAYER.replace("[C]", "[C +]"), "is no part of an axis"),
        ("problems: []\n", "at least 1 item"),
    ],
)
def test_a_wrong_file_is_one_error_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "w.yaml").write_text(text)
    with pytest.raises(SpecError, match=rf"w\.yaml:\d+: problems(.|\n)*{words}"):
        resolve_workload(str(tmp_path / "w.yaml"))


CONVOLUTION = """
import torch

def build():
    return torch.nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias=False)
"""


def test_a_padded_grouped_convolution_is_the_traced_one(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(CONVOLUTION)
    traced = resolve_workload(f"{tmp_path}/net.py:build", "2x4x9x8").trace()
    problem = traced.layers[0].problem
    assert problem is not None
    document = problems_document([("conv", problem)], "one convolution")
    (tmp_path / "w.yaml").write_text(dump(document))
    workload = resolve_workload(str(tmp_path / "w.yaml"))
    (layer,) = workload.trace().layers
    assert layer.problem is not None
    bits = dict.fromkeys(Role, 8)
    assert layer.problem.with_bits(bits) == problem.with_bits(bits)
    assert (layer.op, layer.window) == ("conv2d", traced.layers[0].window)
    assert [str(spec) for spec in workload.inputs] == ["2x4x9x8"]


def test_a_problem_that_is_no_convolution_is_mapped_as_it_stands() -> None:
    text = LAYER.replace("ifmap: [C]", "ifmap: [2*C]")
    (item,) = ProblemsFile.from_spec(parse_yaml(text, "w.yaml")).problems
    assert item.problem.tensor("ifmap").ranks == (Rank((("C", 2),)),)


def test_such_a_layer_costs_what_its_words_cost(tmp_path: Path) -> None:
    from energysim import simulate

    (tmp_path / "w.yaml").write_text(LAYER.replace("ifmap: [C]", "ifmap: [2*C]"))
    graph = resolve_workload(str(tmp_path / "w.yaml")).trace()
    assert graph.layers[0].op == "einsum"
    (variant,) = simulate(graph, "a2").variants
    assert (variant.macs, variant.params) == (6, 6)
    # exact: the holes between the words of the ifmap are not read
    assert variant.dram_read_bytes == 6 + 3 and variant.dram_write_bytes == 2
