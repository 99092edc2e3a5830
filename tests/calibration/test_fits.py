"""Fits of measurements made from known constants: recovered, with intervals; and every way of being refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from energysim.arch.loader import load_arch
from energysim.calibration.features import Features, LayerTimes
from energysim.calibration.fit import Fit, UnderdeterminedError, fit
from energysim.calibration.measurements import Row
from energysim.calibration.models import energy_model, latency_model, latency_s
from energysim.cost.results import VariantCost

_ARCH = load_arch("jetson_nano")
_TRUE = {"conv.compute": 0.45, "linear.compute": 0.3, "bandwidth": 0.7, "launch": 20e-6}
_FACTORS = {"mac": 1.7, "dram": 0.6, "on_chip": 2.5, "idle": 2.2}
_NOTHING = VariantCost("layerwise", (), 0, 0.0)


def _network(seed: int, compute: float, dram: float, layers: int, linear: float = 0.0) -> Features:
    """Layers of about ``compute`` and ``dram`` seconds at peak; ``linear``: seconds of a layer that compute limits."""
    random = np.random.default_rng(seed)
    convs = LayerTimes(
        "conv",
        compute * random.uniform(0.5, 1.5, layers),
        dram * random.uniform(0.5, 1.5, layers),
        0.1 * dram * random.uniform(0.5, 1.5, layers),
    )
    one = np.array([linear]), np.array([linear / 10]), np.array([0.0])
    times = (convs, LayerTimes("linear", *one)) if linear else (convs,)
    joules = random.uniform(0.2, 5.0, 3) * 1e-3
    return Features(Row(f"net{seed}"), _NOTHING, times, *map(float, joules), leakage_w=0.1)


def _networks(linear: float = 2e-3) -> list[Features]:
    sizes = [(1e-3, 1e-5, 10), (1e-5, 1e-3, 8), (1e-6, 1e-6, 200), (3e-4, 2e-4, 40), (5e-5, 2e-4, 20), (1e-3, 1e-3, 5)]
    return [
        _network(seed, compute, dram, layers, linear if seed % 2 else 0.0)
        for seed, (compute, dram, layers) in enumerate(sizes)
    ]


def _with_latencies(features: list[Features], noise: tuple[float, ...] = ()) -> list[Features]:
    factors = noise or (1.0,) * len(features)
    return [
        replace(one, row=replace(one.row, latency_s=latency_s(one, _TRUE) * factor))
        for one, factor in zip(features, factors, strict=True)
    ]


def _joules(one: Features, seconds: float) -> float:
    dynamic = _FACTORS["mac"] * one.mac_j + _FACTORS["dram"] * one.dram_j + _FACTORS["on_chip"] * one.on_chip_j
    return dynamic + (_FACTORS["idle"] + one.leakage_w) * seconds


def _with_energies(features: list[Features], seconds: tuple[float, ...]) -> list[Features]:
    return [
        replace(one, row=replace(one.row, latency_s=s, energy_j=_joules(one, s)))
        for one, s in zip(features, seconds, strict=True)
    ]


def _values(found: Fit) -> dict[str, float]:
    return {one.name: one.value for one in found.fitted}


def test_latency_constants_are_recovered() -> None:
    found = fit(latency_model(_with_latencies(_networks()), _ARCH))
    assert _values(found) == pytest.approx(_TRUE, rel=1e-3)
    assert found.mean_error < 1e-4 and found.left_out_error is not None and found.left_out_error < 0.5
    assert found.held == () and not any(one.at_bound for one in found.fitted)


def test_noise_widens_the_intervals_and_they_hold_the_truth() -> None:
    noise = (1.03, 0.98, 1.02, 0.96, 1.04, 0.99)
    found = fit(latency_model(_with_latencies(_networks(), noise), _ARCH))
    for one in found.fitted:
        assert one.low <= _TRUE[one.name] <= one.high
        assert one.low < one.value < one.high or one.high == 1.0


def test_one_odd_measurement_does_not_carry_the_fit() -> None:
    features = [*_networks(), *(_network(seed, 4e-4, 1e-4, 30, 1e-3) for seed in range(10, 15))]
    noise = (1.0,) * 10 + (4.0,)
    found = fit(latency_model(_with_latencies(features, noise), _ARCH))
    assert _values(found) == pytest.approx(_TRUE, rel=0.05)
    assert found.residuals[-1].error == pytest.approx(0.25 - 1, abs=0.05)


def test_energy_constants_are_recovered_and_leakage_is_not_fitted() -> None:
    features = _with_energies(_networks(), (0.5e-3, 4e-3, 1e-3, 0.2e-3, 2e-3, 0.7e-3))
    found = fit(energy_model(features, _ARCH, lambda one: 0.0))
    assert _values(found) == pytest.approx(_FACTORS, rel=1e-3)


def test_time_that_was_not_measured_is_the_prediction() -> None:
    features = [replace(one, row=replace(one.row, latency_s=None, energy_j=1e-3)) for one in _networks()]
    model = energy_model(features, _ARCH, lambda one: latency_s(one, _TRUE))
    assert model.seconds == pytest.approx([latency_s(one, _TRUE) for one in features])


def test_a_constant_that_no_row_depends_on_is_held_with_the_reason() -> None:
    found = fit(latency_model(_with_latencies(_networks(linear=1e-9)), _ARCH))
    assert set(_values(found)) == {"conv.compute", "bandwidth", "launch"}
    ((name, why),) = found.held
    assert name == "linear.compute" and "linear layers" in why
    with pytest.raises(UnderdeterminedError, match="no measurement depends on it") as refused:
        fit(latency_model(_with_latencies(_networks(linear=1e-9)), _ARCH), ["linear.compute", "launch"])
    assert "measure a network with linear layers" in str(refused.value)


def test_too_few_rows_are_refused_and_fewer_constants_are_fitted() -> None:
    features = _with_latencies(_networks())[:3]
    with pytest.raises(UnderdeterminedError, match="3 measurements do not determine 4 constants") as refused:
        fit(latency_model(features, _ARCH))
    assert "--fit" in str(refused.value) and "measure" in str(refused.value)
    held = fit(latency_model(features, _ARCH), ["conv.compute"])
    assert set(_values(held)) == {"conv.compute"} and ("launch", "not chosen") in held.held


def test_constants_that_act_alike_are_refused_by_name() -> None:
    same = [_network(1, 1e-5 * scale, 1e-9, layers) for scale, layers in ((1, 10), (1, 20), (1, 40), (1, 80))]
    alike = [
        replace(one, times=tuple(replace(t, compute_s=np.full_like(t.compute_s, 1e-5)) for t in one.times))
        for one in same
    ]
    with pytest.raises(UnderdeterminedError, match="cannot be told apart") as refused:
        fit(latency_model(_with_latencies(alike), _ARCH), ["conv.compute", "launch"])
    assert "conv.compute" in refused.value.what and "launch" in refused.value.what
    assert "many small layers" in (refused.value.hint or "")


def test_energies_that_grow_together_are_refused() -> None:
    one = _networks()[0]
    rows = [replace(one, mac_j=s, dram_j=2 * s, on_chip_j=3 * s) for s in (1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3)]
    with pytest.raises(UnderdeterminedError, match="cannot be told apart"):
        fit(energy_model(_with_energies(rows, (1e-3, 2e-3, 1e-3, 3e-3, 1e-3, 2e-3)), _ARCH, lambda one: 0.0))


def test_a_device_faster_than_its_peak_ends_at_the_bound() -> None:
    features = [
        replace(one, row=replace(one.row, latency_s=latency_s(one, {**_TRUE, "conv.compute": 1.0}) * 0.5))
        for one in (_network(seed, 1e-3 * (seed + 1), 1e-6, 10) for seed in range(4))
    ]
    found = fit(latency_model(features, _ARCH), ["conv.compute"])
    (compute,) = found.fitted
    assert compute.at_bound and compute.value == pytest.approx(1.0, abs=1e-3) and compute.high == 1.0
