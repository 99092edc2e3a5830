"""The gradients of a layer as tensor problems: executed element by element, they give what autograd gives."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from energysim.graph.problem import Tensor as ProblemTensor
from energysim.graph.problem import TensorProblem
from energysim.graph.trace import trace
from energysim.train.gradients import input_gradient, slots_of_weight_gradient, weight_gradient

LAYERS = {
    "padded": (nn.Conv2d(3, 4, 3, padding=1, bias=False), (2, 3, 5, 4)),
    "strided": (nn.Conv2d(2, 3, 3, stride=2, padding=1, bias=False), (1, 2, 6, 7)),
    "stride over the kernel": (nn.Conv2d(2, 2, 1, stride=2, bias=False), (2, 2, 5, 5)),
    "dilated": (nn.Conv2d(2, 2, (3, 2), dilation=2, padding=(2, 1), bias=False), (1, 2, 6, 5)),
    "grouped": (nn.Conv2d(4, 6, 3, groups=2, bias=False), (2, 4, 4, 4)),
    "depthwise": (nn.Conv2d(3, 3, 3, groups=3, padding=1, bias=False), (2, 3, 4, 4)),
    "one axis": (nn.Conv1d(2, 3, 3, stride=2, padding=1, bias=False), (2, 2, 7)),
    "three axes": (nn.Conv3d(2, 2, 2, padding=1, bias=False), (1, 2, 3, 2, 3)),
    "transposed": (nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, bias=False), (2, 3, 3, 4)),
    "linear": (nn.Linear(5, 4, bias=False), (3, 5)),
}


def executed(problem: TensorProblem, weights: Tensor, ifmap: Tensor, size: tuple[int, ...]) -> Tensor:
    """The result [ranks of the ofmap] of one multiply-accumulate per point; coordinates outside a tensor are zeros."""
    result = torch.zeros(size, dtype=torch.float64)
    names = [dim for dim, _ in problem.dims]
    for point in itertools.product(*(range(bound) for _, bound in problem.dims)):
        at = dict(zip(names, point, strict=True))
        places = [_coordinate(problem.tensor(name), at) for name in ("weights", "ifmap", "ofmap")]
        if None not in places:
            w, i, o = places
            result[o] += weights[w] * ifmap[i]  # type: ignore[index]
    return result


def _coordinate(tensor: ProblemTensor, at: dict[str, int]) -> tuple[int, ...] | None:
    found = []
    for rank in tensor.ranks:
        place = rank.offset + sum(factor * at[dim] for dim, factor in rank.terms)
        if rank.extent is not None and not 0 <= place < rank.extent:
            return None
        found.append(place)
    return tuple(found)


def _sizes(problem: TensorProblem, name: str) -> tuple[int, ...]:
    return tuple(
        rank.extent if rank.extent is not None else problem.bounds[rank.terms[0][0]]
        for rank in problem.tensor(name).ranks
    )


@pytest.mark.parametrize("case", LAYERS)
def test_gradients_equal_autograds(case: str) -> None:
    layer, shape = LAYERS[case]
    layer = layer.double()
    forward = trace(layer, (torch.zeros(shape, dtype=torch.float64),)).layers[0].problem
    assert forward is not None
    images = torch.randint(-3, 4, shape).double().requires_grad_()
    weight = layer.weight
    with torch.no_grad():
        weight.copy_(torch.randint(-3, 4, weight.shape))
    result = layer(images)
    arriving = torch.randint(-3, 4, result.shape).double()
    d_images, d_weight = torch.autograd.grad(result, (images, weight), arriving)

    sizes = {name: _sizes(forward, name) for name in ("weights", "ifmap", "ofmap")}
    values = {
        "weights": _laid_out(weight.detach(), sizes["weights"], case),
        "ifmap": images.detach().reshape(sizes["ifmap"]),
        "ofmap": arriving.reshape(sizes["ofmap"]),
    }
    backward = input_gradient(forward)
    found = executed(backward, values["weights"], values["ofmap"], sizes["ifmap"])
    torch.testing.assert_close(found, d_images.reshape(sizes["ifmap"]), rtol=0, atol=0)

    update = weight_gradient(forward)
    in_weights, in_ifmap = slots_of_weight_gradient(forward)
    found = executed(update, values[in_weights], values[in_ifmap], sizes["weights"])
    torch.testing.assert_close(found, _laid_out(d_weight, sizes["weights"], case), rtol=0, atol=0)

    assert backward.macs == update.macs == forward.macs


def _laid_out(weight: Tensor, sizes: tuple[int, ...], case: str) -> Tensor:
    """Weights in the problem's ranks [G][K][C][kernel]; a transposed convolution's are stored [C][K][kernel]."""
    return weight.transpose(0, 1).reshape(sizes) if case == "transposed" else weight.reshape(sizes)


def test_dimensions_keep_their_meaning() -> None:
    """So that constraints written for forward layers hold: reduced dimensions of the new problems are C, R, S."""
    layer, shape = LAYERS["strided"]
    forward = trace(layer.double(), (torch.zeros(shape, dtype=torch.float64),)).layers[0].problem
    assert forward is not None
    for problem in (input_gradient(forward), weight_gradient(forward)):
        assert problem.tensor("weights").dims == frozenset("GKCRS")
        assert [dim for dim, _ in problem.dims] == list("GNKCPQRS")
    assert weight_gradient(forward).output.dims == frozenset("GNKPQ")
    assert weight_gradient(forward).bounds["C"] == forward.bounds["N"]
    assert input_gradient(forward).bounds["C"] == forward.bounds["K"]
