"""The Eyeriss chip: what the paper's tables say of AlexNet and VGG-16 against the prediction."""

from __future__ import annotations

import pytest

from energysim.arch.loader import load_arch
from energysim.errors import EnergySimError, MappingError
from energysim.validation.chip_energy import fit_chip_energy
from energysim.validation.eyeriss import compare_eyeriss
from energysim.validation.published import eyeriss_layers
from energysim.validation.row_stationary import RowStationary, mapping_of

ALEXNET, VGG = compare_eyeriss("alexnet"), compare_eyeriss("vgg16")


def test_the_tables_add_up_as_the_paper_says() -> None:
    assert sum(layer.problem.macs for layer in eyeriss_layers("alexnet")) / 4 == pytest.approx(2.66e9 / 4, rel=2e-3)
    assert sum(layer.problem.macs for layer in eyeriss_layers("vgg16")) == pytest.approx(46.04e9, rel=1e-3)
    energy_j = sum(layer.energy_j for layer in eyeriss_layers("vgg16"))
    assert energy_j / 3 == pytest.approx(338.8e-3, rel=1e-3)


@pytest.mark.parametrize("layer", ALEXNET, ids=lambda layer: layer.measured.name)
def test_alexnet_layers(layer) -> None:
    measured, predicted = layer.measured, layer.predicted
    assert predicted.active_pes == measured.active_pes
    assert predicted.glb_bytes == pytest.approx(measured.glb_bytes, rel=0.08)
    assert predicted.coded_dram_bytes == pytest.approx(measured.dram_bytes, rel=0.13)
    assert predicted.latency_s == pytest.approx(measured.processing_s, rel=0.13)


def test_alexnet_in_all() -> None:
    def both(measured, predicted) -> tuple[float, float]:
        return sum(map(measured, ALEXNET)), sum(map(predicted, ALEXNET))

    measured, predicted = both(lambda x: x.measured.dram_bytes, lambda x: x.predicted.coded_dram_bytes)
    assert predicted == pytest.approx(measured, rel=0.02)
    measured, predicted = both(lambda x: x.measured.processing_s, lambda x: x.predicted.latency_s)
    assert predicted == pytest.approx(measured, rel=0.07)


def test_vgg_is_slow_because_of_the_global_buffer() -> None:
    """The chip reaches 0.2 of its peak on VGG's first layers: psums pass its global buffer once per ifmap channel."""
    assert {layer.predicted.bottleneck for layer in VGG[1:10]} == {"GLB"}
    predicted = sum(layer.predicted.latency_s for layer in VGG)
    assert predicted == pytest.approx(sum(layer.measured.processing_s for layer in VGG), rel=0.03)
    glb_bytes = sum(layer.predicted.glb_bytes for layer in VGG)
    assert glb_bytes == pytest.approx(sum(layer.measured.glb_bytes for layer in VGG), rel=0.07)


def test_two_numbers_fitted_to_alexnet_predict_vgg() -> None:
    fit = fit_chip_energy(ALEXNET)
    assert max(map(abs, fit.left_out)) < 0.1
    measured = sum(layer.measured.energy_j for layer in VGG)
    assert sum(fit.energy_j(layer, layer.measured.total_s) for layer in VGG) == pytest.approx(measured, rel=0.15)


def test_too_few_layers() -> None:
    with pytest.raises(EnergySimError, match="three or more"):
        fit_chip_energy(ALEXNET[:2])


def test_sets_that_do_not_fit_the_array() -> None:
    problem = ALEXNET[2].measured.problem
    with pytest.raises(MappingError, match="14 x 12 PEs"):
        mapping_of(problem, load_arch("eyeriss"), RowStationary(m=64, n=4, e=13, p=16, q=3, r=2, t=3))
