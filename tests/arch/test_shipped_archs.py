"""Every shipped device: loads, is sane, is sourced, and has the published peaks."""

import pytest

from energysim.arch.loader import arch_from, list_archs, load_arch
from energysim.arch.schema import DIMENSIONS
from energysim.arch.spec import ArchSpec, Array, Compute, Memory
from energysim.energy import estimate
from energysim.energy.describe import dram_bytes_per_s, peak_macs_per_s
from energysim.spec_files import find_spec, load_yaml

NAMES = {
    "a2", "edge_tpu_like", "ethos_u55", "eyeriss", "gemmini", "jetson_nano", "jetson_orin_nano", "jetson_tx2",
    "jetson_xavier_nx", "meta_proto_df", "nvdla_large", "nvdla_small", "simba", "simple3",
}  # fmt: skip

# name -> (operand bits, peak MAC/s, DRAM bytes/s); peaks are half of the published OP/s.
PEAKS = {
    "jetson_nano": [(32, 235.9e9 / 2, 25.6e9), (16, 471.9e9 / 2, 25.6e9)],
    "jetson_tx2": [(32, 665.6e9 / 2, 59.7e9), (16, 1.33e12 / 2, 59.7e9)],
    "jetson_xavier_nx": [(32, 851.9e9 / 2, 51.2e9), (16, 6.8e12 / 2, 51.2e9), (8, 13.6e12 / 2, 51.2e9)],
    "jetson_orin_nano": [(32, 1.28e12 / 2, 68.3e9), (16, 10.2e12 / 2, 68.3e9), (8, 20.5e12 / 2, 68.3e9)],
    "eyeriss": [(16, 168 * 200e6, 0.48e9)],
    "gemmini": [(8, 256e9, 16e9)],
    "nvdla_small": [(8, 64e9, 8e9)],
    "nvdla_large": [(8, 2048e9, 25.6e9)],
    "ethos_u55": [(8, 256 * 500e6, 0.5e9)],
    "edge_tpu_like": [(8, 2e12, 4e9)],
    "meta_proto_df": [(8, 1024e9, 8e9)],
    "a2": [(8, 256e9, 25.6e9)],
}
MACS = {"simba": 1024, "eyeriss": 168, "nvdla_small": 64, "nvdla_large": 2048, "ethos_u55": 256, "simple3": 64}


@pytest.fixture(params=sorted(NAMES))
def arch(request: pytest.FixtureRequest) -> ArchSpec:
    return load_arch(request.param)


def test_all_are_there() -> None:
    assert set(list_archs()) == NAMES


def test_structure(arch: ArchSpec) -> None:
    assert arch.name in NAMES and arch.description and arch.source == f"{arch.name}.yaml" and len(arch.sha256) == 64
    outermost = arch.memories[0]
    assert outermost.kind == "dram" and outermost.keep == {"weights", "ifmap", "ofmap"}
    assert outermost.capacity_bits is None and arch.nodes[0] is outermost
    assert isinstance(arch.nodes[-1], Compute)
    assert arch.clock_hz > 0 and arch.not_modelled and arch.assumptions
    assert len({node.name for node in arch.nodes}) == len(arch.nodes)
    for memory in arch.memories[1:]:
        assert memory.capacity_bits and memory.keep | memory.may_bypass


def test_any_layer_can_be_held(arch: ArchSpec) -> None:
    """With every loop at the DRAM, one word (and one partial sum) of each kept tensor fits; nothing forces a factor."""
    for node in arch.nodes:
        if isinstance(node, Memory) and node.capacity_bits is not None:
            words = sum(max(node.bits_of(arch.default_bits), node.psum_bits or 0) for _ in node.keep)
            assert words * node.multiple_buffering <= node.capacity_bits, node.name
        if not isinstance(node, Compute):
            assert all(factor == 1 for _, factor in node.constraints.fixed), node.name
            assert node.constraints.min_utilization == 0


def test_every_stated_number_has_a_source_or_a_range(arch: ArchSpec) -> None:
    assert arch.provenance
    for key, stated in arch.provenance:
        assert stated.source and "stated in" not in stated.source, key
        if stated.estimate:
            assert stated.low < stated.high, key


def test_every_action_has_an_energy(arch: ArchSpec) -> None:
    energies = estimate(arch)
    assert [memory.name for memory in energies.memories] == [memory.name for memory in arch.memories]
    for memory in energies.memories:
        for energy in (memory.read, memory.write, memory.update):
            assert 0 < energy.pj.low <= energy.pj.value <= energy.pj.high and energy.bits > 0 and energy.pj.source
    per_bit = [memory.read.pj.value / memory.read.bits for memory in energies.memories]
    assert max(per_bit) == per_bit[0], "DRAM is the dearest"
    assert energies.mac(arch.default_bits).pj.value > 0


@pytest.mark.parametrize("name", sorted(PEAKS))
def test_published_peaks(name: str) -> None:
    arch = load_arch(name)
    peaks = peak_macs_per_s(arch)
    for bits, macs_per_s, bandwidth in PEAKS[name]:
        tolerance = 0.02 if name == "edge_tpu_like" else 0.005
        assert peaks[bits] == pytest.approx(macs_per_s, rel=tolerance)
        assert dram_bytes_per_s(arch) == pytest.approx(bandwidth, rel=1e-9)


@pytest.mark.parametrize("name", sorted(MACS))
def test_number_of_macs(name: str) -> None:
    arch = load_arch(name)
    assert arch.instances(len(arch.nodes) - 1) == MACS[name]


def test_sizes_of_eyeriss() -> None:
    arch = load_arch("eyeriss")
    sizes = {memory.name: memory.capacity_bits for memory in arch.memories}
    assert sizes == {
        "DRAM": None,
        "GLB": 100 * 1024 * 8,
        "IFMAP_SPAD": 12 * 16,
        "FILTER_SPAD": 224 * 16,
        "PSUM_SPAD": 24 * 16,
    }
    array = next(node for node in arch.nodes if isinstance(node, Array))
    assert (array.x, array.y) == (14, 12)
    only_k = dict(arch.memories[-1].constraints.fixed)
    assert set(only_k) == set(DIMENSIONS) - {"K"} and set(only_k.values()) == {1}
    assert not arch.memories[1].holds("W", "weights")


def test_energies_of_simple3_are_the_reference_table() -> None:
    """Accelergy's energy reference table of the golden set, per access."""
    energies = estimate(load_arch("simple3"))
    glb, rf = energies.memory("GLB"), energies.memory("RF")
    assert (energies.memory("DRAM").read.pj.value, energies.memory("DRAM").read.bits) == (512.0, 64)
    assert (glb.read.pj.value, glb.write.pj.value, glb.update.pj.value) == (32.3778, 26.1569, 26.1569)
    assert (rf.read.pj.value, rf.update.pj.value, rf.read.bits) == (1.41474, 1.23255, 16)
    assert energies.mac(16).pj.value == 4.14366
    # mW of leakage = pJ per 1 ns cycle: 0.00535305 pJ per cycle.
    assert glb.leakage_w is not None and glb.leakage_w.value == pytest.approx(0.00535305e-12 / 1e-9)


def test_overrides_apply_before_anything_is_derived() -> None:
    plain = load_arch("a2")
    changed = load_arch(
        "a2", {"BUF.capacity": "128 KiB", "PE.x": 32, "clock": "2 GHz", "BUF.energy.read.value": "1 pJ/bit"}
    )
    buffer = changed.memories[1]
    assert buffer.capacity_bits == 2 * (plain.memories[1].capacity_bits or 0)
    assert buffer.read_energy is not None and buffer.read_energy.pj.value == 64.0
    assert changed.instances(3) == 512 and changed.clock_hz == 2e9
    assert changed.memories[0].shared_bandwidth == pytest.approx(102.4)  # bits per cycle at the new clock
    assert changed.sha256 != plain.sha256 and any("128 KiB" in line for line in changed.assumptions)
    assert load_arch("a2", {}).sha256 == plain.sha256


def test_architectures_are_values() -> None:
    assert load_arch("gemmini") == load_arch("gemmini")
    spec = load_yaml(find_spec("arch_specs", "gemmini"))
    assert hash(arch_from(spec)) == hash(load_arch("gemmini"))
