"""MACs, registers, DRAM and scaling at their published points."""

import pytest

from energysim.arch.sourced import Sourced
from energysim.energy.dram import dram_pj_per_bit, dram_technologies
from energysim.energy.mac import mac_energy, operation_pj
from energysim.energy.regfile import regfile_cost
from energysim.energy.scaling import relative_energy, scale_energy
from energysim.energy.sram import sram_cost
from energysim.errors import EnergySimError

HOROWITZ = [
    ("int", "add", 8, 0.03),
    ("int", "add", 32, 0.1),
    ("int", "multiply", 8, 0.2),
    ("int", "multiply", 32, 3.1),
    ("float", "add", 16, 0.4),
    ("float", "add", 32, 0.9),
    ("float", "multiply", 16, 1.1),
    ("float", "multiply", 32, 3.7),
]


@pytest.mark.parametrize(("kind", "operation", "bits", "pj"), HOROWITZ)
def test_horowitz_at_his_points(kind: str, operation: str, bits: int, pj: float) -> None:
    assert operation_pj(kind, operation, bits) == pj


def test_macs_at_45_nm() -> None:
    assert mac_energy("float", 32, 45).value == pytest.approx(4.6)
    assert mac_energy("float", 16, 45).value == pytest.approx(1.5)
    eight = mac_energy("int", 8, 45)
    assert 0.2 + 0.03 < eight.value < 0.2 + 0.1
    # Aladdin at 40 nm, 8 x 8 multiply and 16 b add, is 0.90 pJ: the high end.
    assert mac_energy("int", 8, 40).high == pytest.approx(0.9, rel=0.01)
    # Accelergy's 45 nm MACs of the golden set lie inside the range: 8 b 1.13555, 16 b 4.14366 (with their 20 % margin).
    assert eight.low < 1.13555 < 1.2 * eight.high
    assert mac_energy("int", 16, 45).low < 4.14366 < 1.2 * mac_energy("int", 16, 45).high


def test_multiplication_is_nearly_quadratic_and_unknown_kinds_are_refused() -> None:
    assert operation_pj("int", "multiply", 16) / operation_pj("int", "multiply", 8) == pytest.approx(4, rel=0.05)
    with pytest.raises(EnergySimError, match="no energy is known for fixed"):
        mac_energy("fixed", 8, 45)


def test_scaling_is_monotone_reversible_and_bounded() -> None:
    nodes = [7, 8, 10, 12, 14, 16, 20, 22, 28, 32, 40, 45, 65, 90, 130]
    energies = [relative_energy(nm) for nm in nodes]
    assert energies == sorted(energies)
    one = Sourced(1.0, 1.0, 1.0, "x")
    assert scale_energy(one, 45, 45) is one
    back = scale_energy(scale_energy(one, 45, 16), 16, 45)
    assert back.value == pytest.approx(1.0) and back.low < 1 < back.high
    # Dennard-like from 65 to 45 nm, less below: published factors lie in these brackets.
    assert 1.5 < relative_energy(65) / relative_energy(45) < 2.5
    assert 3 < relative_energy(45) / relative_energy(20) < 5
    for nm in (3, 180):
        with pytest.raises(EnergySimError, match="no published scaling"):
            relative_energy(nm)


# Accelergy's register files at 45 nm in the golden set: words, bits, read pJ.
ACCELERGY = [(12, 16, 0.39895), (16, 16, 0.492707), (32, 16, 0.833781), (64, 16, 1.41474), (192, 16, 3.81421),
             (32, 8, 0.433297), (64, 8, 0.727059)]  # fmt: skip


@pytest.mark.parametrize(("words", "bits", "read"), ACCELERGY)
def test_the_register_file_law_meets_accelergy(words: int, bits: int, read: float) -> None:
    cost = regfile_cost(45, words * bits, bits)
    if words * bits < 256 * 8:
        assert cost.read_pj.high == pytest.approx(max(read, cost.read_pj.high), rel=0.11)
        assert cost.read_pj.low <= read
    assert cost.read_pj.estimate == (words * bits < 256 * 8)


def test_large_register_files_are_srams_and_small_ones_cheaper() -> None:
    assert regfile_cost(45, 2048 * 8, 32) == sram_cost(45, 2048, 32)
    small, large = regfile_cost(45, 4 * 16, 16), regfile_cost(45, 64 * 16, 16)
    assert small.read_pj.value < large.read_pj.value <= sram_cost(45, 256, 16).read_pj.value
    assert small.leakage_w.value < large.leakage_w.value


def test_dram() -> None:
    read, write = dram_pj_per_bit("LPDDR4")
    assert (read.low, read.value, read.high) == (4.0, 8.0, 20.0) and read == write
    assert dram_pj_per_bit("lpddr5")[0].value == 6.0
    generic = dram_pj_per_bit(None)
    assert (generic[0].value, generic[1].value) == (10.9, 11.7)
    assert "HBM2" in dram_technologies()
    with pytest.raises(EnergySimError, match="did you mean 'LPDDR4' or"):
        dram_pj_per_bit("LPDDR44")
