"""Dimensions of a Timeloop problem in energysim's letters, by the part that each plays, not by its name.

A dimension's part is told by the tensors that it moves: G all three, N ifmap and ofmap, K weights and ofmap, C weights
and ifmap; the two of a sliding window are a plane's (P Q D) and a kernel's (R S T). So the M of one file and the K of
another both become K, and constraints written for one problem mean the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping

from energysim.errors import SpecError
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem

_WINDOWS = (("P", "R"), ("Q", "S"), ("D", "T"))
_ALL = frozenset(Role)
# Letters of every part, the usual one first; the others are for problems that write a plane without its kernel.
_LETTERS: dict[frozenset[Role], str] = {
    _ALL: "G",
    frozenset({Role.IFMAP, Role.OFMAP}): "NPQD",
    frozenset({Role.WEIGHTS, Role.OFMAP}): "K",
    frozenset({Role.WEIGHTS, Role.IFMAP}): "CRST",
}


def energysim_letters(problem: TensorProblem) -> dict[str, str]:
    """dimension -> letter, one to one. A dimension that already has a letter of its part keeps it.

    Raises SpecError for tensors that are not exactly weights, an ifmap and an ofmap, and for a dimension whose part has
    no letter left.
    """
    roles = [tensor.role for tensor in problem.tensors]
    if sorted(roles) != sorted(Role):
        found = ", ".join(f"{tensor.name} ({tensor.role})" for tensor in problem.tensors)
        raise SpecError(f"the data spaces are {found}", hint="weights, one ifmap and one ofmap are right")
    letters = _window_letters(problem)
    rest = [dim for dim, _ in problem.dims if dim not in letters]
    parts = {dim: frozenset(tensor.role for tensor in problem.tensors if dim in tensor.dims) for dim in rest}
    # First come the dimensions that keep their name, so that no other takes it.
    for dim in sorted(rest, key=lambda dim: dim not in _LETTERS.get(parts[dim], "")):
        free = [letter for letter in _LETTERS.get(parts[dim], "") if letter not in letters.values()]
        if not free:
            what = " and ".join(sorted(parts[dim])) or "no tensor"
            others = [other for other in parts if other != dim and parts[other] == parts[dim]]
            raise SpecError(
                f"the dimension {dim}, which moves {what}, cannot be represented"
                + (f": {', '.join(others)} already plays that part" if others else ""),
                hint="merge them into one dimension" if others else "G, N, K, C, P, Q, D, R, S, T are the known parts",
            )
        letters[dim] = dim if dim in free else free[0]
    return letters


def _window_letters(problem: TensorProblem) -> dict[str, str]:
    """Letters of the dimensions of sliding windows: a position in the plane and a tap of the kernel."""
    weights = next(tensor for tensor in problem.tensors if tensor.role is Role.WEIGHTS)
    pairs: list[tuple[str, str]] = []
    for tensor in problem.tensors:
        for rank in tensor.ranks:
            dims = [dim for dim, _ in rank.terms]
            if len(dims) < 2:
                continue
            taps = [dim for dim in dims if dim in weights.dims]
            if len(dims) > 2 or len(taps) != 1:
                raise SpecError(
                    f"the axis of {tensor.name} over {' and '.join(dims)} is no sliding window",
                    hint="one dimension of the plane and one of the kernel",
                )
            pairs.append((next(dim for dim in dims if dim not in taps), taps[0]))
    if len(pairs) > len(_WINDOWS):
        raise SpecError(f"{len(pairs)} sliding windows cannot be represented", hint="at most three")
    own = [pair for pair in pairs if pair in _WINDOWS]
    free = iter(pair for pair in _WINDOWS if pair not in own)
    letters: dict[str, str] = {}
    for pair in pairs:
        for dim, letter in zip(pair, pair if pair in own else next(free), strict=True):
            letters[dim] = letter
    return letters


def renamed(problem: TensorProblem, letters: Mapping[str, str]) -> TensorProblem:
    """The problem with its dimensions renamed and its tensors called by their roles."""

    def rank(old: Rank) -> Rank:
        return Rank(tuple((letters[dim], coefficient) for dim, coefficient in old.terms), old.offset, old.extent)

    tensors = tuple(
        Tensor(tensor.role.value, tensor.role, tuple(map(rank, tensor.ranks)), tensor.bits, tensor.is_parameter)
        for tensor in problem.tensors
    )
    return TensorProblem(tuple((letters[dim], bound) for dim, bound in problem.dims), tensors)
