"""What evaluate refuses, its cycles, and hand-computed counts of the exact convention."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from energysim.arch.spec import ArchSpec, Array, Compute, Memory
from energysim.engines.native import evaluate
from energysim.errors import MappingError, UnavailableError
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.counts import Convention
from energysim.mapping.nest import Loop, Mapping

ROLES = frozenset(Role)
NAMES = frozenset({"W", "I", "O"})
NOTHING: frozenset[str] = frozenset()


def conv(
    p: int, r: int, k: int = 1, c: int = 1, stride: int = 1, pad: int = 0, size: int | None = None
) -> TensorProblem:
    """1-d convolution; ``size`` is the real ifmap width."""

    def one(*dims: str) -> tuple[Rank, ...]:
        return tuple(Rank(((dim, 1),)) for dim in dims)

    window = Rank((("P", stride), ("R", 1)), -pad, size)
    return TensorProblem(
        (("K", k), ("C", c), ("P", p), ("R", r)),
        (
            Tensor("W", Role.WEIGHTS, one("K", "C", "R")),
            Tensor("I", Role.IFMAP, (*one("C"), window)),
            Tensor("O", Role.OFMAP, one("K", "P")),
        ),
    )


def device(compute: Compute | None = None, array: Array | None = None, **memory: Any) -> ArchSpec:
    """DRAM - array - RF - MAC; keywords describe the RF."""
    dram = Memory("DRAM", "dram", ROLES, ROLES)
    rf = dataclasses.replace(Memory("RF", "regfile", NOTHING, ROLES), **memory)
    nodes = (dram, array or Array("PE", 4, 2), rf, compute or Compute("MAC", "int", 8))
    return ArchSpec("device", nodes, clock_hz=1e9)


KEPT = (NAMES, NOTHING, NAMES, NOTHING)


def at_rf(problem: TensorProblem) -> Mapping:
    return Mapping(tuple(Loop(d, n, 2, n) for d, n in problem.dims if n > 1), KEPT)


@pytest.mark.parametrize(
    ("loops", "message"),
    [
        ((Loop("P", 3, 2, 3), Loop("R", 3, 2, 3)), "'P' make 3, the problem has 8"),
        ((Loop("P", 3, 0, 3), Loop("P", 3, 2, 3), Loop("R", 3, 2, 3)), "'P' make 9, the problem has 8"),
        ((Loop("P", 8, 1, 8, "x"), Loop("R", 3, 2, 3)), "'PE' is split 8 ways along x, it has 4"),
        ((Loop("P", 2, 1, 2, "x"), Loop("P", 4, 1, 4, "y"), Loop("R", 3, 2, 3)), "4 ways along y, it has 2"),
        ((Loop("P", 8, 1, 8), Loop("R", 3, 2, 3)), "temporal loops stand at memories"),
        ((Loop("P", 8, 0, 8, "x"), Loop("R", 3, 2, 3)), "spatial loops stand at arrays"),
        ((Loop("R", 3, 2, 3), Loop("P", 8, 0, 8)), "further in"),
        ((Loop("P", 8, 9, 8), Loop("R", 3, 2, 3)), "there are 4 nodes"),
        ((Loop("PP", 8, 0, 8), Loop("R", 3, 2, 3)), "did you mean 'P'"),
        ((Loop("P", 8, 0, 9), Loop("R", 3, 2, 3)), "1 <= last <= bound"),
    ],
)
def test_loops_that_do_not_fit(loops: tuple[Loop, ...], message: str) -> None:
    with pytest.raises(MappingError, match=message):
        evaluate(conv(8, 3), device(), Mapping(loops, KEPT))


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ((NAMES, NOTHING, NAMES), "describes 3 nodes"),
        ((NAMES, NAMES, NAMES, NOTHING), "'PE' is no memory"),
        ((NAMES, NOTHING, frozenset({"X"}), NOTHING), "unknown tensor 'X'"),
        ((frozenset({"W", "I"}), NOTHING, frozenset({"W", "I"}), NOTHING), "no memory keeps 'O'"),
    ],
)
def test_tensors_kept_wrongly(kept: tuple[frozenset[str], ...], message: str) -> None:
    problem = conv(8, 3)
    with pytest.raises(MappingError, match=message):
        evaluate(problem, device(), Mapping(at_rf(problem).loops, kept))


def test_bypass_follows_the_spec() -> None:
    problem = conv(8, 3)
    strict = device(keep=frozenset({"weights"}), may_bypass=frozenset({"ifmap"}))
    loops = at_rf(problem).loops
    with pytest.raises(MappingError, match="'RF' cannot keep 'O'"):
        evaluate(problem, strict, Mapping(loops, KEPT))
    with pytest.raises(MappingError, match="'RF' must keep 'W'"):
        evaluate(problem, strict, Mapping(loops, (NAMES, NOTHING, NOTHING, NOTHING)))
    counts = evaluate(problem, strict, Mapping(loops, (NAMES, NOTHING, frozenset({"W"}), NOTHING)))
    assert counts.at("RF", "I") is None


def test_capacity_names_memory_tensors_and_bytes() -> None:
    problem = conv(8, 3)
    evaluate(problem, device(capacity_bits=8 * (3 + 10 + 8)), at_rf(problem))
    with pytest.raises(MappingError, match="'RF' is too small: W 3 B, I 10 B, O 8 B need 21 B, 20 B"):
        evaluate(problem, device(capacity_bits=8 * 20), at_rf(problem))
    with pytest.raises(MappingError, match=r"need 21 B, 10\.5 B"):
        evaluate(problem, device(capacity_bits=8 * 21, multiple_buffering=2.0), at_rf(problem))
    with pytest.raises(MappingError, match="need 42 B"):
        evaluate(problem, device(capacity_bits=8 * 21, word_bits=16), at_rf(problem))


def test_accumulators_store_wide_result_words() -> None:
    problem = conv(8, 3)
    evaluate(problem, device(capacity_bits=8 * (3 + 10 + 4 * 8), psum_bits=32), at_rf(problem))
    with pytest.raises(MappingError, match="O 32 B"):
        evaluate(problem, device(capacity_bits=8 * (3 + 10 + 4 * 8 - 1), psum_bits=32), at_rf(problem))


def test_unsupported_problems_and_link_transfers_are_refused() -> None:
    twice = Tensor("I", Role.IFMAP, (Rank((("P", 1), ("R", 1))), Rank((("P", 1),))))
    negative = Tensor("I", Role.IFMAP, (Rank((("P", 1), ("R", -1))),))
    good = conv(8, 3)
    for bad, message in ((twice, "two terms"), (negative, "coefficient -1")):
        problem = TensorProblem(good.dims, (good.tensors[0], bad, good.tensors[2]))
        with pytest.raises(MappingError, match=message):
            evaluate(problem, device(), at_rf(good))
    with pytest.raises(UnavailableError, match="link transfers"):
        evaluate(good, device(array=Array("PE", 4, 2, link_transfers=True)), at_rf(good))


def test_padding_and_holes_hold_no_words() -> None:
    padded = conv(8, 3, pad=1, size=8)
    ifmap = evaluate(padded, device(), at_rf(padded)).at("DRAM", "I")
    assert ifmap is not None and (ifmap.reads, ifmap.tile_words) == (8, 8)
    boxes = evaluate(padded, device(), at_rf(padded), Convention.TIMELOOP).at("DRAM", "I")
    assert boxes is not None and (boxes.reads, boxes.tile_words) == (10, 10)
    # The MACs at the two borders that multiply a padding zero read no operand.
    rf = evaluate(padded, device(), at_rf(padded)).at("RF", "I")
    assert rf is not None and rf.reads == 8 * 3 - 2
    strided = conv(8, 1, stride=2, size=16)
    pointwise = evaluate(strided, device(), at_rf(strided)).at("DRAM", "I")
    assert pointwise is not None and pointwise.reads == 8
    boxed = evaluate(strided, device(), at_rf(strided), Convention.TIMELOOP).at("DRAM", "I")
    assert boxed is not None and boxed.reads == 15


def test_window_slides_along_the_innermost_moving_loop_only() -> None:
    problem = conv(8, 3, c=2)
    tail = (Loop("R", 3, 2, 3),)
    slides = Mapping((Loop("C", 2, 0, 2), Loop("P", 8, 0, 8), *tail), KEPT)
    reloads = Mapping((Loop("P", 8, 0, 8), Loop("C", 2, 0, 2), *tail), KEPT)
    assert [evaluate(problem, device(), m).at("RF", "I").fills for m in (slides, reloads)] == [2 * 10, 2 * 8 * 3]  # type: ignore[union-attr]


def test_multicast_and_reduction_can_be_switched_off() -> None:
    problem = conv(8, 3, k=4)
    mapping = Mapping((Loop("P", 8, 0, 8), Loop("K", 4, 1, 4, "x"), Loop("R", 3, 2, 3)), KEPT)
    reads = [
        evaluate(problem, device(array=Array("PE", 4, 2, multicast=on)), mapping).at("DRAM", "I").reads  # type: ignore[union-attr]
        for on in (True, False)
    ]
    assert reads == [10, 40]
    mapping = Mapping((Loop("P", 8, 0, 8), Loop("K", 4, 0, 4), Loop("R", 3, 1, 3, "x")), KEPT)
    updates = [
        evaluate(problem, device(array=Array("PE", 4, 2, reduction=on)), mapping).at("DRAM", "O").updates  # type: ignore[union-attr]
        for on in (True, False)
    ]
    assert updates == [32, 96]


def test_remainders_take_the_cycles_they_need() -> None:
    problem = conv(7, 3)
    mapping = Mapping((Loop("P", 2, 0, 2), Loop("P", 2, 1, 1, "x"), Loop("P", 2, 2, 2), Loop("R", 3, 2, 3)), KEPT)
    with pytest.raises(MappingError, match="'P' make 6"):
        evaluate(problem, device(), mapping)
    mapping = Mapping((Loop("P", 2, 0, 2), Loop("P", 4, 1, 3, "x"), Loop("R", 3, 2, 3)), KEPT)
    counts = evaluate(problem, device(), mapping)
    assert (counts.compute_cycles, counts.compute_instances, counts.macs) == (6, 3.5, 21)
    mapping = Mapping((Loop("P", 2, 0, 2), Loop("P", 4, 2, 3), Loop("R", 3, 2, 3)), KEPT)
    assert evaluate(problem, device(), mapping).compute_cycles == 21
    assert evaluate(problem, device(), mapping, Convention.TIMELOOP).compute_cycles == 24


def test_bandwidth_and_throughput_set_the_cycles() -> None:
    problem = conv(8, 3)
    fast = device(Compute("MAC", "int", 8, macs_per_cycle=((8, 2.0),)), read_bandwidth=8.0, shared_bandwidth=64.0)
    counts = evaluate(problem, fast, at_rf(problem))
    assert counts.compute_cycles == 12
    rf = [access for access in counts.accesses if access.level == "RF"]
    assert dict(counts.level_cycles) == {"RF": sum(access.reads for access in rf)}
    assert counts.cycles == max(12, sum(access.reads for access in rf))
    wide = device(Compute("MAC", "int", 8, macs_per_cycle=((8, 2.0),)), read_bandwidth=1e6)
    assert evaluate(problem, wide, at_rf(problem)).cycles == 12
