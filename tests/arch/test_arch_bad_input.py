"""Bad architecture files: one error each, with file, line, key and what would be right."""

import pytest

from energysim.arch.loader import load_arch, parse_arch
from energysim.errors import NotFoundError, SpecError

GOOD = """\
version: 1
name: small
clock: 1 GHz
nodes:
  - memory: DRAM
    kind: dram
    keeps: [weights, ifmap, ofmap]
    bandwidth: {shared: 8 GB/s}
  - memory: GLB
    kind: sram
    capacity: 64 KiB
    keeps: [weights, ifmap, ofmap]
    energy: {read: 1 pJ/bit, write: 1 pJ/bit}
  - array: PE
    x: 4
    constraints: {x: [K]}
  - compute: MAC
    bits: 8
    energy: {mac: 0.3 pJ}
"""

# (what is replaced, by what, file:line: key, what is wrong, what would be right)
CASES = [
    ("capacity: 64 KiB", "capcity: 64 KiB", "f.yaml:11: nodes.1.capcity", "unknown key", "did you mean 'capacity'?"),
    ("capacity: 64 KiB", "capacity: -64 KiB", "f.yaml:11: nodes.1.capacity", "is negative", "at least 0"),
    ("capacity: 64 KiB", "capacity: 64", "f.yaml:11: nodes.1.capacity", "has no unit", "64 KiB"),
    ("capacity: 64 KiB", "capacity: 64 pJ", "f.yaml:11: nodes.1.capacity", "does not measure a size", "64 KiB"),
    ("capacity: 64 KiB", "capacity: 4 b", "f.yaml:11: nodes.1.capacity", "less than one access", ""),
    ("    capacity: 64 KiB\n", "", "f.yaml:9: nodes.1", "a memory of kind sram needs a capacity", "capacity: 64 KiB"),
    ("kind: sram", "kind: srm", "f.yaml:10: nodes.1.kind", "'srm' is no kind of memory", "did you mean 'sram'?"),
    ("shared: 8 GB/s", "shared: 8 GB", "f.yaml:8: nodes.0.bandwidth.shared", "has no time", "25.6 GB/s"),
    (
        "shared: 8 GB/s",
        "shred: 8 GB/s",
        "f.yaml:8: nodes.0.bandwidth.shred",
        "unknown key",
        "did you mean 'shared' or 'read'?",
    ),
    ("read: 1 pJ/bit", "read: 1 pJ/mac", "f.yaml:13: nodes.1.energy.read", "no energy of a memory", "pJ/access"),
    ("read: 1 pJ/bit", "read: 1 W", "f.yaml:13: nodes.1.energy.read", "does not measure an energy", "8 pJ/bit"),
    (
        "read: 1 pJ/bit",
        "read: {value: 1 pJ/bit, low: 2 pJ/bit}",
        "f.yaml:13: nodes.1.energy.read",
        "low <= value <= high does not hold",
        "",
    ),
    (
        "read: 1 pJ/bit",
        "read: {value: 1 pJ/bit, low: 2 Hz}",
        "f.yaml:13: nodes.1.energy.read.low",
        "does not measure an energy",
        "8 pJ/bit",
    ),
    (
        "read: 1 pJ/bit",
        "read: {value: 1 pJ/bit, estimate: true}",
        "f.yaml:13: nodes.1.energy.read",
        "an estimate needs the keys 'low' and 'high'",
        "",
    ),
    ("mac: 0.3 pJ", "mac: 0.3 pJ/bit", "f.yaml:19: nodes.3.energy.mac", "energy per bit", "'0.3 pJ'"),
    ("clock: 1 GHz", "clock: 1 ghz", "f.yaml:3: clock", "does not measure a frequency", "did you mean 'GHz'?"),
    ("clock: 1 GHz\n", "", "f.yaml:1: clock", "missing key 'clock'", ""),
    ("version: 1", "version: 2", "f.yaml:1: version", "input should be 1", ""),
    ("  - compute: MAC\n    bits: 8\n    energy: {mac: 0.3 pJ}\n", "", "f.yaml:14: nodes.2", "no compute node", "MAC"),
    ("memory: GLB", "memory: DRAM", "f.yaml:9: nodes.1.memory", "'DRAM' is taken by node 0", ""),
    (
        "    keeps: [weights, ifmap, ofmap]\n    bandwidth",
        "    keeps: [weights, ifmap]\n    bandwidth",
        "f.yaml:7: nodes.0.keeps",
        "does not keep ofmap",
        "keeps: [weights, ifmap, ofmap]",
    ),
    (
        "    keeps: [weights, ifmap, ofmap]\n    bandwidth",
        "    keeps: [weight, ifmap, ofmap]\n    bandwidth",
        "f.yaml:7: nodes.0.keeps.0",
        "'weight' is no role of a tensor",
        "did you mean 'weights'?",
    ),
    (
        "    keeps: [weights, ifmap, ofmap]\n    energy",
        "    keeps: []\n    energy",
        "f.yaml:9: nodes.1",
        "'GLB' keeps nothing",
        "keeps: [",
    ),
    (
        "    energy: {read",
        "    may_bypass: [ofmap]\n    energy: {read",
        "f.yaml:13: nodes.1.may_bypass",
        "ofmap is both kept and bypassable",
        "",
    ),
    ("x: 4", "x: 0", "f.yaml:15: nodes.2.x", "greater than 0", ""),
    ("x: 4", "x: 4.5", "f.yaml:15: nodes.2.x", "valid integer", ""),
    ("x: [K]", "x: [Z]", "f.yaml:16: nodes.2.constraints.x.0", "'Z' is no dimension", "one of G, N, K"),
    (
        "x: [K]",
        "fixed: {K: 9}",
        "f.yaml:16: nodes.2.constraints.fixed.K",
        "9 does not fit the 4 x 1 array",
        "at most 4",
    ),
    ("array: PE", "aray: PE", "f.yaml:14: nodes.2", "exactly one of the keys", "- memory: DRAM"),
    ("  - compute: MAC", "  - compute: MAC\n    memory: X", "f.yaml:17: nodes.3", "exactly one of the keys", ""),
    ("bits: 8", "bits: 8\n    macs_per_cycle: {8: 0}", "f.yaml:19: nodes.3.macs_per_cycle.8", "greater than 0", ""),
    (
        "clock: 1 GHz",
        "clock: 1 GHz\nefficiency: {convs: {}}",
        "f.yaml:4: efficiency.convs",
        "no operator class",
        "did you mean",
    ),
    (
        "clock: 1 GHz",
        "clock: 1 GHz\nefficiency: {conv: {compute: 1.5}}",
        "f.yaml:4: efficiency.conv.compute",
        "no share of a peak",
        "at most 1",
    ),
    ("nodes:", "nodes: 3\nnods:", "f.yaml:5: nods", "unknown key 'nods'", "did you mean 'nodes'?"),
    ("name: small", "name: small\nname: large", "f.yaml:3", "duplicate key", "each key once"),
    ("    kind: sram", "\tkind: sram", "f.yaml:10", "", "spaces, not tabs"),
]


def test_the_good_one_is_good() -> None:
    arch = parse_arch(GOOD, "f.yaml")
    assert [node.name for node in arch.nodes] == ["DRAM", "GLB", "PE", "MAC"]
    assert arch.memories[0].shared_bandwidth == 64.0


@pytest.mark.parametrize(("old", "new", "where", "what", "right"), CASES, ids=[f"{c[1][:40]!r}" for c in CASES])
def test_bad_files(old: str, new: str, where: str, what: str, right: str) -> None:
    assert GOOD.count(old) >= 1
    with pytest.raises(SpecError) as caught:
        parse_arch(GOOD.replace(old, new, 1), "f.yaml")
    message = str(caught.value)
    assert message.startswith(f"{where}: "), message
    assert what in message and right in message


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"BUFF.capacity": "1 KiB"}, "did you mean 'BUF'?"),
        ({"BUF.capacty": "1 KiB"}, "did you mean 'capacity'?"),
        ({"BUF.capacity": "1 KB/s"}, "does not measure a size"),
        ({"BUF": "1 KiB"}, "neither a node nor a key"),
        ({"nodes.capacity": "1 KiB"}, "leads to a list"),
        ({"clok": "1 GHz"}, "did you mean 'clock'?"),
    ],
)
def test_bad_overrides(overrides: dict[str, str], says: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_arch("a2", overrides)
    assert says in str(caught.value)


def test_unknown_names() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'eyeriss'"):
        load_arch("eyeris")
    with pytest.raises(NotFoundError, match="no file"):
        load_arch("my/own.yaml")
