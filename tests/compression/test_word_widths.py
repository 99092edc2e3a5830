"""Word widths from a quantized network to its simulation."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from energysim.errors import EnergySimError
from energysim.graph.trace import trace
from energysim.simulation import simulate
from energysim.train.quantize import calibrate, quantized_network
from energysim.train.quantizers import BitsError, Quantizer, WeightQuantizer
from energysim.train.rewrite import RewriteError
from energysim.workload import resolve_workload, workload_of

SHAPE = (3, 8, 8)


class Small(nn.Module):
    """Every kind of join: a residual sum, a concatenation, pooling, an activation without a module."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(8 * 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.cat([torch.relu(self.conv(x) + x), x], dim=1)
        return self.head(self.pool(x).flatten(1))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    torch.manual_seed(0)
    model = Small()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # something to fold
            module.running_mean, module.running_var = torch.randn(4), torch.rand(4) + 0.5  # type: ignore[assignment]
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias)
    return model.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(16, *SHAPE, generator=torch.Generator().manual_seed(1))


def quantized(plain: nn.Module, images: Tensor, bits: int) -> nn.Module:
    return calibrate(quantized_network(plain, SHAPE, bits), [(images, None)])


def test_all_that_moves_is_narrow(plain: nn.Module, images: Tensor) -> None:
    before = trace(plain, (images[:1],))
    for bits in (8, 4):
        graph = trace(quantized(plain, images, bits), (images[:1],))
        assert graph.widths == {bits}
        assert [layer.name for layer in graph.layers] == [layer.name for layer in before.layers]
        assert graph.macs == before.macs
        for layer in graph.layers:
            if layer.problem is not None:
                assert {(tensor.bits, tensor.is_quantized) for tensor in layer.problem.tensors} == {(bits, True)}
    assert before.widths == {None}


def test_widths_reach_energy_and_traffic(plain: nn.Module, images: Tensor) -> None:
    wide = simulate(plain, "jetson_nano", input="1x3x8x8")
    narrow = simulate(quantized(plain, images, 8), "jetson_nano", input="1x3x8x8")
    assert (wide.bits, narrow.bits) == (16, 8)
    assert narrow.variants[0].dram_floor_bytes == wide.variants[0].dram_floor_bytes / 2
    assert narrow.variants[0].energy.value < wide.variants[0].energy.value
    asked = simulate(plain, "jetson_nano", input="1x3x8x8", bits=8)
    assert narrow.variants[0].energy == asked.variants[0].energy
    overridden = simulate(quantized(plain, images, 8), "jetson_nano", input="1x3x8x8", bits=16)
    assert overridden.variants[0].energy == wide.variants[0].energy


class OnlyWeights(nn.Module):
    """Weights of four bits, feature maps as the device likes; the second layer's stay wide."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.rounding = WeightQuantizer(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first._conv_forward(x, self.rounding(self.first.weight), self.first.bias)
        return self.second(x)  # type: ignore[no-any-return]


def test_mixed_widths_are_simulated_layer_by_layer() -> None:
    model = OnlyWeights().eval()
    graph = workload_of(model, "1x3x8x8").trace()
    assert graph.edges["first.weight"].bits == 4 and graph.edges["second.weight"].bits is None
    result = simulate(graph, "jetson_nano", objective="dram")
    first, second = result.variants[0].layers
    assert result.bits == 16
    weights_first, weights_second = 4 * 3 * 9 * 4 / 8, 4 * 4 * 9 * 16 / 8
    assert first.dram_read_bytes == 3 * 64 * 2 + weights_first
    assert second.dram_read_bytes == 4 * 36 * 2 + weights_second
    assert result.variants[0].dram_floor_bytes == 3 * 64 * 2 + weights_first + weights_second + 4 * 16 * 2
    with pytest.raises(EnergySimError, match=r"different word widths \(4, as the device has\).*--bits"):
        simulate(graph, "jetson_nano", variant="full")


class ReadTwice(nn.Module):
    """A map that one layer reads rounded and another as it is has to be stored wide."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.narrow, self.wide = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.rounding = Quantizer(8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.narrow(self.rounding(x)) + self.wide(x)  # type: ignore[no-any-return]


def test_a_map_that_is_also_read_whole_stays_wide() -> None:
    graph = workload_of(ReadTwice().eval(), "1x3x4x4").trace()
    assert graph.widths == {None}


def test_converted_programs_carry_their_widths() -> None:
    """Quantize and dequantize operators, as PyTorch 2 Export quantization leaves them, with int8 weights stored."""
    import torch.ao.quantization.fx._decomposed

    ops = torch.ops.quantized_decomposed

    class Converted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", torch.randint(-127, 128, (4, 3, 3, 3), dtype=torch.int8))

        def forward(self, x: Tensor) -> Tensor:
            x = ops.dequantize_per_tensor(
                ops.quantize_per_tensor(x, 0.1, 0, 0, 255, torch.uint8), 0.1, 0, 0, 255, torch.uint8
            )
            weight = ops.dequantize_per_tensor(self.weight, 0.1, 0, -127, 127, torch.int8)
            y = torch.relu(nn.functional.conv2d(x, weight))
            return ops.quantize_per_tensor(y, 0.1, 0, 0, 255, torch.uint8)  # type: ignore[no-any-return]

    graph = workload_of(Converted().eval(), "1x3x6x6").trace()
    assert [layer.op for layer in graph.layers] == ["conv2d"]
    assert graph.widths == {8} and graph.unmodelled == {}


def test_rounding_error_shrinks_with_the_bits(plain: nn.Module, images: Tensor) -> None:
    """The folded and calibrated network approximates the plain one, four times better with two more bits (within 2)."""
    with torch.no_grad():
        expected = plain(images)
        errors = [(quantized(plain, images, bits)(images) - expected).pow(2).mean().sqrt() for bits in (4, 6, 8, 10)]
    for coarse, fine in itertools.pairwise(errors):
        assert 2 < coarse / fine < 8
    assert errors[-1] < 2e-3 * expected.abs().max()


def test_values_lie_on_their_levels(images: Tensor) -> None:
    quantizer = Quantizer(3)
    quantizer.observe("extremes")
    rounded = quantizer(images)
    assert len(rounded.unique()) == 8
    assert 0.0 in rounded  # exactly: padding and ReLU depend on it
    assert (rounded - images).abs().max() <= 0.51 * quantizer.scale
    weights = torch.randn(4, 5)
    rounding = WeightQuantizer(4, 4).train()
    for row, source in zip(rounding(weights), weights, strict=True):
        assert torch.isclose(row.abs().max(), source.abs().max())
        levels = row / source.abs().max() * 7
        torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)


def test_gradients_pass_through(plain: nn.Module, images: Tensor) -> None:
    model = quantized(plain, images, 8).train()
    model(images).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_ranges_move_only_in_training(images: Tensor) -> None:
    quantizer = Quantizer(8)
    quantizer(images)
    first = quantizer.scale.clone()
    quantizer(3 * images)
    assert first < quantizer.scale < 3 * first
    quantizer.eval()
    kept = quantizer.scale.clone()
    quantizer(100 * images)
    assert torch.equal(quantizer.scale, kept)


@pytest.mark.parametrize("name", ["resnet20", "enhanced_cnn"])
def test_the_zoo_quantizes(name: str) -> None:
    workload = resolve_workload(name)
    model, shape = workload.model().eval(), workload.input_shapes[0]
    batch = torch.randn(4, *shape[1:], generator=torch.Generator().manual_seed(0))
    network = calibrate(quantized_network(model, shape[1:]), [(batch, None)])
    graph = workload_of(network, "x".join(map(str, shape))).trace()
    assert graph.widths == {8} and graph.macs == workload.trace().macs
    with torch.no_grad():
        expected = model(batch)
        assert (network(batch) - expected).abs().max() < 0.1 * expected.abs().max()


def test_what_cannot_be_quantized(plain: nn.Module) -> None:
    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(RewriteError, match="Branching cannot be taken apart"):
        quantized_network(Branching(), SHAPE)
    with pytest.raises(BitsError, match="words of 1 bits"):
        quantized_network(plain, SHAPE, 1)
    from energysim.nn.zoo import memory_optimized_cnn

    with pytest.raises(RewriteError, match="less overlap than it needs"):
        quantized_network(memory_optimized_cnn(tile_size=4, overlap=0), (3, 32, 32))


def test_verify_refuses_what_it_would_compute_otherwise(plain: nn.Module, images: Tensor) -> None:
    from energysim.nn.executor.program import ExecutionError, prepare

    for dtype in (torch.float32, torch.float64):
        with pytest.raises(ExecutionError, match="quantizers are not executed"):
            prepare(quantized(plain, images, 8).to(dtype), (images[:1].to(dtype),))
