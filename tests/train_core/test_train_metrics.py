"""Metrics against scikit-learn and closed forms; what explains a network against small cases worked by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics
from torch import nn

from energysim.errors import EnergySimError
from energysim.nn.zoo import BasicBlock, enhanced_cnn, lightweight_cnn
from energysim.train.evaluate import (
    Metrics,
    Predictions,
    averaged,
    evaluate,
    fit_temperature,
    metrics_of,
    predict,
)
from energysim.train.explain import features, grad_cam, last_convolution, on_a_plane, parameter_shares, roc_curves
from energysim.train.summary import DeviceCost, ModelSummary, Spread, pareto, peak_map_bytes
from energysim.workload import resolve_workload, workload_of


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    draw = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 7, (400,), generator=draw)
    logits = torch.randn(400, 8, generator=draw) + 2 * nn.functional.one_hot(targets, 8)
    return Predictions(logits, targets)


def test_metrics_are_scikit_learns(predictions: Predictions) -> None:
    found = metrics_of(predictions)
    truth, scores = predictions.targets.numpy(), predictions.logits.double().softmax(1).numpy()
    called = scores.argmax(1)
    labels = list(range(8))
    assert found.images == 400
    assert found.top1 == pytest.approx(sklearn_metrics.accuracy_score(truth, called))
    assert found.top5 == pytest.approx(sklearn_metrics.top_k_accuracy_score(truth, scores, k=5, labels=labels))
    assert found.loss == pytest.approx(sklearn_metrics.log_loss(truth, scores, labels=labels), rel=1e-5)
    assert np.array_equal(found.confusion, sklearn_metrics.confusion_matrix(truth, called, labels=labels))
    recalls = sklearn_metrics.recall_score(truth, called, labels=labels[:7], average=None)
    assert found.per_class[:7] == pytest.approx(recalls)
    assert found.per_class[7] is None  # no image shows it
    assert Metrics.from_dict(found.to_dict()) == found


def test_calibration_error_is_the_papers_sum(predictions: Predictions) -> None:
    """Sum over 15 bins of (share of images) x |accuracy - mean confidence|."""
    confidence, called = predictions.probabilities.double().max(1)
    right = (called == predictions.targets).double()
    expected = 0.0
    for low in np.linspace(0, 1, 16)[:-1]:
        here = (confidence > low) & (confidence <= low + 1 / 15)
        if here.any():
            expected += here.double().mean() * (right[here].mean() - confidence[here].mean()).abs()
    assert metrics_of(predictions).calibration_error == pytest.approx(float(expected), abs=1e-5)


def test_temperature_scaling_finds_the_factor(predictions: Predictions) -> None:
    best = fit_temperature(predictions)
    hot = Predictions(predictions.logits * 5, predictions.targets)
    assert fit_temperature(hot) == pytest.approx(5 * best, rel=1e-3)
    at_best = metrics_of(predictions, best).loss
    assert all(metrics_of(predictions, best * factor).loss > at_best for factor in (0.8, 1.25))
    assert metrics_of(hot, 5 * best).calibration_error < metrics_of(hot).calibration_error
    assert metrics_of(hot, 3.0).top1 == metrics_of(hot).top1


def test_five_classes_have_no_top5() -> None:
    found = metrics_of(Predictions(torch.eye(5), torch.arange(5)))
    assert found.top5 is None and found.top1 == 1.0


def test_prediction_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Dropout(0.9), nn.Linear(12, 3)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    batches = [(torch.rand(4, 3, 2, 2), torch.tensor([0, 1, 2, 0])) for _ in range(3)]
    first, second = predict(model, batches), predict(model, batches)
    assert torch.equal(first.logits, second.logits)  # no dropout
    assert model.training and all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert evaluate(model, batches).images == 12


def test_test_time_augmentation_averages_probabilities(predictions: Predictions) -> None:
    other = Predictions(predictions.logits.flip(1), predictions.targets)
    mean = averaged((predictions, other)).probabilities
    assert torch.allclose(mean, (predictions.probabilities + other.probabilities) / 2, atol=1e-6)


def test_roc_areas_are_scikit_learns(predictions: Predictions) -> None:
    curves = roc_curves(predictions, tuple("abcdefgh"))
    assert [curve.label for curve in curves] == [*"abcdefg", "mean"]  # no image shows h
    scores = predictions.probabilities.numpy()
    for label, curve in enumerate(curves[:-1]):
        expected = sklearn_metrics.roc_auc_score(predictions.targets.numpy() == label, scores[:, label])
        assert curve.area == pytest.approx(expected)
    assert curves[-1].area == pytest.approx(np.mean([curve.area for curve in curves[:-1]]))


def test_grad_cam_looks_where_the_class_is() -> None:
    """A network that answers by the mean of channel 0 of one convolution: its map is that channel's positive part."""
    model = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].weight[0, 0, 1, 1] = 1.0  # channel 0 copies red
    images = torch.zeros(1, 3, 8, 8)
    images[0, 0, 2, 5] = 1.0
    heat = grad_cam(model, images, torch.tensor([0]))
    assert heat.shape == (1, 8, 8) and heat[0, 2, 5] == 1.0 and heat.sum() == 1.0


def test_grad_cam_takes_a_network_of_the_zoo_and_leaves_it_alone() -> None:
    model = lightweight_cnn(10).eval()
    images = torch.rand(2, 3, 32, 32)
    before = model(images)
    heat = grad_cam(model, images, torch.tensor([1, 2]))
    assert heat.shape == (2, 32, 32) and float(heat.min()) >= 0 and float(heat.max()) <= 1
    assert torch.equal(model(images), before)
    assert all(module.inplace for module in model.modules() if isinstance(module, nn.ReLU))
    with pytest.raises(EnergySimError, match="needs a convolution"):
        last_convolution(nn.Linear(2, 2))


def test_features_are_what_the_classifier_reads() -> None:
    model = lightweight_cnn(10).eval()
    images = torch.rand(3, 3, 32, 32)
    read = features(model, images)
    assert read.shape == (3, 128)
    assert torch.allclose(model.classifier(read), model(images), atol=1e-6)
    assert dict(parameter_shares(model))["classifier"] == 128 * 10 + 10
    assert sum(count for _, count in parameter_shares(model)) == sum(p.numel() for p in model.parameters())


def test_tsne_keeps_two_clouds_apart() -> None:
    torch.manual_seed(0)
    points = torch.cat([torch.randn(20, 6), torch.randn(20, 6) + 30])
    plane = on_a_plane(points)
    assert plane.shape == (40, 2)
    assert np.array_equal(plane, on_a_plane(points))
    first, second = plane[:20], plane[20:]
    assert np.linalg.norm(first.mean(0) - second.mean(0)) > max(first.std(), second.std())


def _summary(name: str, top1: float, energy_pj: float | None) -> ModelSummary:
    cost = None
    if energy_pj is not None:
        cost = DeviceCost("a", 8, 2_000_000, energy_pj, energy_pj / 2, energy_pj * 2, 1e-3, 10.0, 5.0)
    return ModelSummary(
        name, "d", 1000, Spread.of([top1]), None, Spread.of([0.1]), Spread.of([1]), Spread.of([1.0]), cost
    )


def test_the_pareto_front() -> None:
    found = pareto(
        [
            _summary("best", 0.9, 9.0),
            _summary("cheap", 0.5, 1.0),
            _summary("beaten", 0.5, 2.0),
            _summary("also best", 0.9, 9.0),
            _summary("unknown", 1.0, None),
        ]
    )
    assert found == (True, True, False, True, False)


def test_s1s_measures() -> None:
    """72 mJ per inference are 0.02 kWh per million, as S1 claims of its lightweight network."""
    summary = _summary("x", 0.702, 72e9)
    assert summary.kwh_per_million == pytest.approx(0.02)
    assert summary.points_per_mmac == pytest.approx(70.2 / 2)
    assert summary.model_bytes == 4000
    spread = Spread.of([0.5, 0.7])
    assert (spread.mean, spread.n) == (pytest.approx(0.6), 2) and spread.std == pytest.approx(math.sqrt(0.02))


def test_the_peak_of_the_feature_maps() -> None:
    """lightweight_cnn: its first map (16 planes of 16x16) and the input, or that map and the second (32 of 8x8) ...;
    a shortcut keeps the block's input alive until the sum."""
    maps = [3 * 1024, 16 * 256, 32 * 64, 64 * 64, 128 * 64, 128 * 64, 128, 100]
    expected = max(a + b for a, b in itertools.pairwise(maps))
    assert peak_map_bytes(resolve_workload("lightweight_cnn").trace(), 8) == expected == 2 * 128 * 64
    block = BasicBlock(4, 4, 1)
    assert peak_map_bytes(workload_of(block, "1x4x8x8").trace(), 16) == 3 * 4 * 64 * 2
    plain = BasicBlock(4, 4, 1, has_shortcut=False)
    assert peak_map_bytes(workload_of(plain, "1x4x8x8").trace(), 16) == 2 * 4 * 64 * 2


def test_grad_cam_looks_at_features_and_at_no_gate() -> None:
    gated = enhanced_cnn(attention="cbam_lite")
    found = last_convolution(gated)
    assert found.out_channels == 256 and found.kernel_size == (3, 3)
