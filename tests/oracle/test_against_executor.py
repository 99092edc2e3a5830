"""The closed forms give what executing the loop nest element by element gives, on random small cases."""

from __future__ import annotations

import strategies
from executor import Executed, execute
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from energysim.arch.spec import ArchSpec
from energysim.engines.native import evaluate
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.counts import Convention
from energysim.mapping.nest import Loop, Mapping


def _check(problem: TensorProblem, arch: ArchSpec, mapping: Mapping, convention: Convention) -> Executed:
    counts = evaluate(problem, arch, mapping, convention)
    executed = execute(problem, arch, mapping, convention)
    assert executed.macs == counts.macs
    mine = {(a.level, a.tensor): (a.reads, a.fills, a.updates, a.tile_words) for a in counts.accesses}
    assert mine == executed.counts
    if convention is Convention.EXACT:
        assert counts.compute_cycles == executed.steps
    return executed


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), convention=st.sampled_from(Convention))
def test_counts_equal_execution(data: st.DataObject, convention: Convention) -> None:
    problem = data.draw(strategies.problems)
    assume(problem.macs <= strategies.MAX_MACS)
    arch = data.draw(strategies.archs())
    _check(problem, arch, data.draw(strategies.mappings(problem, arch)), convention)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), convention=st.sampled_from(Convention), inner=st.booleans())
def test_sliding_windows_equal_execution(data: st.DataObject, convention: Convention, inner: bool) -> None:
    problem = data.draw(strategies.sliding())
    arch = strategies.grid(inner)
    _check(problem, arch, data.draw(strategies.mappings(problem, arch)), convention)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_traffic_is_at_least_compulsory(data: st.DataObject) -> None:
    """Everything that exists leaves the backing memory at least once; every MAC of an inner memory is served."""
    problem = data.draw(strategies.sliding())
    arch = strategies.grid(False)
    mapping = data.draw(strategies.mappings(problem, arch))
    kept = (frozenset(tensor.name for tensor in problem.tensors), *mapping.kept[1:])
    mapping = Mapping(mapping.loops, kept)
    executed = _check(problem, arch, mapping, Convention.EXACT)
    for tensor in problem.tensors:
        reads, fills, updates, _ = executed.counts["M0", tensor.name]
        assert fills == 0
        assert (updates if tensor.is_output else reads) >= executed.words[tensor.name]
        for (_, name), accesses in executed.counts.items():
            assert name != tensor.name or min(accesses) >= 0


def test_idle_child_holds_its_last_tile() -> None:
    """P = 5 over 2 children x 3 steps: the second child idles in its third step and still holds rows 4 and 5."""
    weights = Tensor("W", Role.WEIGHTS, (Rank((("R", 1),)),))
    ifmap = Tensor("I", Role.IFMAP, (Rank((("P", 1), ("R", 1))),))
    ofmap = Tensor("O", Role.OFMAP, (Rank((("P", 1),)),))
    problem = TensorProblem((("P", 5), ("R", 4)), (weights, ifmap, ofmap))
    loops = (Loop("R", 2, 0, 2), Loop("P", 2, 1, 2, "x"), Loop("P", 3, 2, 2), Loop("R", 2, 4, 2))
    everything = frozenset({"W", "I", "O"})
    mapping = Mapping(loops, (everything, frozenset(), frozenset(), frozenset(), everything, frozenset(), frozenset()))
    executed = _check(problem, strategies.grid(True), mapping, Convention.EXACT)
    # Tiles of two rows. First child: rows 0-3, then (the window stands still at the step of R) 4 and 5.
    # Second child: rows 3-5, idle, then 6 (it still holds row 5) and 7.
    assert executed.counts["M1", "I"][1] == 6 + 5
