"""The floor: what the results depend on, found by differentiation, and no variant below it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import energysim
from energysim.graph.trace import trace
from energysim.simulation.floor import floor_bytes


class SlicedInput(nn.Module):
    """One output is part of the input, the other depends on the rest of it."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, :2], x[:, 2:] * 2


class Spread(nn.Module):
    """Its kernel is smaller than its stride: two of three rows and columns of the result get no product."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = nn.ConvTranspose2d(3, 2, 1, stride=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.spread(x)  # type: ignore[no-any-return]


class Branches(nn.Module):
    """Both branches leave out the last rows; one upsamples, so that it reads coordinates with gaps."""

    def __init__(self) -> None:
        super().__init__()
        self.point = nn.Conv2d(3, 3, 1, stride=(4, 1), bias=False)
        self.window = nn.Conv2d(3, 3, 3, stride=(4, 1), padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        return self.point(x) + self.window(x)  # type: ignore[no-any-return]


CHAINS = {
    "a window that skips the border": nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 2, 2, bias=False)),
    "holes": nn.Sequential(nn.PReLU(), nn.Conv2d(3, 4, 1, 3, bias=False), nn.MaxPool2d((2, 1))),
    "dilation": nn.Sequential(nn.Conv2d(3, 4, 2, (5, 3), dilation=2, bias=False), nn.ReLU(), nn.MaxPool2d(1, 2)),
    "upsampling": nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Upsample(scale_factor=2), nn.MaxPool2d(1, 5)),
    "transposed": nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(3, 4, 2, 2, bias=False), nn.MaxPool2d(1, (7, 4))),
    "branches": Branches(),
    "no plane": nn.Sequential(nn.Flatten(0), nn.LeakyReLU(), nn.ReLU()),
}


@pytest.mark.parametrize("name", CHAINS)
def test_inputs_count_as_far_as_the_results_depend_on_them(name: str) -> None:
    model = CHAINS[name].eval()
    for parameter in model.parameters():
        torch.nn.init.ones_(parameter)
    image = torch.arange(1.0, 1 + 3 * 11 * 13).reshape(1, 3, 11, 13).requires_grad_()
    flat = (nn.AvgPool2d(m.kernel_size, m.stride) if isinstance(m, nn.MaxPool2d) else m for m in model.children())
    smooth = nn.Sequential(*flat) if isinstance(model, nn.Sequential) else model  # a maximum hides what it read
    result = smooth(image)
    result.sum().backward()
    assert image.grad is not None
    needed = int((image.grad != 0).sum())
    graph = trace(model, (torch.zeros(1, 3, 11, 13),))
    weights = sum(p.numel() for p in model.parameters())
    assert floor_bytes(graph, 8) == needed + weights + result.numel()


@pytest.mark.parametrize("model", [SlicedInput(), Spread(), *CHAINS.values()], ids=["sliced", "spread", *CHAINS])
def test_no_variant_is_below_the_floor(model: nn.Module) -> None:
    graph = trace(model.eval(), (torch.zeros(1, 3, 11, 13),))
    result = energysim.simulate(graph, "meta_proto_df", variant="all", tile=(3, 2), objective="dram", bits=8)
    for variant in result.variants:
        assert variant.dram_bytes >= variant.dram_floor_bytes, variant.variant
    # All fits on chip: fused, nothing is moved but what the results need.
    assert result.variants[-1].dram_bytes == result.variants[-1].dram_floor_bytes
