"""`optimal` on whole networks: growing buffers, the other variants, and the floor."""

from __future__ import annotations

from dataclasses import replace

import pytest

import energysim
from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.workload import resolve_workload

KIB = 1024
BUFFERS = {
    "lightweight_cnn": (2 * KIB, 4 * KIB, 8 * KIB, 32 * KIB),
    "resnet20": (2 * KIB, 4 * KIB, 8 * KIB, 16 * KIB),
    "mobilenet_v2_cifar": (2 * KIB, 4 * KIB, 8 * KIB),
}


def a2_with(capacity_bytes: int) -> ArchSpec:
    """The device `a2` with a buffer of another size."""
    arch = load_arch("a2")
    buffer = arch.memories[1]
    nodes = (replace(buffer, capacity_bits=8 * capacity_bytes) if node is buffer else node for node in arch.nodes)
    return replace(arch, nodes=tuple(nodes))


@pytest.mark.parametrize("network", BUFFERS)
def test_a_larger_buffer_moves_less_and_no_other_variant_as_little(network: str) -> None:
    graph = resolve_workload(network).trace()
    moved: list[float] = []
    for capacity in BUFFERS[network]:
        result = energysim.simulate(graph, a2_with(capacity), variant="all", objective="dram")
        *others, best = result.variants
        assert best.variant == "optimal" and best.optimal
        assert {"layerwise", "buffered", "full"} <= {cost.variant for cost in others}
        assert all(best.dram_bytes <= cost.dram_bytes for cost in others)
        assert best.dram_bytes >= best.dram_floor_bytes
        moved.append(best.dram_bytes)
    assert moved == sorted(moved, reverse=True)
    assert moved[0] > 1.3 * moved[-1]
