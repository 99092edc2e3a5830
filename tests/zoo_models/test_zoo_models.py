"""Every model of the zoo: parameters and MACs pinned and counted by hooks, what it is made of, what it refuses."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from energysim.errors import EnergySimError
from energysim.graph.layers import LayerGraph
from energysim.nn import MemoryOptimizedConv2d
from energysim.nn.zoo import (
    DualCNN,
    StochasticDepth,
    cifar_resnet,
    dual_cnn,
    enhanced_cnn,
    lightweight_cnn,
    memory_optimized_cnn,
)
from energysim.nn.zoo.attention import CBAMLite, SpatialGate, SqueezeExcitation
from energysim.nn.zoo.dual import dual_parameters, sub_cnn
from energysim.nn.zoo.enhanced import EnhancedCNN, SeparableBlock
from energysim.nn.zoo.resnet import BasicBlock
from energysim.workload import resolve_workload, workload_of

# Workload -> (parameters, MACs of one image). lightweight_cnn's and resnet18's are the S1 write-up's; torchvision's
# parameters are those published with its ImageNet weights, less the classifier's 900 classes (1000 to 100).
PINNED = {
    "lightweight_cnn": (258_292, 15_753_728),
    "memory_optimized_cnn": (258_292, 15_753_728),
    "resnet18": (11_220_132, 555_468_800),
    "resnet34": (21_328_292, 1_159_448_576),
    "resnet34_xavier": (21_282_122, 1_159_402_496),
    "resnet34_plain": (21_108_298, 1_153_111_040),
    "resnet20": (272_474, 40_813_184),
    "ffnn": (1_730_404, 1_729_536),
    "dual_cnn": (27_506, 806_400),
    "sub_cnn": (13_758, 403_200),
    "enhanced_cnn": (202_558, 22_838_272),
    # 2 x 7 x 7 weights more in each of five blocks, used once per place of planes of 32, 16, 16, 8 and 8.
    "enhanced_cnn_cbam": (202_558 + 5 * 98, 22_838_272 + 98 * (1024 + 2 * 256 + 2 * 64)),
    # Three 1x1 shortcuts with BatchNorm, on planes of 32, 16 and 8; 2 c^2 / 16 weights and c / 16 + c biases per gate.
    "enhanced_cnn_plain": (202_558 - 43_008 - 896, 22_838_272 - 2048 * 1024 - 8192 * 256 - 32_768 * 64),
    "enhanced_cnn_no_attention": (202_558 - 20_992 - 884, 22_838_272 - 20_992),
    "mobilenet_v2_cifar": (3_504_872 - 900 * 1281, 88_091_648),
    "shufflenet_v2_cifar": (2_278_604 - 900 * 1025, 45_094_272),
    "squeezenet_cifar": (1_235_496 - 900 * 513, 91_684_864),
    "efficientnet_b0_cifar": (5_288_548 - 900 * 1281, 116_282_368),
}


@functools.cache
def traced(name: str) -> LayerGraph:
    return resolve_workload(name).trace()


def counted(model: nn.Module, images: Tensor) -> tuple[int, int]:
    """Parameters, and MACs of convolutions and linear layers by forward hooks: no tracing involved."""
    macs = 0

    def hook(module: nn.Module, _inputs: tuple[Tensor, ...], result: Tensor) -> None:
        nonlocal macs
        weight = module.weight
        assert isinstance(weight, Tensor)
        pixels = result.numel() // weight.shape[0]
        macs += pixels * weight.numel()

    handles = [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        model.eval()(images)
    for handle in handles:
        handle.remove()
    return sum(parameter.numel() for parameter in model.parameters()), macs


@pytest.mark.parametrize("name", PINNED)
def test_parameters_and_macs(name: str) -> None:
    workload = resolve_workload(name)
    graph = traced(name)
    assert (graph.parameters, graph.macs) == PINNED[name]
    assert counted(workload.model(), torch.zeros(workload.input_shapes[0])) == PINNED[name]
    assert graph.unmodelled == {}


def test_a_resnet_has_the_layers_of_its_depth() -> None:
    """Convolutions and the linear layer, shortcuts aside, are the depth."""
    for depth in (8, 10, 18, 20, 32, 34):
        layers = [
            module
            for name, module in cifar_resnet(depth, width=2).named_modules()
            if isinstance(module, nn.Conv2d | nn.Linear) and "shortcut" not in name
        ]
        assert len(layers) == depth


def test_width_and_shortcut_of_a_resnet() -> None:
    model = cifar_resnet(10, width=4, shortcut=False, num_classes=7)
    assert [module.out_channels for module in model.modules() if isinstance(module, nn.Conv2d)][-1] == 32
    assert all(block.shortcut is None for block in model.modules() if isinstance(block, BasicBlock))
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_a_plain_block_adds_nothing() -> None:
    """With the second BatchNorm's scale at zero a block without a shortcut gives zeros, one with it gives its input."""
    for has_shortcut in (False, True):
        block = BasicBlock(3, 3, 1, has_shortcut)
        nn.init.zeros_(block.second[1].weight)  # type: ignore[arg-type]
        x = torch.rand(2, 3, 5, 5)
        assert torch.equal(block(x), x if has_shortcut else torch.zeros_like(x))


def test_xavier_initialization() -> None:
    """Uniform within sqrt(6 / (fan in + fan out)) (Glorot and Bengio, 2010), and reaching close to it."""
    model = cifar_resnet(10, width=16, init="xavier")
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            taps = module.kernel_size[0] * module.kernel_size[1]
            bound = (6 / ((module.in_channels + module.out_channels) * taps)) ** 0.5
            largest = module.weight.abs().max().item()
            assert 0.9 * bound < largest <= bound
        if isinstance(module, nn.Linear):
            assert module.bias is not None and not module.bias.any()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"depth": 21}, "no ResNet of depth 21"),
        ({"depth": 0}, "no ResNet of depth 0"),
        ({"width": 0}, "a width of 0"),
        ({"init": "xavjer"}, "did you mean 'xavier'"),
    ],
)
def test_resnets_that_do_not_exist(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(EnergySimError, match=says):
        cifar_resnet(**arguments)  # type: ignore[arg-type]


def test_dual_cnn_fits_its_range_with_no_pooling_below_four() -> None:
    """20,000 to 30,000 parameters need 4x4 windows: the closed form equals the built network for every size."""
    for pool in (2, 3, 4, 5):
        built = sum(parameter.numel() for parameter in dual_cnn(pool=pool).parameters())
        assert dual_parameters(pool) == built
    assert [pool for pool in range(1, 6) if 20_000 <= dual_parameters(pool) <= 30_000] == [4]
    assert min(dual_parameters(pool) for pool in (1, 2, 3)) > 50_000


def test_dual_cnn_joins_and_unfreezes() -> None:
    raw, augmented, dual = sub_cnn(), sub_cnn(), dual_cnn()
    dual.join(raw, augmented)
    images = torch.rand(2, 3, 32, 32)
    for model in (raw, augmented, dual):
        model.eval()
    features = torch.cat([raw.features(images), augmented.features(images)], dim=1)
    assert torch.equal(dual(images), dual.classifier(features))
    trainable = [_trainable(dual, steps) for steps in range(5)]
    assert trainable[0] == set()
    assert trainable[1] == {"classifier.weight", "classifier.bias"}
    assert all(before < after for before, after in itertools.pairwise(trainable))
    assert trainable[4] == {name for name, _ in dual.named_parameters()}


def _trainable(model: DualCNN, steps: int) -> set[str]:
    model.unfreeze(steps)
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_enhanced_cnn_is_made_of_what_it_names() -> None:
    model = enhanced_cnn()
    gates = [module for module in model.modules() if isinstance(module, SqueezeExcitation)]
    assert all(gate.reduce.out_channels * 16 == gate.reduce.in_channels for gate in gates) and len(gates) == 5
    depthwise = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1]
    assert len(depthwise) == 5
    assert isinstance(model.head, nn.Conv2d) and model.head.kernel_size == (1, 1)
    assert not any(isinstance(module, nn.Linear) for module in model.modules())


@pytest.mark.parametrize("form", ["tiled", "buffered", "full"])
def test_memory_optimized_cnn_is_the_lightweight_cnn(form: str) -> None:
    """One state dict for both, and equal results: exact overlap leaves nothing for accuracy to depend on."""
    plain, cut = lightweight_cnn(10).double().eval(), memory_optimized_cnn(10, form, tile_size=3).double().eval()
    cut.load_state_dict(plain.state_dict())
    layers = [module for module in cut.modules() if isinstance(module, MemoryOptimizedConv2d)]
    assert len(layers) == 4
    assert {layer.buffer_size > 0 for layer in layers} == {form != "tiled"}
    assert {layer.tile_size == (3, 3) for layer in layers} == {form != "buffered"}
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(cut(images), plain(images), rtol=1e-12, atol=1e-12)


def test_unknown_form() -> None:
    with pytest.raises(EnergySimError, match="did you mean 'tiled'"):
        memory_optimized_cnn(form="tilde")


def test_adapted_classifiers_keep_a_plane() -> None:
    """torchvision's own would end on one pixel: here 4x4 (SqueezeNet 8x8) reach the classifier's pooling."""
    planes = {"mobilenet_v2_cifar": 4, "shufflenet_v2_cifar": 4, "squeezenet_cifar": 8, "efficientnet_b0_cifar": 4}
    for name, side in planes.items():
        graph = traced(name)
        pooled = [layer for layer in graph.layers if layer.op in ("adaptive_avg_pool2d", "mean")][-1]
        assert graph.edges[pooled.inputs[0]].shape[-2:] == (side, side)


def test_cbam_lite_weighs_channels_then_places() -> None:
    """Written out from the definition: the gate of the channels' means, then that of each place's mean and maximum."""
    torch.manual_seed(0)
    block, x = CBAMLite(32), torch.randn(2, 32, 5, 6)
    channels, places = block
    assert isinstance(channels, SqueezeExcitation) and isinstance(places, SpatialGate)
    small = torch.relu(channels.reduce.weight.flatten(1) @ x.mean((2, 3)).T + channels.reduce.bias.unsqueeze(1))  # type: ignore[union-attr]
    large = channels.expand.weight.flatten(1) @ small + channels.expand.bias.unsqueeze(1)  # type: ignore[union-attr]
    weighed = x * large.T.sigmoid()[:, :, None, None]
    padded = functional.pad(torch.stack([weighed.mean(1), weighed.max(1).values], 1), (3, 3, 3, 3))
    mixed = torch.stack(
        [(padded[:, :, r : r + 7, c : c + 7] * places.mix.weight).sum((1, 2, 3)) for r in range(5) for c in range(6)]
    )
    expected = weighed * mixed.T.reshape(2, 1, 5, 6).sigmoid()
    torch.testing.assert_close(block(x), expected)
    assert sum(parameter.numel() for parameter in block.parameters()) == 2 * 32 * 2 + 2 + 32 + 2 * 49


def test_cbam_lite_is_really_applied() -> None:
    """Same weights otherwise; a gate that is shut everywhere leaves the shortcut alone, and learns."""
    plain, gated = enhanced_cnn(), enhanced_cnn(attention="cbam_lite")
    more = sum(p.numel() for p in gated.parameters()) - sum(p.numel() for p in plain.parameters())
    assert more == 5 * 98
    images = torch.rand(2, 3, 32, 32)
    for block in gated.blocks:
        assert isinstance(block, SeparableBlock) and isinstance(block.attention, CBAMLite)
    block = gated.eval().blocks[2]
    assert isinstance(block, SeparableBlock)
    x = torch.rand(2, 128, 8, 8)
    open_gate = block(x)
    nn.init.zeros_(block.attention[1].mix.weight)  # type: ignore[index, union-attr, arg-type]
    half = block(x)
    branch = block.pointwise(block.depthwise(x))
    torch.testing.assert_close(half, torch.relu(block.attention[0](branch) / 2 + x))  # type: ignore[index, operator]
    assert not torch.equal(open_gate, half)
    gated.train()(images).sum().backward()
    gates = [module.mix.weight.grad for module in gated.modules() if isinstance(module, SpatialGate)]
    assert len(gates) == 5 and all(gate is not None and gate.abs().max() > 0 for gate in gates)
    with pytest.raises(EnergySimError, match="did you mean 'cbam_lite'"):
        enhanced_cnn(attention="cbam_light")


def test_stochastic_depth_keeps_the_expectation() -> None:
    torch.manual_seed(0)
    drop, branch = StochasticDepth(0.3), torch.randn(20_000, 2, 1, 1)
    torch.testing.assert_close(drop.eval()(branch), branch, rtol=0, atol=0)
    dropped = drop.train()(branch)
    gone = (dropped == 0).flatten(1)
    assert torch.equal(gone.all(1), gone.any(1)), "an image's branch is kept or dropped as a whole"
    torch.testing.assert_close(dropped[~gone.any(1)], branch[~gone.any(1)] / 0.7)
    # 20,000 draws of a mean 1 with standard deviation (0.3 / 0.7)^0.5: five standard errors.
    mean = float((~gone[:, 0]).double().mean()) / 0.7
    assert mean == pytest.approx(1, abs=5 * (0.3 / 0.7 / 20_000) ** 0.5)


@pytest.mark.parametrize("build", [enhanced_cnn, functools.partial(cifar_resnet, 8, width=4)])
def test_a_dropped_branch_leaves_the_shortcut(build: Callable[[], nn.Module]) -> None:
    """All branches dropped: the blocks are their shortcuts; in evaluation nothing is."""
    model, images = build(), torch.rand(4, 3, 32, 32)
    blocks = [module for module in model.modules() if isinstance(module, BasicBlock | SeparableBlock)]
    before = model.eval()(images)
    for block in blocks:
        block.drop.p = 1.0
    assert torch.equal(model(images), before)
    caught: list[tuple[Tensor, Tensor]] = []
    model.train()
    for block in blocks:
        assert block.shortcut is not None
        block.shortcut.register_forward_hook(lambda _m, _i, out: caught.append((out, out)))
        block.register_forward_hook(lambda _m, _i, out: caught.append((caught.pop()[0], out)))
    model(images)
    assert len(caught) == len(blocks)
    assert all(torch.equal(functional.relu(shortcut), out) for shortcut, out in caught)


def test_stochastic_depth_adds_nothing_to_the_traced_network() -> None:
    model = enhanced_cnn()
    for module in model.modules():
        if isinstance(module, StochasticDepth):
            module.p = 0.5
    assert workload_of(model, "1x3x32x32").trace().macs == PINNED["enhanced_cnn"][1]
    assert set(model.state_dict()) == set(EnhancedCNN().state_dict())
