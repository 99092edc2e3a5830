"""The Eyeriss chip: what the paper's tables say of AlexNet and VGG-16 against the prediction."""

from __future__ import annotations

import pytest

from energysim.arch.loader import load_arch
from energysim.cost.layers import touched_words
from energysim.errors import EnergySimError, MappingError
from energysim.validation.chip_energy import fit_chip_energy
from energysim.validation.chip_overheads import Overheads, overheads
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


def test_total_time_has_the_transfers_of_feature_maps() -> None:
    for layer in ALEXNET:
        assert layer.predicted.total_s == pytest.approx(layer.measured.total_s, rel=0.10)
    for layers in (ALEXNET, VGG):
        measured = sum(layer.measured.total_s for layer in layers)
        assert sum(layer.predicted.total_s for layer in layers) == pytest.approx(measured, rel=0.05)


def test_published_overheads_bring_the_energy_near_without_a_fit() -> None:
    nominal, low, high = overheads()
    for layers in (ALEXNET, VGG):
        measured = sum(layer.measured.energy_j for layer in layers)
        found, least, most = (
            sum(each.energy(layer, layer.predicted.total_s).total_j for layer in layers)
            for each in (nominal, low, high)
        )
        assert found == pytest.approx(measured, rel=0.15)
        assert least < measured < most


def test_control_is_a_share_of_the_whole_and_the_clock_a_power() -> None:
    energy = Overheads(0.0, 0.1, 0.2).energy(ALEXNET[0], 3.0)
    assert energy.clock_j == pytest.approx(0.3) and energy.network_j == 0.0
    assert energy.control_j == pytest.approx(0.2 * energy.total_j)
    assert (energy + energy).total_j == pytest.approx(2 * energy.total_j)


def test_psums_are_handed_down_once_per_row_of_products() -> None:
    """A PE hands a psum on after S columns of its q channels; what else crosses is what its scratchpads take in."""
    layer = ALEXNET[3]
    bounds, passes = layer.measured.problem.bounds, layer.measured.passes
    assert bounds["C"] % (passes.q * passes.r) == 0
    handed_down = layer.measured.problem.macs // (bounds["S"] * passes.q)
    taken_in = layer.predicted.link_words - handed_down
    ifmap, weights = (touched_words(layer.measured.problem, name) for name in ("ifmap", "weights"))
    assert ifmap + weights < taken_in < handed_down


def test_too_few_layers() -> None:
    with pytest.raises(EnergySimError, match="three or more"):
        fit_chip_energy(ALEXNET[:2])


def test_sets_that_do_not_fit_the_array() -> None:
    problem = ALEXNET[2].measured.problem
    with pytest.raises(MappingError, match="14 x 12 PEs"):
        mapping_of(problem, load_arch("eyeriss"), RowStationary(m=64, n=4, e=13, p=16, q=3, r=2, t=3))
