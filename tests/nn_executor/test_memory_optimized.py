"""MemoryOptimizedConv2d: equal to nn.Conv2d for every tile size, a drop-in for its state, and trainable."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from energysim.graph.trace import trace
from energysim.nn import MemoryOptimizedConv2d
from energysim.nn.memory_optimized import TileError


def _integers(*shape: int, seed: int = 0) -> torch.Tensor:
    """Small whole numbers in float64: every sum of products of them is exact, whatever its order."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-3, 4, shape, generator=generator).double()


def _twin(conv: MemoryOptimizedConv2d) -> nn.Conv2d:
    """A plain convolution of the same geometry; both get the same whole numbers as parameters."""
    plain = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        conv.groups,
        conv.bias is not None,
    ).double()
    with torch.no_grad():
        for index, parameter in enumerate(plain.parameters()):
            parameter.copy_(_integers(*parameter.shape, seed=index))
    conv.load_state_dict(plain.state_dict())
    return plain


@settings(max_examples=60, deadline=None)
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    groups=st.sampled_from((1, 2)),
    bias=st.booleans(),
    tile=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    size=st.tuples(st.integers(8, 14), st.integers(8, 14)),
)
def test_every_tile_size_gives_the_plain_convolution_bit_for_bit(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    bias: bool,
    tile: tuple[int, int],
    size: tuple[int, int],
) -> None:
    conv = MemoryOptimizedConv2d(
        4, 6, kernel, stride, padding, bias, tile_size=tile, dilation=dilation, groups=groups
    ).double()
    plain = _twin(conv)
    images = _integers(2, 4, *size, seed=7)
    assert torch.equal(conv(images), plain(images))


def test_gradients_are_those_of_the_plain_convolution() -> None:
    conv = MemoryOptimizedConv2d(3, 5, bias=True, tile_size=4).double()
    plain = _twin(conv)
    images = _integers(2, 3, 11, 13)
    for layer in (conv, plain):
        (layer(images) ** 2).sum().backward()
    assert conv.weight.grad is not None and plain.weight.grad is not None
    assert torch.equal(conv.weight.grad, plain.weight.grad)
    assert conv.bias is not None and plain.bias is not None
    assert torch.equal(conv.bias.grad, plain.bias.grad)


@pytest.mark.parametrize("overlap", [None, (1, 0)])
def test_autograd_agrees_with_finite_differences(overlap: tuple[int, int] | None) -> None:
    conv = MemoryOptimizedConv2d(2, 3, bias=True, tile_size=(3, 4), overlap=overlap).double()
    images = torch.randn(1, 2, 7, 6, dtype=torch.double, requires_grad=True)

    def run(images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = torch.func.functional_call(conv, {"weight": weight, "bias": bias}, (images,))
        return made

    assert conv.bias is not None
    parameters = (conv.weight.detach().requires_grad_(), conv.bias.detach().requires_grad_())
    assert torch.autograd.gradcheck(run, (images, *parameters))


@pytest.mark.parametrize("overlap", [None, 1])
def test_copies_and_exports_are_the_same_convolution(overlap: int | None) -> None:
    conv = MemoryOptimizedConv2d(3, 5, tile_size=4, buffer_size=2, overlap=overlap).double()
    _twin(conv)
    images = _integers(1, 3, 9, 10)
    for other in (copy.deepcopy(conv), pickle.loads(pickle.dumps(conv))):
        assert (other.tile_size, other.buffer_size, other.overlap) == ((4, 4), 2, conv.overlap)
        assert torch.equal(other(images), conv(images))
    exported = torch.export.export(conv, (images,))
    assert torch.equal(exported.module()(images), conv(images))


def test_the_error_grows_as_the_overlap_shrinks() -> None:
    torch.manual_seed(0)
    exact = MemoryOptimizedConv2d(4, 4, 5, padding=2, tile_size=6)
    images = torch.randn(2, 4, 30, 30)
    errors = []
    for overlap in range(4, -1, -1):
        conv = MemoryOptimizedConv2d(4, 4, 5, padding=2, tile_size=6, overlap=overlap)
        conv.load_state_dict(exact.state_dict())
        errors.append((conv(images) - exact(images)).pow(2).mean().item())
    assert errors[0] == 0.0 and all(a < b for a, b in pairwise(errors))


@pytest.mark.parametrize("shape", [(1, 6, 9, 9), (1, 3, 0, 9), (3, 9)])
def test_an_input_that_a_convolution_refuses_is_refused(shape: tuple[int, ...]) -> None:
    plain, conv = nn.Conv2d(3, 5, 3, padding=0), MemoryOptimizedConv2d(3, 5, padding=0, tile_size=2)
    for layer in (plain, conv):
        with pytest.raises(RuntimeError):
            layer(torch.zeros(shape))


def test_an_image_without_batch_axis() -> None:
    conv = MemoryOptimizedConv2d(3, 5, tile_size=4).double()
    plain = _twin(conv)
    image = _integers(3, 9, 9)
    assert torch.equal(conv(image), plain(image))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(8, 8), (9, 10)])  # cut evenly, and with remainders
def test_the_result_lies_in_memory_as_that_of_the_plain_convolution(
    layout: torch.memory_format, size: tuple[int, int]
) -> None:
    conv = MemoryOptimizedConv2d(3, 5, tile_size=4).double()
    plain = _twin(conv)
    images = _integers(2, 3, *size).to(memory_format=layout)
    assert conv(images).stride() == plain(images).stride()
    assert plain(images).is_contiguous(memory_format=layout)


def test_without_overlap_each_tile_is_a_convolution_of_its_own() -> None:
    conv = MemoryOptimizedConv2d(3, 5, tile_size=4, overlap=0).double()
    plain = _twin(conv)
    images = _integers(1, 3, 8, 8)
    quarters = [[plain(images[..., r : r + 4, c : c + 4]) for c in (0, 4)] for r in (0, 4)]
    assert torch.equal(conv(images), torch.cat([torch.cat(row, 3) for row in quarters], 2))
    assert not conv.is_exact
    assert not torch.equal(conv(images), plain(images))


def test_half_the_overlap_costs_only_the_rows_and_columns_that_follow_a_cut() -> None:
    conv = MemoryOptimizedConv2d(3, 5, tile_size=4, overlap=1).double()
    plain = _twin(conv)
    images = _integers(1, 3, 8, 8)
    wrong = (conv(images) != plain(images)).any(dim=1)[0]
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[4, :] = expected[:, 4] = True
    assert not wrong[~expected].any()
    assert wrong[4].any() and wrong[:, 4].any()


def test_words_moved() -> None:
    conv = MemoryOptimizedConv2d(8, 16, tile_size=4, buffer_size=12)
    moved = conv.traffic(8, 8, batch=2, buffered_channels=3)
    assert moved.ifmap_words == 2 * (8 - 3) * 10 * 10  # two tiles of five rows, two of five columns
    assert moved.weight_words == 8 * 16 * 9
    assert moved.ofmap_words == 2 * (16 - 12) * 8 * 8
    assert moved.words == moved.ifmap_words + moved.weight_words + moved.ofmap_words
    disjoint = MemoryOptimizedConv2d(8, 16, tile_size=4, overlap=0).traffic(8, 8)
    assert disjoint.ifmap_words == 8 * 8 * 8
    assert MemoryOptimizedConv2d(1, 1, 1, stride=3, padding=0).traffic(9, 9).ifmap_words == 9


def test_the_layer_graph_shows_one_convolution() -> None:
    tiled = trace(MemoryOptimizedConv2d(3, 8, tile_size=4), (torch.zeros(1, 3, 16, 16),))
    plain = trace(nn.Conv2d(3, 8, 3, padding=1, bias=False), (torch.zeros(1, 3, 16, 16),))
    assert [layer.problem for layer in tiled.layers] == [layer.problem for layer in plain.layers]
    symbolic = torch.fx.symbolic_trace(MemoryOptimizedConv2d(3, 8, tile_size=4))
    assert [node.op for node in symbolic.graph.nodes].count("call_function") == 1


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"tile_size": 0}, "tile_size 0"),
        ({"buffer_size": -1}, "buffer_size -1"),
        ({"overlap": 3}, "overlap 3"),
        ({"overlap": (2, -1)}, "overlap (2, -1)"),
        ({"padding": "same"}, "padding 'same'"),
        ({"tile_size": 2.5}, "tile_size 2.5"),
        ({"tile_size": (2, 3, 4)}, "tile_size (2, 3, 4)"),
        ({"buffer_size": 1.5}, "buffer_size 1.5"),
        ({"stride": 0}, "stride 0"),
        ({"stride": (1, 2, 3)}, "stride (1, 2, 3)"),
        ({"kernel_size": 0}, "kernel_size 0"),
        ({"dilation": (1, 0)}, "dilation (1, 0)"),
        ({"padding": -1}, "padding -1"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, object], word: str) -> None:
    with pytest.raises(TileError) as caught:
        MemoryOptimizedConv2d(3, 3, **settings)  # type: ignore[arg-type]
    assert word in str(caught.value)


@pytest.mark.parametrize("name", ["height", "width", "batch", "buffered_channels"])
def test_words_of_less_than_nothing_are_refused(name: str) -> None:
    with pytest.raises(TileError, match=f"{name} -1"):
        MemoryOptimizedConv2d(3, 3).traffic(**{"height": 8, "width": 8, name: -1})


def test_numbers_of_numpy_are_sizes() -> None:
    conv = MemoryOptimizedConv2d(3, 3, tile_size=np.int64(4), buffer_size=np.int32(2), overlap=(np.int64(1), 0))
    assert (conv.tile_size, conv.buffer_size, conv.overlap) == ((4, 4), 2, (1, 0))
