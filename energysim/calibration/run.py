"""From an architecture and measurements to a calibrated architecture and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from energysim.arch.loader import KIND, arch_from, parse_arch
from energysim.arch.spec import ArchSpec
from energysim.calibration.features import OBJECTIVE, Features, Networks, features_of
from energysim.calibration.fit import Fit, Fitted, fit
from energysim.calibration.measurements import Row, read_measurements
from energysim.calibration.models import (
    BANDWIDTH,
    DRAM,
    ENERGY,
    FITTED_CLASSES,
    LAUNCH,
    MAC,
    ON_CHIP,
    energy_model,
    latency_model,
    latency_s,
)
from energysim.calibration.write_spec import Origin, calibrated_text
from energysim.energy import ActionEnergies, estimate
from energysim.errors import EnergySimError, NotFoundError, did_you_mean
from energysim.graph.problem import Role
from energysim.simulation.setting import Progress
from energysim.spec_files import find_spec, load_yaml
from energysim.version import __version__

LATENCY = (*(f"{op_class}.compute" for op_class in FITTED_CLASSES), BANDWIDTH, LAUNCH)
NAMES = (*LATENCY, *ENERGY)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a simulation says of one measured row; ``energy_j`` includes idle power."""

    row: Row
    latency_s: float
    energy_j: float

    @property
    def latency_error(self) -> float | None:
        """Relative; None where the row has no latency."""
        return None if self.row.latency_s is None else self.latency_s / self.row.latency_s - 1

    @property
    def energy_error(self) -> float | None:
        return None if self.row.energy_j is None else self.energy_j / self.row.energy_j - 1


@dataclass(frozen=True)
class Calibration:
    """``latency``, ``energy``: the fits, None where nothing of that kind was measured or chosen. ``before`` and
    ``after`` are simulations with the old and the new architecture, row by row. ``absolute``: the fitted energies per
    MAC (pJ) and per byte (pJ, average over the measured traffic), in the order of the factors."""

    arch: ArchSpec
    calibrated: ArchSpec
    text: str
    objective: str
    latency: Fit | None
    energy: Fit | None
    absolute: tuple[Fitted, ...]
    before: tuple[Prediction, ...]
    after: tuple[Prediction, ...]

    @property
    def fitted(self) -> tuple[Fitted, ...]:
        return tuple(one for found in (self.latency, self.energy) if found is not None for one in found.fitted)


def calibrate(
    arch: str | Path,
    measurements: str | Path | Sequence[Row],
    *,
    name: str | None = None,
    chosen: Sequence[str] | None = None,
    objective: str = OBJECTIVE,
    progress: Progress | None = None,
) -> Calibration:
    """Fits a device's constants to measurements.

    ``arch``: a name or a YAML path. ``measurements``: a CSV file or rows. ``name``: of the new architecture.
    ``chosen``: which of NAMES to fit (None: whatever the measurements depend on). ``objective``: of the mappings.

    Raises UnderdeterminedError where the measurements do not determine the constants, EnergySimError on bad input.
    """
    spec = load_yaml(find_spec(KIND, arch))
    device = arch_from(spec)
    _check(chosen)
    rows = read_measurements(measurements) if isinstance(measurements, str | Path) else tuple(measurements)
    file = Path(measurements).name if isinstance(measurements, str | Path) else "the caller's rows"
    networks = Networks()
    features = features_of(rows, device, objective, networks, progress)
    latency = _fit_latency(features, device, chosen)
    energy = _fit_energy(features, device, chosen, latency)
    constants = [one for found in (latency, energy) if found is not None for one in found.fitted]
    if not constants:
        what = f"nothing to fit: no row measures what {', '.join(chosen or NAMES)} decide"
        raise EnergySimError(what, hint="latency_s for efficiencies and launch, energy_j for the others")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    origins = {
        one.name: Origin(file, len(found.residuals), today, __version__)
        for found in (latency, energy)
        if found is not None
        for one in found.fitted
    }
    energies = estimate(device)
    new_name = name or f"{device.name}_calibrated"
    text = calibrated_text(spec, device, energies, new_name, constants, origins)
    calibrated = parse_arch(text, f"{new_name}.yaml")
    return Calibration(
        arch=device,
        calibrated=calibrated,
        text=text,
        objective=objective,
        latency=latency,
        energy=energy,
        absolute=() if energy is None else _absolute(energy, features, device, energies),
        before=tuple(prediction(one, device) for one in features),
        after=tuple(
            prediction(one, calibrated) for one in features_of(rows, calibrated, objective, networks, progress)
        ),
    )


def prediction(features: Features, arch: ArchSpec) -> Prediction:
    """What was simulated: latency, and the energy of the components plus idle power for that time."""
    idle_w = 0.0 if arch.idle_power_w is None else arch.idle_power_w.value
    cost = features.cost
    return Prediction(features.row, cost.latency_s, cost.energy.value * 1e-12 + idle_w * cost.latency_s)


def _check(chosen: Sequence[str] | None) -> None:
    for name in chosen or ():
        if name not in NAMES:
            hint = did_you_mean(name, NAMES) or f"one of {', '.join(NAMES)}"
            raise NotFoundError(f"no constant named {name!r} to fit", hint=hint)


def _of(names: Sequence[str], chosen: Sequence[str] | None) -> list[str] | None:
    """What is chosen of these; None: no choice was made."""
    return None if chosen is None else [name for name in chosen if name in names]


def _fit_latency(features: Sequence[Features], arch: ArchSpec, chosen: Sequence[str] | None) -> Fit | None:
    model, mine = latency_model(features, arch), _of(LATENCY, chosen)
    return None if not model.rows or mine == [] else fit(model, mine)


def _fit_energy(
    features: Sequence[Features], arch: ArchSpec, chosen: Sequence[str] | None, latency: Fit | None
) -> Fit | None:
    """Time of a row that has none is the (fitted) model's."""
    times = latency_model(features, arch)
    varied = [p.start for p in times.parameters] if latency is None else latency.varied
    values = {p.name: p.value(v) for p, v in zip(times.parameters, varied, strict=True)}
    model, mine = energy_model(features, arch, lambda one: latency_s(one, values)), _of(ENERGY, chosen)
    return None if not model.rows or mine == [] else fit(model, mine)


def _absolute(
    energy: Fit, features: Sequence[Features], arch: ArchSpec, energies: ActionEnergies
) -> tuple[Fitted, ...]:
    """Factors as energies: pJ per MAC, pJ per DRAM byte, and pJ per byte of on-chip traffic as it was measured."""
    outermost = arch.memories[0]
    on_chip_bytes = 0.0
    for one in features:
        for level in (level for layer in one.cost.layers for level in layer.levels if level.level != outermost.name):
            memory = next(m for m in arch.memories if m.name == level.level)
            bits = memory.bits_of(one.row.bits or arch.default_bits, level.tensor == Role.OFMAP)
            on_chip_bytes += (level.reads + level.fills + level.updates) * bits / 8
    dram = energies.memory(outermost.name).read
    nominal = {
        MAC: ("pJ per MAC", energies.mac(arch.compute.bits).pj.value),
        DRAM: ("pJ per DRAM byte read", dram.pj.value / dram.bits * 8),
        ON_CHIP: ("pJ per on-chip byte", sum(f.on_chip_j for f in features) * 1e12 / max(on_chip_bytes, 1.0)),
    }
    factors = [(factor, *nominal[factor.name]) for factor in energy.fitted if factor.name in nominal]
    return tuple(
        replace(factor, unit=unit, value=factor.value * pj, low=factor.low * pj, high=factor.high * pj)
        for factor, unit, pj in factors
    )
