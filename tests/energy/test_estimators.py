"""Estimators: what the file states wins, the rest is asked for, and what is missing is said."""

import sys
import types
from typing import Any

import pytest

from energysim.arch.loader import load_arch, parse_arch
from energysim.energy import estimate, estimators
from energysim.energy.actions import ComputeEnergies
from energysim.energy.describe import action_rows, arch_json, node_rows
from energysim.energy.estimators import estimator
from energysim.errors import EnergySimError, NotFoundError, SpecError, UnavailableError

TEXT = """\
version: 1
name: mixed
clock: 1 GHz
technology: 45 nm
nodes:
  - {memory: DRAM, kind: dram, technology: LPDDR4, keeps: [weights, ifmap, ofmap], access: 64 b}
  - memory: GLB
    kind: sram
    capacity: 64 KiB
    access: 64 b
    keeps: [weights, ifmap, ofmap]
    energy: {read: 3 pJ/access}
  - {memory: RF, kind: regfile, capacity: 16 B, access: 8 b, keeps: [weights]}
  - {compute: MAC, bits: 8, macs_per_cycle: {8: 2, 16: 1}}
"""


def test_stated_values_win_and_the_rest_is_estimated() -> None:
    energies = estimate(parse_arch(TEXT))
    glb = energies.memory("GLB")
    assert glb.read.pj.value == 3.0 and glb.read.bits == 64
    assert glb.write.pj.value == pytest.approx(19.6486) and glb.update == glb.write
    assert glb.leakage_w is not None and glb.leakage_w.value == pytest.approx(1.67027e-6)
    dram = energies.memory("DRAM")
    assert dram.read.pj.value == 512.0 and dram.leakage_w is None
    assert [bits for bits, _ in energies.compute.mac] == [8, 16]
    assert energies.mac(4) == energies.mac(8) and energies.mac(9) == energies.mac(16)
    # Wider than the unit: passes of the widest.
    assert energies.mac(32).pj.value == pytest.approx(4 * energies.mac(16).pj.value)
    with pytest.raises(NotFoundError, match="did you mean 'GLB'"):
        energies.memory("GLBB")


def test_a_stated_mac_serves_every_width_of_the_unit() -> None:
    energies = estimate(parse_arch(TEXT.replace("bits: 8, macs", "bits: 8, energy: {mac: 0.3 pJ}, macs")))
    assert energies.mac(8).pj.value == 0.3
    wide = energies.mac(16).pj
    assert wide.value == pytest.approx(1.2) and wide.estimate and wide.low == pytest.approx(0.3)
    assert isinstance(energies.compute, ComputeEnergies)


def test_without_a_technology_only_stated_energies_do() -> None:
    with pytest.raises(SpecError, match=r"GLB states no energy.*technology: 45 nm"):
        estimate(parse_arch(TEXT.replace("technology: 45 nm\n", "")))
    assert estimate(load_arch("a2")).memory("BUF").read.pj.value == 32.0


def test_unknown_things_are_named() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'table'"):
        estimate(load_arch("a2"), "tables")
    assert set(estimators()) >= {"table", "hwcomponents"}
    with pytest.raises(ValueError, match="registered twice"):
        estimator("table")(dict)  # type: ignore[arg-type]
    with pytest.raises(EnergySimError, match="mixed, DRAM: no energy is known for a DRAM of technology 'LPDDR44'"):
        estimate(parse_arch(TEXT.replace("LPDDR4", "LPDDR44")))


def test_rows_and_json_agree() -> None:
    arch = load_arch("gemmini")
    energies = estimate(arch)
    rows = action_rows(energies)
    assert [row.component for row in rows if row.action == "read"] == ["DRAM", "SPAD", "ACC", "WEIGHT_REG"]
    assert len(node_rows(arch)) == len(arch.nodes)
    data = arch_json(arch, energies)
    assert len(data["actions"]) == len(rows) and data["peak_macs_per_s"] == {"8": 256e9}
    texts = {(row.component, row.action): row.texts() for row in rows}
    assert texts["DRAM", "read"] == ("512 pJ", "256 pJ .. 1.28 nJ", "8 pJ/b")
    assert texts["DRAM", "leakage"][0] == "not modelled"


def test_hwcomponents_says_which_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("hwcomponents")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "hwcomponents_cacti", None)
    with pytest.raises(UnavailableError, match=r"pip install energysim-edge\[hwcomponents\]"):
        estimate(load_arch("eyeriss"), "hwcomponents")


class _Cost:
    def __init__(self, joules: float) -> None:
        self.energy = joules


class _Memory:
    """Stands for the libraries' models: records how it was built, answers in joules."""

    leak_power = 2e-6

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments
        if arguments.get("width", 0) > 64 and "size" not in arguments:
            raise ValueError("Width is too large")

    def read(self) -> _Cost:
        return _Cost(1e-12 * self.arguments["width"])

    def write(self) -> _Cost:
        return _Cost(2e-12 * self.arguments["width"])

    def multiply(self) -> _Cost:
        return _Cost(5e-13)

    def add(self) -> _Cost:
        return _Cost(1e-13)


class _Broken(_Memory):
    def __init__(self, **arguments: Any) -> None:
        raise Exception("CACTI failed\nGLIBC_2.38 not found")


def _libraries(monkeypatch: pytest.MonkeyPatch, sram: type[_Memory]) -> None:
    cacti: Any = types.ModuleType("hwcomponents_cacti")
    cacti.SRAM, cacti.LPDDR4 = sram, _Memory
    aladdin: Any = types.ModuleType("hwcomponents_library.library.aladdin")
    aladdin.AladdinRegister = aladdin.AladdinMultiplier = aladdin.AladdinAdder = _Memory
    monkeypatch.setitem(sys.modules, "hwcomponents_cacti", cacti)
    monkeypatch.setitem(sys.modules, "hwcomponents_library", types.ModuleType("hwcomponents_library"))
    monkeypatch.setitem(sys.modules, "hwcomponents_library.library", types.ModuleType("hwcomponents_library.library"))
    monkeypatch.setitem(sys.modules, "hwcomponents_library.library.aladdin", aladdin)


def test_hwcomponents_units_and_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    _libraries(monkeypatch, _Memory)
    energies = estimate(load_arch("eyeriss"), "hwcomponents")
    assert energies.memory("DRAM").read.pj.value == pytest.approx(64.0)
    assert energies.memory("GLB").read.pj.value == pytest.approx(64.0)
    assert energies.memory("GLB").write.pj.value == pytest.approx(128.0)
    assert energies.memory("PSUM_SPAD").read.pj.value == pytest.approx(16.0)
    assert energies.mac(16).pj.value == pytest.approx(0.6)
    assert energies.memory("GLB").leakage_w is not None
    # A burst wider than a channel: the energy per bit times its width.
    assert estimate(load_arch("jetson_nano"), "hwcomponents").memory("DRAM").read.pj.value == pytest.approx(256.0)
    with pytest.raises(EnergySimError, match="no DRAM of technology 'LPDDR5'"):
        estimate(load_arch("jetson_orin_nano"), "hwcomponents")


def test_a_failing_library_ends_in_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _libraries(monkeypatch, _Broken)
    with pytest.raises(UnavailableError, match=r"CACTI model failed: GLIBC_2.38 not found.*estimator table"):
        estimate(load_arch("eyeriss"), "hwcomponents")
