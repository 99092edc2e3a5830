"""No prediction for the Jetson Nano draws more than the board's 10 W, whatever network and batch."""

from __future__ import annotations

import pytest

from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.calibration.jetson import NANO_POWER_W
from energysim.cost.energy import leakage_of
from energysim.energy import ActionEnergies, estimate
from energysim.simulation import simulate

NANO = load_arch("jetson_nano")


def ceiling_w(arch: ArchSpec, energies: ActionEnergies, bits: int) -> float:
    """Every port of every memory and every multiplier busy all the time, leakage and idle power: no network does more,
    since a layer takes at least as long as its busiest resource at its peak."""
    assert arch.idle_power_w is not None
    watts = arch.idle_power_w.value + sum(leakage.value for _, leakage in leakage_of(arch, energies))
    for index, node in enumerate(arch.nodes):
        if node not in arch.memories:
            continue
        costs, instances = energies.memory(node.name), arch.instances(index) * arch.clock_hz * 1e-12
        read, write = (
            max(energy.pj.value / energy.bits for energy in each)
            for each in ((costs.read,), (costs.write, costs.update))
        )
        if node.shared_bandwidth is not None:
            watts += node.shared_bandwidth * max(read, write) * instances
        else:
            watts += (node.read_bandwidth * read + node.write_bandwidth * write) * instances
    peak = arch.compute.throughput(bits) * arch.instances(len(arch.nodes) - 1) * arch.clock_hz
    return watts + peak * energies.mac(bits).pj.value * 1e-12


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_the_device_at_its_peak_keeps_the_bound(bits: int) -> None:
    assert ceiling_w(NANO, estimate(NANO), bits) < NANO_POWER_W


# Convolutions, linear layers, and depthwise convolutions in many small layers.
@pytest.mark.parametrize(
    ("workload", "shape", "batch", "bits"),
    [
        ("lightweight_cnn", "1x3x8x8", 1, 16),
        ("lightweight_cnn", "1x3x8x8", 16, 32),
        ("ffnn", None, 1, 16),
        ("ffnn", None, 64, 32),
        ("mobilenet_v2_cifar", "1x3x8x8", 1, 16),
    ],
)
def test_predictions_stay_under_the_peak(workload: str, shape: str | None, batch: int, bits: int) -> None:
    found = simulate(workload, NANO, input=shape, batch=batch, bits=bits, time_limit_s=2)
    (cost,) = found.variants
    assert NANO.idle_power_w is not None
    watts = cost.energy.value * 1e-12 / cost.latency_s + NANO.idle_power_w.value
    assert NANO.idle_power_w.value < watts < ceiling_w(NANO, estimate(NANO), bits)
    for layer in cost.layers:
        assert layer.energy.value * 1e-12 / layer.latency_s < ceiling_w(NANO, estimate(NANO), bits)
