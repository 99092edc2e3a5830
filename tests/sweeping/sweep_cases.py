"""A design space that takes milliseconds a point, and needs neither PyTorch nor a trace."""

from __future__ import annotations

from pathlib import Path

WORKLOAD = """\
problems:
  - name: conv
    dims: {K: 4, C: 3, P: 6, Q: 6, R: 3, S: 3}
    weights: [K, C, R, S]
    ifmap: [C, P + R, Q + S]
    ofmap: [K, P, Q]
  - name: pointwise
    dims: {K: 8, C: 4, P: 6, Q: 6}
    weights: [K, C]
    ifmap: [C, P, Q]
    ofmap: [K, P, Q]
"""

DEVICE = """\
version: 1
name: tiny
clock: 1 GHz
nodes:
  - memory: DRAM
    kind: dram
    keeps: [weights, ifmap, ofmap]
    bandwidth: {shared: 64 b/cycle}
    energy: {read: 100 pJ/word, write: 100 pJ/word}
  - memory: GLB
    kind: sram
    capacity: 128 B
    keeps: [weights, ifmap, ofmap]
    energy: {read: 1 pJ/word, write: 1 pJ/word}
  - array: PE
    x: 4
    constraints: {x: [K]}
  - compute: MAC
    bits: 8
    energy: {mac: 0.1 pJ}
"""

EXPERIMENT = """\
sweep:
  workload: WORKLOAD
  arch: ARCH
  arch.GLB.capacity: {from: 64 B, to: 256 B, step: 16 B}
  arch.PE.x: [1, 2, 4]
  bits: [8, 16]
"""


def write_case(directory: Path, experiment: str = EXPERIMENT) -> Path:
    """The experiment's file, with the network and the device beside it."""
    (directory / "net.yaml").write_text(WORKLOAD)
    (directory / "tiny.yaml").write_text(DEVICE)
    file = directory / "case.yaml"
    file.write_text(
        experiment.replace("WORKLOAD", str(directory / "net.yaml")).replace("ARCH", str(directory / "tiny.yaml"))
    )
    return file
