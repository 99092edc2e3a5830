"""What energysim's own mapper would do with the layers that the Eyeriss chip ran."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.arch.loader import load_arch
from energysim.cost.mapped import cost_of_mapping
from energysim.cost.model import cost_model
from energysim.energy import estimate
from energysim.engines.registry import get_engine
from energysim.mapping.counts import Convention
from energysim.mapping.search import Objective
from energysim.validation.eyeriss import chip_pj, dram_bytes, glb_bytes
from energysim.validation.published import MeasuredLayer, eyeriss_layers


@dataclass(frozen=True, slots=True)
class OwnLayer:
    """A layer with the mapping of least energy-delay product; bytes plain, energies of the chip's components in J."""

    measured: MeasuredLayer
    latency_s: float
    dram_bytes: float
    glb_bytes: float
    energy_j: float
    optimal: bool


def own_mappings(network: str) -> tuple[OwnLayer, ...]:
    """Every convolution of ``alexnet`` or ``vgg16``, mapped as `energysim simulate --objective edp` would."""
    arch = load_arch("eyeriss")
    energies, engine = estimate(arch, "table"), get_engine("native")
    found = []
    for layer in eyeriss_layers(network):
        costs = cost_model(layer.problem, arch, energies)
        mapped = engine.search(layer.problem, arch, costs, Objective.parse("edp"), Convention.EXACT)
        cost = cost_of_mapping(layer.problem, arch, mapped.mapping, mapped.counts, energies)
        found.append(
            OwnLayer(
                layer,
                mapped.counts.cycles / arch.clock_hz,
                sum(dram_bytes(mapped.counts).values()),
                glb_bytes(mapped.counts),
                chip_pj(cost) * 1e-12,
                mapped.optimal,
            )
        )
    return tuple(found)
