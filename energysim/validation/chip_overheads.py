"""What the Eyeriss chip spends beside its named components, by published models: none of it is fitted to the chip."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.arch.loader import load_arch
from energysim.arch.sourced import Sourced
from energysim.energy import estimate
from energysim.errors import EnergySimError
from energysim.validation.eyeriss import ComparedLayer
from energysim.validation.published import WORD_BITS

_CNNERGY = "CNNergy (Manasi, Snigdha, Sapatnekar: NeuPart, IEEE TVLSI 2020), an energy model of this chip"
LINK_MACS = Sourced(
    2.0, 1.0, 4.0, f"{_CNNERGY}: a word between PEs costs two 16-bit MACs; low, high: half and twice", estimate=True
)
"""Energy of one word over the array's network, in MACs."""
CONTROL_SHARE = Sourced(
    0.15, 0.10, 0.20, f"{_CNNERGY}: control other than the clock network, of all on-chip energy; +- 5 %", estimate=True
)


@dataclass(frozen=True, slots=True)
class ChipEnergy:
    """Energy of one layer (or several) on the chip in J, by what spends it; the batch's, without DRAM."""

    components_j: float
    network_j: float
    clock_j: float
    control_j: float

    @property
    def total_j(self) -> float:
        return self.components_j + self.network_j + self.clock_j + self.control_j

    def __add__(self, other: ChipEnergy) -> ChipEnergy:
        return ChipEnergy(
            self.components_j + other.components_j,
            self.network_j + other.network_j,
            self.clock_j + other.clock_j,
            self.control_j + other.control_j,
        )


@dataclass(frozen=True, slots=True)
class Overheads:
    """``link_j``: J of a word over the array's network; ``clock_w``: W of the clock network; ``control``: share of the
    whole."""

    link_j: float
    clock_w: float
    control: float

    def energy(self, layer: ComparedLayer, time_s: float) -> ChipEnergy:
        """The energy of a layer that takes ``time_s``: gated where its zeros are published, else an upper bound."""
        gated = layer.predicted.gated_energy_j
        components_j = layer.predicted.energy_j if gated is None else gated
        network_j, clock_j = self.link_j * layer.predicted.link_words, self.clock_w * time_s
        rest = components_j + network_j + clock_j
        return ChipEnergy(components_j, network_j, clock_j, rest * self.control / (1 - self.control))


def overheads() -> tuple[Overheads, Overheads, Overheads]:
    """At the nominal, the low and the high values of the three constants (not of those of the components)."""
    arch = load_arch("eyeriss")
    clock = arch.idle_power_w
    if clock is None:
        raise EnergySimError("eyeriss states no idle_power", hint="the spec gives that of its clock network there")
    link = LINK_MACS.scaled(estimate(arch, "table").mac(WORD_BITS).pj.value * 1e-12)
    return (
        Overheads(link.value, clock.value, CONTROL_SHARE.value),
        Overheads(link.low, clock.low, CONTROL_SHARE.low),
        Overheads(link.high, clock.high, CONTROL_SHARE.high),
    )
