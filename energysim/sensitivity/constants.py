"""The constants behind energy and latency, and what becomes of the total when one of them is at its low or high."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import isclose

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Efficiency
from energysim.cost.latency import COMPUTE
from energysim.cost.results import EnergyPj, LayerCost, VariantCost
from energysim.energy import ActionEnergies


@dataclass(frozen=True, slots=True)
class Swing:
    """One constant. ``share`` of the total that it stands behind; ``at_low``, ``at_high``: the total (pJ or s) with
    this constant at its low and high value and every other at its nominal one. ``unit`` of value, low and high."""

    name: str
    unit: str
    constant: Sourced
    share: float
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        """How far the total moves."""
        return abs(self.at_high - self.at_low)


def energy_swings(variant: VariantCost, energies: ActionEnergies, bits: int) -> tuple[Swing, ...]:
    """One per constant, widest first. Actions of one component at the same constant (reads and writes of a DRAM) move
    together."""
    grouped: dict[tuple[str, Sourced], tuple[list[str], str, EnergyPj]] = {}
    for key, energy in variant.energy_by_action.items():
        if not energy.value:
            continue
        component, _, action = key.rpartition(".")
        constant, unit = constant_of(component, action, energies, bits)
        if not same_range(constant, energy):
            constant, unit = _range_of(energy), "x nominal"
        actions, unit, sum_pj = grouped.get((component, constant), ([], unit, EnergyPj(0.0, 0.0, 0.0)))
        grouped[component, constant] = [*actions, action], unit, sum_pj + energy
    whole = variant.energy.value
    swings = (
        Swing(
            f"{component} {', '.join(actions)}",
            unit,
            constant,
            pj.value / whole if whole else 0.0,
            whole - pj.value + pj.low,
            whole - pj.value + pj.high,
        )
        for (component, constant), (actions, unit, pj) in grouped.items()
    )
    return _widest_first(swings)


def same_range(constant: Sourced, energy: EnergyPj) -> bool:
    """Whether the energy's interval is the constant's: its layers may have different word widths, and so constants."""
    return isclose(energy.low * constant.value, energy.value * constant.low, rel_tol=1e-6) and isclose(
        energy.high * constant.value, energy.value * constant.high, rel_tol=1e-6
    )


def _range_of(energy: EnergyPj) -> Sourced:
    source = "several constants: layers of different word widths"
    return Sourced(1.0, energy.low / energy.value, energy.high / energy.value, source)


def constant_of(component: str, action: str, energies: ActionEnergies, bits: int) -> tuple[Sourced, str]:
    if action == "mac":
        return energies.mac(bits).pj, "pJ per MAC"
    if component == energies.compute.name:
        leakage = energies.compute.leakage_w
    else:
        memory = energies.memory(component)
        if action != "leakage":
            energy = {"read": memory.read, "write": memory.write, "update": memory.update}[action]
            return energy.pj, f"pJ per access of {energy.bits} b"
        leakage = memory.leakage_w
    if leakage is None:
        raise KeyError(f"{component}.leakage")
    return leakage, "W per instance"


Speeds = Mapping[str, Efficiency]


def latency_swings(variant: VariantCost, arch: ArchSpec) -> tuple[Swing, ...]:
    """One per constant, widest first: efficiencies and launch overheads (equal ones of several operator classes are
    one constant), clock, and bandwidths."""
    nominal = {efficiency.op_class: efficiency for efficiency in arch.efficiency}
    bound_by = [_bound(layer, nominal, arch) for layer in variant.layers]
    whole = sum(layer.latency_s for layer in variant.layers)
    swings = [*_efficiencies(variant, arch, nominal, bound_by, whole), *_rates(variant, arch, nominal, bound_by, whole)]
    return _widest_first(swing for swing in swings if swing.share > 0 or swing.width > 0)


def latency_s(layers: Iterable[LayerCost], arch: ArchSpec, speeds: Speeds, slower: Mapping[str, float]) -> float:
    """Seconds of all layers; ``slower`` multiplies the time of a resource (1 where it is not named)."""
    return sum(_latency(layer, arch, speeds, slower) for layer in layers)


def _latency(layer: LayerCost, arch: ArchSpec, speeds: Speeds, slower: Mapping[str, float]) -> float:
    times = _times(layer, arch, speeds.get(layer.op_class), slower)
    launch_s = speeds[layer.op_class].launch_overhead_s.value if layer.op_class in speeds else 0.0
    return max(times.values()) + launch_s


def _times(layer: LayerCost, arch: ArchSpec, speed: Efficiency | None, slower: Mapping[str, float]) -> dict[str, float]:
    times = {name: seconds * slower.get(name, 1.0) for name, seconds in layer.peak_s}
    if speed is not None:
        times[COMPUTE] /= speed.compute.value
        outermost = arch.memories[0].name
        if outermost in times:
            times[outermost] /= speed.bandwidth.value
    return times


def _bound(layer: LayerCost, speeds: Speeds, arch: ArchSpec) -> tuple[str, float, float]:
    """What binds the layer, the seconds it binds for, and the launch overhead."""
    times = _times(layer, arch, speeds.get(layer.op_class), {})
    binding = max(times, key=lambda name: times[name])
    return binding, times[binding], layer.latency_s - times[binding]


def _efficiencies(
    variant: VariantCost, arch: ArchSpec, nominal: Speeds, bound_by: list[tuple[str, float, float]], whole: float
) -> Iterable[Swing]:
    outermost = arch.memories[0].name
    kinds: tuple[tuple[str, str, str], ...] = (
        ("compute", "of peak", COMPUTE),
        ("bandwidth", "of the DRAM's peak", outermost),
        ("launch_overhead_s", "s", ""),
    )
    present = {layer.op_class for layer in variant.layers}
    for key, unit, resource in kinds:
        groups: dict[Sourced, list[str]] = {}
        for op_class in (name for name in nominal if name in present):
            groups.setdefault(getattr(nominal[op_class], key), []).append(op_class)
        for constant, classes in groups.items():
            mine = [b for b, layer in zip(bound_by, variant.layers, strict=True) if layer.op_class in classes]
            seconds = sum(
                (busy if binding == resource else 0.0) if resource else launch for binding, busy, launch in mine
            )
            ends = [
                latency_s(variant.layers, arch, _with(nominal, classes, key, constant, end), {})
                for end in (constant.low, constant.high)
            ]
            name = f"efficiency.{{{','.join(classes)}}}.{key.removesuffix('_s')}" if len(classes) > 1 else ""
            name = name or f"efficiency.{classes[0]}.{key.removesuffix('_s')}"
            yield Swing(name, unit, constant, seconds / whole if whole else 0.0, ends[0], ends[1])


def _with(nominal: Speeds, classes: list[str], key: str, constant: Sourced, value: float) -> Speeds:
    changed = replace(constant, value=value)
    return {
        name: replace(speed, **{key: changed}) if name in classes else speed  # type: ignore[arg-type]
        for name, speed in nominal.items()
    }


def _rates(
    variant: VariantCost, arch: ArchSpec, nominal: Speeds, bound_by: list[tuple[str, float, float]], whole: float
) -> Iterable[Swing]:
    """The clock (of compute and on-chip memories) and every stated bandwidth."""
    outermost = arch.memories[0].name
    resources = {name for layer in variant.layers for name, _ in layer.peak_s}
    for key, constant in arch.provenance:
        if key == "clock":
            moved, unit = resources - {outermost}, "Hz"
        elif ".bandwidth." in key and not key.startswith("efficiency."):
            moved, unit = {key.partition(".")[0]} & resources, "bits per cycle"
        else:
            continue
        ends = []
        for end in (constant.low, constant.high):
            slower = dict.fromkeys(moved, constant.value / end) if end else {}
            ends.append(latency_s(variant.layers, arch, nominal, slower))
        seconds = sum(busy for binding, busy, _ in bound_by if binding in moved)
        yield Swing(key, unit, constant, seconds / whole if whole else 0.0, ends[0], ends[1])


def _widest_first(swings: Iterable[Swing]) -> tuple[Swing, ...]:
    order: Callable[[Swing], tuple[float, float]] = lambda swing: (-swing.width, -swing.share)  # noqa: E731
    return tuple(sorted(swings, key=order))
