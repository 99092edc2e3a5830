"""Every case measured with the real Timeloop gives the same counts, cycles and energies here."""

from __future__ import annotations

from math import prod
from typing import Any

import loader
import pytest
import state_walk

from energysim.cost.access_energy import access_energy_pj
from energysim.engines.native import evaluate
from energysim.errors import MappingError
from energysim.mapping.counts import Convention, Counts

_CASES = loader.cases()
_OTHER_SWITCH = {
    "e_env_no_first_read_elision": "first-read elision off",
    "e_env_updated_rmw": "Timeloop's updated read-modify-write model",
    "e_spill_no_first_read_elision": "first-read elision off",
    "e_spill_updated_rmw": "Timeloop's updated read-modify-write model",
    "e_no_coalesce_GLB__e_halo_legacy": "no_coalesce",
    "e_no_coalesce_GLB__e_spill_default": "no_coalesce",
    "e_no_temporal_reuse_GLB__e_halo_legacy": "no_temporal_reuse",
    "e_no_temporal_reuse_GLB__e_spill_default": "no_temporal_reuse",
    "e_no_temporal_reuse_RF__e_halo_legacy": "no_temporal_reuse",
    "e_no_temporal_reuse_RF__e_spill_default": "no_temporal_reuse",
    "e_rmw_first_update_GLB__e_halo_legacy": "rmw_first_update",
    "e_rmw_first_update_GLB__e_spill_default": "rmw_first_update",
    "e_isl": "Timeloop's ISL back end crashed",
    "e_halo_isl": "Timeloop's ISL back end crashed",
    "b_imp_MQ": "Timeloop miscounts the computes of two imperfect spatial factors",
}
# Wraps at which the truncated walk takes iteration 1 of an inner loop for its last one. Those of a_* have exhaustive
# twins (e_noextrap_*) that are compared below; for the others test_truncated_walk shows that this is the difference.
_TRUNCATED = {
    "a_allouter_0_MCPR": "BUF",
    "a_allouter_2_CRPM": "BUF",
    "a_halo_R_s1d1": "BUF",
    "a_halo_R_s1d2": "BUF",
    "a_halo_R_s2d2": "BUF",
    "c_ws2": "IRF",
    "m_eyeriss_r18i_l3b": "ifmap_spad",
    "e_nolink_r_eyeriss_r18c_l4b_0": "ifmap_spad",
}
# Timeloop forwards ifmap words between neighbours here; the r_ cases have twins (e_nolink_*) without.
_LINKED = {
    "m_eyeriss_r18i_l2b",
    "m_simple3_lc_conv5",
    "r_eyeriss_r18c_conv1_0",
    "r_eyeriss_r18c_l4b_0",
    "r_simple3_lc_conv4_0",
    "r_simple3_r18c_l4b_0",
}


def _evaluate(case: dict[str, Any]) -> Counts:
    arch = loader.arch(case["arch"], shared="no_reuse_spatial" not in case["id"])
    return evaluate(loader.problem(case), arch, loader.mapping(case, arch), Convention.TIMELOOP)


def _valid() -> list[Any]:
    return [
        pytest.param(case, id=name, marks=[pytest.mark.skip(_OTHER_SWITCH[name])] if name in _OTHER_SWITCH else [])
        for name, case in _CASES.items()
        if case["valid"] or name in _OTHER_SWITCH
    ]


@pytest.mark.parametrize("case", _valid())
def test_counts_equal_timeloop(case: dict[str, Any]) -> None:
    counts = _evaluate(case)
    numbers = {level["name"]: level for level in loader.arch_numbers()[case["arch"]]}
    other_input = case["id"] in _TRUNCATED or case["id"] in _LINKED
    assert len(counts.accesses) == sum(len(level["data"]) for level in case["levels"].values())
    for name, level in case["levels"].items():
        level_cycles = max(counts.compute_cycles, dict(counts.level_cycles).get(name, 0))
        if not other_input:
            assert level_cycles == level["cycles"], name
        for tensor, (tile, instances, reads, fills, updates, energy_pj, _) in level["data"].items():
            if other_input and tensor == "Inputs":
                continue
            access = counts.at(name, tensor)
            assert access is not None
            assert access.tile_words == tile
            assert access.instances == instances
            peak = _peak_instances(case, name)
            if peak != instances:
                # Timeloop averages what arrives over `peak` instances and what leaves over `instances` of them, and
                # truncates the distinct words of an instance: compare the totals that do not mix them.
                assert access.updates == updates * instances
                if tensor == case["output"]:
                    received = access.fills + access.updates - access.reads
                    assert received == pytest.approx((fills + updates - reads) * peak, abs=peak)
                else:
                    assert access.reads == reads * instances
                    assert access.fills == fills * peak
                continue
            assert (access.reads, access.fills, access.updates) == (
                reads * instances,
                fills * instances,
                updates * instances,
            ), (name, tensor)
            pj = numbers[name]["pj"]
            block = numbers[name]["width"] // (numbers[name]["datawidth"] * numbers[name]["cluster_size"])
            actions = ((access.reads, "read"), (access.fills, "write"), (access.updates, "update"))
            mine = sum(access_energy_pj(words / instances, instances, block, pj[action]) for words, action in actions)
            assert mine == pytest.approx(energy_pj, rel=1e-6), (name, tensor)
    assert counts.macs == case["compute"]["computes"]
    assert counts.compute_cycles == case["compute"]["cycles"]
    mac_pj = next(level["pj"]["compute"] for level in numbers.values() if "compute" in level.get("pj", {}))
    assert counts.macs * mac_pj == pytest.approx(case["compute"]["energy_total_pJ"], rel=1e-5)
    if not other_input:
        assert counts.cycles == case["cycles"]
    arch = loader.arch(case["arch"])
    if _peak_instances(case, arch.compute.name) == prod(
        loop.bound for loop in loader.mapping(case, arch).loops if loop.axis and loop.bound == loop.last
    ):
        assert counts.compute_instances == case["compute"]["instances"]


def _peak_instances(case: dict[str, Any], level: str) -> int:
    arch = loader.arch(case["arch"])
    node = [node.name for node in arch.nodes].index(level)
    return prod(loop.bound for loop in loader.mapping(case, arch).loops if loop.axis and loop.node < node)


@pytest.mark.parametrize("name", [name for name in _TRUNCATED if name.startswith("a_")])
def test_exhaustive_twin(name: str) -> None:
    twin = _CASES[f"e_noextrap_{name}"]
    assert twin["mapping"] == _CASES[name]["mapping"]
    inputs = _evaluate(_CASES[name]).at("BUF", "Inputs")
    assert inputs is not None
    assert [inputs.reads, inputs.fills] == twin["levels"]["BUF"]["data"]["Inputs"][2:4]


@pytest.mark.parametrize("name", _TRUNCATED)
def test_truncated_walk(name: str) -> None:
    """Timeloop's own number is the walk of two iterations per loop; ours is that of all of them."""
    case = _CASES[name]
    arch = loader.arch(case["arch"])
    problem, mapping = loader.problem(case), loader.mapping(case, arch)
    level = _TRUNCATED[name]
    node = [n.name for n in arch.nodes].index(level)
    _, instances, _, fills, _, _, _ = case["levels"][level]["data"]["Inputs"]
    walk = state_walk.words_per_instance
    assert walk(problem.tensor("Inputs"), problem.bounds, mapping, node, truncate=True) == fills
    access = _evaluate(case).at(level, "Inputs")
    assert access is not None
    assert access.fills != fills * instances
    if prod(loop.bound for loop in mapping.loops if loop.axis is None and loop.node < node) < 200_000:
        exhaustive = walk(problem.tensor("Inputs"), problem.bounds, mapping, node, truncate=False)
        assert access.fills == exhaustive * instances


@pytest.mark.parametrize("name", [n for n, case in _CASES.items() if not case["valid"] and n not in _OTHER_SWITCH])
def test_rejected_mappings(name: str) -> None:
    with pytest.raises(MappingError):
        _evaluate(_CASES[name])
