"""The Eyeriss chip, layer by layer: what was measured beside what energysim predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.cost.mapped import MappedCost, cost_of_mapping
from energysim.energy import ActionEnergies, estimate
from energysim.mapping.counts import Counts
from energysim.mapping.evaluate import evaluate
from energysim.validation.published import WORD_BITS, MeasuredLayer, eyeriss_layers
from energysim.validation.row_stationary import active_pes, mapping_of
from energysim.validation.run_length import coded_share

DRAM, _GLB = "DRAM", "GLB"
_GATED = frozenset({("FILTER_SPAD", "weights"), ("PSUM_SPAD", "ofmap")})
"""What a PE leaves still where the ifmap word is zero, besides its multiplier (JSSC 2017, section VI-B)."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One layer on the chip's mapping. Bytes and energies of the whole batch; energies are the chip's, without DRAM.

    ``dram_bytes`` is plain, ``coded_dram_bytes`` has the feature maps run-length coded (None without published zeros).
    ``latency_s`` is processing: the slowest of compute and each memory's port. ``maps_s``: what the feature maps take
    over the DRAM's link (coded where that is known): the global buffer prefetches filters, but has no second place for
    maps. ``gated_energy_j`` leaves out what the chip gates at zeros. ``link_words``: words over the array's network.
    """

    active_pes: int
    glb_bytes: float
    dram_bytes: float
    coded_dram_bytes: float | None
    latency_s: float
    maps_s: float
    bottleneck: str
    energy_j: float
    gated_energy_j: float | None
    link_words: int

    @property
    def total_s(self) -> float:
        """Processing, and the transfers of feature maps before and after it."""
        return self.latency_s + self.maps_s


@dataclass(frozen=True, slots=True)
class ComparedLayer:
    """A layer, measured and predicted."""

    measured: MeasuredLayer
    predicted: Prediction


def compare_eyeriss(network: str, arch: ArchSpec | None = None) -> tuple[ComparedLayer, ...]:
    """Every convolution of ``alexnet`` or ``vgg16`` as the chip ran it."""
    spec = load_arch("eyeriss") if arch is None else arch
    energies = estimate(spec, "table")
    layers = eyeriss_layers(network)
    followers: Sequence[MeasuredLayer | None] = [*layers[1:], None]
    return tuple(
        ComparedLayer(layer, _predict(layer, following, spec, energies, first=index == 0))
        for index, (layer, following) in enumerate(zip(layers, followers, strict=True))
    )


def _predict(
    layer: MeasuredLayer, following: MeasuredLayer | None, arch: ArchSpec, energies: ActionEnergies, *, first: bool
) -> Prediction:
    mapping = mapping_of(layer.problem, arch, layer.passes)
    counts = evaluate(layer.problem, arch, mapping)
    cost = cost_of_mapping(layer.problem, arch, mapping, counts, energies)
    dram = dram_bytes(counts)
    slowest = max([("compute", counts.compute_cycles), *counts.level_cycles], key=lambda pair: pair[1])
    pj = chip_pj(cost)
    coded = _coded(dram, layer, following, first=first)
    link = arch.memories[0].shared_bandwidth
    maps_bytes = (sum(dram.values()) if coded is None else coded) - dram["weights"]
    return Prediction(
        active_pes=active_pes(layer.passes, layer.problem.bounds["R"]),
        glb_bytes=glb_bytes(counts),
        dram_bytes=sum(dram.values()),
        coded_dram_bytes=coded,
        latency_s=counts.cycles / arch.clock_hz,
        maps_s=0.0 if link is None else maps_bytes * 8 / link / arch.clock_hz,
        bottleneck=slowest[0],
        energy_j=pj * 1e-12,
        gated_energy_j=None if layer.zeros is None else (pj - layer.zeros * _gated_pj(cost)) * 1e-12,
        link_words=_link_words(counts, layer),
    )


def dram_bytes(counts: Counts) -> dict[str, float]:
    """Bytes of each tensor over the DRAM's port."""
    tensors = {access.tensor for access in counts.accesses}
    return {name: _words(counts, DRAM, name) * WORD_BITS / 8 for name in sorted(tensors)}


def glb_bytes(counts: Counts) -> float:
    """Bytes over the global buffer's ports, as the chip counts them.

    The read that drains a finished psum to DRAM is no access in Timeloop's meaning; here it counts.
    """
    words = _words(counts, _GLB, "ifmap") + _words(counts, _GLB, "ofmap") + _words(counts, DRAM, "ofmap")
    return words * WORD_BITS / 8


def _link_words(counts: Counts, layer: MeasuredLayer) -> int:
    """Words that enter a PE's scratchpad from outside the array, psums from the global buffer, and psums that are
    handed down a column: once per PE that adds to them, of the last one to the buffer."""
    psums = counts.at(_GLB, "ofmap")
    assert psums is not None
    down = psums.updates * layer.problem.bounds["R"] * layer.passes.r
    into = (counts.at("IFMAP_SPAD", "ifmap"), counts.at("FILTER_SPAD", "weights"))
    return psums.reads + down + sum(access.fills for access in into if access is not None)


def chip_pj(cost: MappedCost) -> float:
    """Dynamic energy of everything but the DRAM."""
    return cost.compute_pj + sum(item.energy_pj for item in cost.accesses if item.access.level != DRAM)


def _coded(
    dram: dict[str, float], layer: MeasuredLayer, following: MeasuredLayer | None, *, first: bool
) -> float | None:
    """DRAM bytes with coded feature maps. The network's input is not coded.

    Zeros of an ofmap are those that the next layer finds in its ifmap (after pooling, so too few where there is any),
    of the last ofmap those of its own ifmap.
    """
    if layer.zeros is None:
        return None
    after = layer.zeros if following is None or following.zeros is None else following.zeros
    ifmap = dram["ifmap"] * (1.0 if first else coded_share(layer.zeros))
    return dram["weights"] + ifmap + dram["ofmap"] * coded_share(after)


def _gated_pj(cost: MappedCost) -> float:
    still = sum(item.energy_pj for item in cost.accesses if (item.access.level, item.access.tensor) in _GATED)
    return still + cost.compute_pj


def _words(counts: Counts, level: str, tensor: str) -> int:
    access = counts.at(level, tensor)
    return 0 if access is None else access.reads + access.fills + access.updates
