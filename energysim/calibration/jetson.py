"""The shipped Jetson descriptions against published measurements: Jetson Nano's TensorRT table, Orin Nano's kernels.

Predictions are simulations: layerwise, FP16, batch 1, mappings of least energy-delay product (TensorRT picks kernels
by latency; on these nine networks the mappings of least latency are as fast to 0.2 %). TensorRT fuses pooling and
elementwise layers and may use Winograd's algorithm for 3 x 3 kernels; the simulation does neither. The Nano's shipped
convolution efficiency was taken from two rows of this table, so its errors as shipped are no blind prediction; those
of a half by a fit to the other half are.

Cost of ``jetson_nano_validation``: the search of nine networks' layers, about 25 s of one core; about 10 s (tracing)
where the search cache has them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

import numpy as np
import torch
from torch import nn

from energysim.arch.loader import load_arch
from energysim.arch.spec import ArchSpec
from energysim.calibration.features import Features, Networks, features_of
from energysim.calibration.fit import Fit, fit
from energysim.calibration.measurements import Row, parse_measurements
from energysim.calibration.models import BANDWIDTH, LAUNCH, LatencyModel, latency_model
from energysim.calibration.run import prediction
from energysim.simulation import simulate
from energysim.simulation.setting import Progress
from energysim.workload import workload_of

NANO_TABLE = "jetson_nano_torch2trt.csv"
ORIN_TABLE = "jetson_orin_nano_kernels.csv"
NANO_POWER_W = 10.0
"""The board's larger power budget (MAXN mode): an average power above it cannot be right."""
FITTED = ("conv.compute", BANDWIDTH, LAUNCH)
# MAXN_SUPER of the Orin Nano: GPU and memory clocks of its nvpmodel file.
_MAXN_SUPER = {"clock": "1020 MHz", "DRAM.bandwidth.shared": "102.4 GB/s"}
_STREAM_WORDS = 2**24
_MATMUL = (3072, 768, 3072)  # 14.5 GFLOP; the logs give the work, not the shape


@dataclass(frozen=True, slots=True)
class NetworkOnNano:
    """One network. Latencies in s: measured; predicted as shipped (with the constants' interval); predicted by a fit
    to all networks; and by a fit to the half of the networks that it is not in. Energy of one inference in J, idle
    power included, and average power in W, as shipped and with the half's latency."""

    network: str
    measured_s: float
    predicted_s: float
    low_s: float
    high_s: float
    fitted_s: float
    other_half_s: float
    half: str
    energy_j: float
    power_w: float
    calibrated_power_w: float

    @property
    def error(self) -> float:
        """As shipped, relative."""
        return self.predicted_s / self.measured_s - 1

    @property
    def fitted_error(self) -> float:
        return self.fitted_s / self.measured_s - 1

    @property
    def other_half_error(self) -> float:
        """Of the fit that did not see this network."""
        return self.other_half_s / self.measured_s - 1


@dataclass(frozen=True)
class NanoValidation:
    """``fit`` to all networks; ``first`` and ``second`` to every other row of the table, from the first and from the
    second on. Errors are means of absolute relative errors."""

    source: str
    networks: tuple[NetworkOnNano, ...]
    fit: Fit
    first: Fit
    second: Fit

    @property
    def error(self) -> float:
        return _mean([network.error for network in self.networks])

    @property
    def fitted_error(self) -> float:
        return _mean([network.fitted_error for network in self.networks])

    @property
    def other_half_errors(self) -> dict[str, float]:
        """Of each half when the other half was fitted."""
        return {
            half: _mean([network.other_half_error for network in self.networks if network.half == half])
            for half in ("first", "second")
        }

    @property
    def other_half_error(self) -> float:
        """Of all networks, each by the fit that did not see it."""
        return _mean([network.other_half_error for network in self.networks])

    @property
    def within_power(self) -> bool:
        """Whether every prediction keeps the board's power budget."""
        powers = [power for n in self.networks for power in (n.power_w, n.calibrated_power_w)]
        return max(powers) <= NANO_POWER_W


@dataclass(frozen=True, slots=True)
class KernelOnOrin:
    """One kernel in one power mode: rates in ``unit``, and what the shipped efficiency rests on."""

    kernel: str
    mode: str
    unit: str
    measured: float
    peak: float
    predicted: float
    low: float
    high: float

    @property
    def error(self) -> float:
        return self.predicted / self.measured - 1


def jetson_nano_validation(progress: Progress | None = None) -> NanoValidation:
    """The shipped `jetson_nano` against torch2trt's table: as shipped, fitted, and fitted on one half for the other."""
    arch = load_arch("jetson_nano")
    features = features_of(nano_rows(), arch, networks=Networks(), progress=progress)
    whole = _fit(features, arch)
    first, second = _fit(features[0::2], arch), _fit(features[1::2], arch)
    model = latency_model(features, arch)
    fitted_s, by_first_s, by_second_s = (_predicted(model, found) for found in (whole, first, second))
    networks = []
    for index, one in enumerate(features):
        unseen_s = by_second_s[index] if index % 2 == 0 else by_first_s[index]
        networks.append(_network(one, arch, fitted_s[index], unseen_s, "second" if index % 2 else "first"))
    return NanoValidation(f"{NANO_TABLE}: torch2trt, TensorRT, FP16, batch 1", tuple(networks), whole, first, second)


def _fit(features: tuple[Features, ...], arch: ArchSpec) -> Fit:
    return fit(latency_model(features, arch), FITTED)


def _predicted(model: LatencyModel, found: Fit) -> list[float]:
    """Of all networks, by a fit to some: constants that it did not fit are the device's."""
    values = {one.name: one.value for one in found.fitted}
    varied = [
        p.start if p.name not in values else 1.0 / values[p.name] if p.inverse else values[p.name]
        for p in model.parameters
    ]
    return [float(seconds) for seconds in model.predict(np.array(varied))]


def _network(one: Features, arch: ArchSpec, fitted_s: float, unseen_s: float, half: str) -> NetworkOnNano:
    shipped = prediction(one, arch)
    low_s, high_s = one.cost.latency_interval_s
    idle_w = 0.0 if arch.idle_power_w is None else arch.idle_power_w.value
    energy_j = one.cost.energy.value * 1e-12
    assert one.row.latency_s is not None
    return NetworkOnNano(
        network=one.row.workload.removeprefix("torchvision/"),
        measured_s=one.row.latency_s,
        predicted_s=shipped.latency_s,
        low_s=low_s,
        high_s=high_s,
        fitted_s=fitted_s,
        other_half_s=unseen_s,
        half=half,
        energy_j=shipped.energy_j,
        power_w=shipped.energy_j / shipped.latency_s,
        calibrated_power_w=energy_j / unseen_s + idle_w,
    )


def jetson_orin_nano_validation() -> tuple[KernelOnOrin, ...]:
    """The shipped `jetson_orin_nano` against STREAM and the best matrix product, in two power modes.

    Its bandwidth efficiency (0.8, 0.55 to 0.92) and matmul efficiency (0.33) were taken from these very measurements,
    so this shows what one number can and cannot say of several kernels; it is no independent validation.
    """
    archs = {"15W": load_arch("jetson_orin_nano"), "MAXN_SUPER": load_arch("jetson_orin_nano", _MAXN_SUPER)}
    lines = [line for line in _data(ORIN_TABLE).splitlines() if line and line[0] != "#"]
    found = []
    for row in csv.DictReader(lines):
        predicted, low, high = _rate(row["kernel"], archs[row["mode"]])
        found.append(
            KernelOnOrin(
                row["kernel"],
                row["mode"],
                row["unit"],
                float(row["measured"]),
                float(row["peak"]),
                predicted,
                low,
                high,
            )
        )
    return tuple(found)


class _Add(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


class _Scale(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 3.0


class _MatMul(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x @ y


def _rate(kernel: str, arch: ArchSpec) -> tuple[float, float, float]:
    """Rate of a kernel as simulated, and with the constants at their slowest and fastest: GB/s, or TFLOP/s."""
    words, (rows, inner, columns) = str(_STREAM_WORDS), _MATMUL
    module: nn.Module
    if kernel == "FP16 matmul":
        module, shape, work = _MatMul(), f"{rows}x{inner},{inner}x{columns}", 2 * rows * inner * columns * 1e-12
    elif kernel in ("STREAM copy", "STREAM scale"):  # two arrays; add and triad move three
        module, shape, work = _Scale(), words, 2 * _STREAM_WORDS * 2 * 1e-9
    else:
        module, shape, work = _Add(), f"{words},{words}", 3 * _STREAM_WORDS * 2 * 1e-9
    (cost,) = simulate(workload_of(module, shape), arch, bits=16, objective="edp").variants
    fast_s, slow_s = cost.latency_interval_s
    return work / cost.latency_s, work / slow_s, work / fast_s


def nano_rows() -> tuple[Row, ...]:
    """torch2trt's table as measurements."""
    return parse_measurements(_data(NANO_TABLE), NANO_TABLE)


def _data(name: str) -> str:
    return resources.files("energysim.calibration").joinpath("data", name).read_text(encoding="utf-8")


def _mean(errors: list[float]) -> float:
    return sum(abs(error) for error in errors) / len(errors)
