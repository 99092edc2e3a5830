"""The estimator `accelergy` on recorded tables, and the user's own ERT and ART."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Compute, Energy, Memory
from energysim.cli import cli
from energysim.energy import accelergy, estimate
from energysim.energy.reference_tables import area_notes, areas_mm2, component_name, read_tables, stating
from energysim.errors import EnergySimError, ProgramError, SpecError, UnavailableError

_ALL = frozenset({"weights", "ifmap", "ofmap"})
_FAKE = Path(__file__).parent / "fake_accelergy.py"
Patch = pytest.MonkeyPatch
# What the real Accelergy 0.4 with the CACTI and Library plug-ins answered: pJ, pJ per cycle, um^2.
GLB_READ = 41.3659
GLB_WRITE = 40.4973
GLB_LEAK = 0.0652426
RF_READ = 0.226041
MAC8_MULTIPLIER = 1.24401
MAC8_ADDER = 0.164822
GLB_AREA = 472804.0


def _arch(nm: float | None = 65) -> ArchSpec:
    return ArchSpec(
        "tested",
        (
            Memory("DRAM", "dram", _ALL, access_bits=64, technology="LPDDR4"),
            Memory("GLB", "sram", _ALL, capacity_bits=8 * 2**16, access_bits=64, banks=4),
            Memory("RF", "regfile", _ALL, capacity_bits=16 * 12, access_bits=16),
            Compute("MAC", "int", 8, ((8, 1.0), (16, 0.5))),
        ),
        clock_hz=200e6,
        technology_nm=nm,
    )


@pytest.fixture
def log(tmp_path: Path, monkeypatch: Patch) -> Path:
    """`accelergy` on PATH replays recordings; the file gets a line per run."""
    script = tmp_path / "accelergy"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{_FAKE}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("ENERGYSIM_ACCELERGY", raising=False)
    monkeypatch.setenv("FAKE_ACCELERGY_LOG", str(tmp_path / "log"))
    accelergy._asked.cache_clear()
    return tmp_path / "log"


def test_tables_read_back(log: Path) -> None:
    """Values of the recorded ERT: pJ per access, leakage per cycle times the clock, parts of one component added."""
    energies = estimate(_arch(), "accelergy")
    assert energies.memory("DRAM").read.pj.value == 512.0
    assert energies.memory("DRAM").read.bits == 64
    glb = energies.memory("GLB")
    assert (glb.read.pj.value, glb.write.pj.value) == (GLB_READ, GLB_WRITE)
    assert glb.read.pj.source == "Accelergy, plug-in CactiSRAM"
    assert glb.leakage_w is not None
    assert glb.leakage_w.value == pytest.approx(GLB_LEAK * 1e-12 * 200e6)
    # A register of one word; its 12 rows leak together.
    assert energies.memory("RF").read.pj.value == RF_READ
    assert energies.mac(8).pj.value == pytest.approx(MAC8_MULTIPLIER + MAC8_ADDER)
    assert energies.mac(16).pj.value > 2 * energies.mac(8).pj.value
    assert "plug-in Library" in energies.mac(8).pj.source


def test_notes_name_plug_ins_and_warnings(log: Path) -> None:
    notes = estimate(_arch(), "accelergy").notes
    assert notes[0].startswith("Accelergy's plug-ins: DRAM: CactiDRAM, GLB: CactiSRAM, RF: Library, MAC: Library")
    assert notes[1:] == ("Accelergy: The cell library is from 2012",)  # what it says of every run is left out


def test_areas(log: Path) -> None:
    energies = estimate(_arch(), "accelergy")
    assert dict(energies.areas_um2)["GLB"] == GLB_AREA
    (note,) = area_notes(areas_mm2(_arch(), read_tables(), energies))
    assert note.startswith("area of all instances: ")


def test_one_run_per_architecture(log: Path) -> None:
    for _ in range(3):
        estimate(_arch(), "accelergy")
    assert len(log.read_text().splitlines()) == 1
    estimate(replace(_arch(), clock_hz=100e6), "accelergy")
    assert len(log.read_text().splitlines()) == 2


def test_classes_by_node(log: Path) -> None:
    """Aladdin's own tables at 45 nm; the scaled ones elsewhere."""
    estimate(_arch(), "accelergy")
    with pytest.raises(ProgramError, match="MAC: Accelergy's ERT has no energy"):  # recorded at 65 nm: other parts
        estimate(_arch(45), "accelergy")
    first, second = log.read_text().splitlines()
    assert "RF:aladdin_register MAC_multiplier:aladdin_multiplier MAC_adder:aladdin_adder" in first
    assert "RF:regfile MAC:intmac MAC_16b:intmac" in second


def test_only_what_is_left_open(log: Path) -> None:
    """What the architecture states wins and is not asked for."""
    stated = Energy(Sourced(1.0, 1.0, 1.0, "test"), 64)
    arch = _arch()
    nodes = tuple(
        replace(node, mac_energy=stated)
        if isinstance(node, Compute)
        else replace(node, read_energy=stated, write_energy=stated)
        for node in arch.nodes
        if isinstance(node, Memory | Compute)
    )
    energies = estimate(replace(arch, nodes=nodes), "accelergy")
    assert energies.notes == ("Accelergy: every energy is stated",)
    assert not log.exists()


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("crash", ProgramError, r"Accelergy failed \(255\): Can not find an energy estimator for regfile.*65nm is not"),
        ("unwritten", ProgramError, "Accelergy wrote no ERT.yaml"),
        ("garbage", ProgramError, r"tables cannot be read: the energy of DRAM.read is None"),
        ("version", UnavailableError, r"writes another format: version 0.9 of the ERT"),
    ],
)
def test_runs_that_fail(log: Path, monkeypatch: Patch, fault: str, kind: type[EnergySimError], message: str) -> None:
    monkeypatch.setenv("FAKE_ACCELERGY", fault)
    with pytest.raises(kind, match=message) as caught:
        estimate(_arch(), "accelergy")
    assert "Class name" not in str(caught.value)  # plug-ins that never could are not named


def test_time_limit(log: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("FAKE_ACCELERGY", "hang")
    monkeypatch.setattr(accelergy, "LIMIT_S", 0.5)
    with pytest.raises(ProgramError, match=r"did not end within 0.5 s"):
        estimate(_arch(), "accelergy")


def test_missing(monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"accelergy is not installed.*ENERGYSIM_ACCELERGY.*https://timeloop"):
        estimate(_arch(), "accelergy")


def test_no_technology(log: Path) -> None:
    with pytest.raises(SpecError, match="tested states no technology"):
        estimate(_arch(None), "accelergy")


# --- the user's own tables ------------------------------------------------------------------------------------------

_ERT = """\
ERT:
  version: 0.4
  tables:
    - name: system.DRAM
      actions:
        - {name: read, arguments: {x: 1}, energy: 100.0}
        - {name: read, arguments: {x: 2}, energy: 120.0}
        - {name: write, energy: 90.0}
    - name: system.PE[1..4].MAC[1..64]
      actions:
        - {name: compute, energy: 2.0}
        - {name: leak, energy: 0.5}
"""


def test_own_ert_wins(tmp_path: Path) -> None:
    path = tmp_path / "ert.yaml"
    path.write_text(_ERT)
    energies = estimate(stating(_arch(), read_tables([path])))
    dram = energies.memory("DRAM")
    assert (dram.read.pj.value, dram.write.pj.value, dram.update.pj.value) == (120.0, 90.0, 90.0)
    assert (dram.read.pj.low, dram.read.pj.source) == (120.0, "ERT of ert.yaml")
    assert energies.mac(8).pj.value == 2.0
    assert energies.mac(16).pj.value == 8.0  # another width of the unit: quadratically
    assert energies.compute.leakage_w is not None
    assert energies.compute.leakage_w.value == pytest.approx(0.5e-12 * 200e6)
    assert energies.memory("GLB") == estimate(_arch()).memory("GLB")


def test_own_tables_on_the_command_line(tmp_path: Path) -> None:
    ert, art = tmp_path / "ert.yaml", tmp_path / "art.yaml"
    ert.write_text(_ERT)
    art.write_text("ART: {version: 0.4, tables: [{name: system.MAC, area: 1000.0}]}\n")
    words = ["simulate", "lightweight_cnn", "--arch", "a2", "--time-limit", "0"]
    plain = CliRunner().invoke(cli, words)
    own = CliRunner().invoke(cli, [*words, "--ert", str(ert), "--art", str(art)])
    assert own.exit_code == 0, own.output
    assert "area of all instances: 0.256 mm2" in " ".join(own.output.split())  # 256 of 1000 um2
    assert "area of" not in plain.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ART: {}", "this file holds no 'ERT'"),
        ("ERT: {version: 0.9, tables: []}", r"ert.yaml:1: ERT.version: version 0.9 of the ERT \(0.3 or 0.4 is right\)"),
        ("ERT: {version: 0.4}", "'tables' is no list"),
        (
            _ERT.replace("energy: 90.0", "energy: -90.0"),
            r"ert.yaml:8: ERT.tables.0.actions.2.energy: .*DRAM.write is -90",
        ),
        (_ERT.replace("name: write", "nme: write"), r"ert.yaml:8: .*an action of 'DRAM' has no name"),
        (_ERT.replace("DRAM", "DRM"), r"tested has no component 'DRM', but the ERT has \(did you mean 'DRAM'"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "ert.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=message):
        stating(_arch(), read_tables([path]))


@pytest.mark.parametrize(
    ("text", "name"),
    [("system.RF[1..64]", "RF"), ("RF", "RF"), ("a.b[1..4].c[0..3]", "c"), ("system_top_level.DRAM[1..1]", "DRAM")],
)
def test_component_names(text: str, name: str) -> None:
    assert component_name(text) == name
