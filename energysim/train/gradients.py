"""The two gradients of a tensor problem, as tensor problems of their own.

A layer with multiply-accumulates adds ofmap[o] += weights[w] * ifmap[i] over its iteration space. Its gradients run
over the same points (Rumelhart et al., 1986), with another tensor as the result: their MACs equal the forward pass's.

    input gradient    d_ifmap[i]   += weights[w] * d_ofmap[o]
    weight gradient   d_weights[w] += ifmap[i]   * d_ofmap[o]

The dimensions are renamed to what each plays in the new problem (the input gradient of a convolution is a transposed
convolution with K and C exchanged; its weight gradient is a convolution with the batch as channels and the plane as
kernel), so that a device's constraints and dataflow mean there what they mean in a forward layer.
"""

from __future__ import annotations

from dataclasses import replace

from energysim.graph.problem import Rank, Role, Tensor, TensorProblem

_ORDER = "GNKCDPQTRS"
_KERNEL_OF = {"P": "R", "Q": "S", "D": "T", "R": "P", "S": "Q", "T": "D"}


def input_gradient(problem: TensorProblem) -> TensorProblem:
    """From weights and the ofmap's gradient (in the ifmap's slot) to the ifmap's gradient (in the ofmap's slot)."""
    names = {"K": "C", "C": "K"}
    weights, ifmap, ofmap = _slots(problem)
    return _renamed(problem, names, weights, ofmap, ifmap)


def weight_gradient(problem: TensorProblem) -> TensorProblem:
    """From the two feature maps to the weights' gradient (in the ofmap's slot).

    The map that a window slides over (the ifmap; of a transposed convolution the ofmap) is the new ifmap, the other one
    takes the weights' slot.
    """
    weights, ifmap, ofmap = _slots(problem)
    if any(len(rank.terms) > 1 for rank in ofmap.ranks):
        names = {"N": "C", "K": "N", "C": "K", **_KERNEL_OF}
        return _renamed(problem, names, ifmap, ofmap, weights)
    names = {"N": "C", "C": "N", **_KERNEL_OF}
    return _renamed(problem, names, ofmap, ifmap, weights)


def slots_of_weight_gradient(problem: TensorProblem) -> tuple[str, str]:
    """The tensors of the forward problem whose values stand in the weights' and the ifmap's slot."""
    _, _, ofmap = _slots(problem)
    return ("ifmap", "ofmap") if any(len(rank.terms) > 1 for rank in ofmap.ranks) else ("ofmap", "ifmap")


def _slots(problem: TensorProblem) -> tuple[Tensor, Tensor, Tensor]:
    return problem.tensor("weights"), problem.tensor("ifmap"), problem.tensor("ofmap")


def _renamed(
    problem: TensorProblem, names: dict[str, str], weights: Tensor, ifmap: Tensor, ofmap: Tensor
) -> TensorProblem:
    """The problem with its dimensions renamed and its tensors in the given slots."""
    bounds = {names.get(dim, dim): bound for dim, bound in problem.dims}
    dims = tuple((dim, bounds[dim]) for dim in sorted(bounds, key=_ORDER.index))

    def renamed(rank: Rank) -> Rank:
        return replace(rank, terms=tuple((names.get(dim, dim), factor) for dim, factor in rank.terms))

    def placed(tensor: Tensor, name: str, role: Role) -> Tensor:
        ranks = tuple(renamed(rank) for rank in tensor.ranks)
        is_parameter = tensor.is_parameter and role is not Role.OFMAP
        return Tensor(name, role, ranks, tensor.bits, is_parameter)

    tensors = (
        placed(weights, "weights", Role.WEIGHTS),
        placed(ifmap, "ifmap", Role.IFMAP),
        placed(ofmap, "ofmap", Role.OFMAP),
    )
    return TensorProblem(dims, tensors)
