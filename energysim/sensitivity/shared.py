"""Which constants the energies of a result are paid at, so that two results know the ones that they share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec
from energysim.cost.results import EnergyPj, EnergyShare, LayerCost, VariantCost
from energysim.energy import ActionEnergies, estimate
from energysim.errors import EnergySimError
from energysim.sensitivity.constants import constant_of, same_range
from energysim.sensitivity.spread import Spread, gathered
from energysim.simulation.stored import StoredResult


@dataclass(frozen=True)
class Side:
    """One of two results that are compared: one variant of it, with its device where that was found."""

    result: StoredResult
    variant: VariantCost
    arch: ArchSpec | None

    def terms(
        self, layers: Iterable[LayerCost], wanted: Callable[[EnergyShare], bool] = lambda _: True
    ) -> dict[Hashable, Spread]:
        """pJ of the wanted shares of some layers, by the constant that they are paid at."""
        return gathered(
            (self._constant(layer, share), Spread(share.energy.low, share.energy.value, share.energy.high))
            for layer in layers
            for share in layer.shares
            if wanted(share)
        )

    @cached_property
    def energies(self) -> ActionEnergies | None:
        """None where the device was not found, or its estimator is not installed here."""
        if self.arch is None:
            return None
        try:
            return estimate(self.arch, self.result.estimator)
        except EnergySimError:
            return None

    def _constant(self, layer: LayerCost, share: EnergyShare) -> Hashable:
        """With the device: its name, the component and the number with its range and source, so that two devices of
        one name that differ elsewhere share it. Without: the action, the word width of a MAC, and the range, which
        say the same of one and the same file."""
        component, action, energy = share.level, share.action, share.energy
        bits = self._bits.get(layer.name, self.result.bits)
        constant = None if self.energies is None else _stated(component, action, self.energies, bits)
        if constant is not None and same_range(constant, energy):
            return self.result.arch, component, constant
        width = bits if action == "mac" else 0
        return self.result.arch_sha256, self.result.estimator, component, action, width, _proportions(energy)

    @cached_property
    def _bits(self) -> dict[str, int]:
        """The width of the widest operand of each layer that multiplies."""
        graph, default = self.result.graph, self.result.bits
        widths = {edge["name"]: edge.get("bits", default) for edge in graph["edges"]}
        found = {}
        for layer in graph["layers"]:
            operands = [widths[edge] for edge in layer["operands"].values() if edge not in layer["outputs"]]
            found[layer["name"]] = max(operands, default=default)
        return found


def _stated(component: str, action: str, energies: ActionEnergies, bits: int) -> Sourced | None:
    try:
        return constant_of(component, action, energies, bits)[0]
    except (EnergySimError, KeyError):
        return None


def _proportions(energy: EnergyPj) -> tuple[float, float]:
    """Low and nominal relative to high, to nine digits: sums of the same constant differ in the last."""
    if not energy.high:
        return 0.0, 0.0
    return float(f"{energy.low / energy.high:.9g}"), float(f"{energy.value / energy.high:.9g}")
