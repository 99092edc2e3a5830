"""A problem as Timeloop's `problem` key."""

from __future__ import annotations

from collections.abc import Iterator

from energysim.errors import SpecError
from energysim.graph.problem import Rank, TensorProblem
from energysim.yaml_text import Document

# Upstream's names: P slides with R, Q with S. A name that is spelt differently in shape and instance is passed over in
# silence (and the stride is 1), so both are written from this one table.
_NAMES = {
    "P": "Wstride", "Q": "Hstride", "D": "Dstride",
    "R": "Wdilation", "S": "Hdilation", "T": "Ddilation",
}  # fmt: skip


def problem_yaml(problem: TensorProblem) -> Document:
    """``{"problem": ...}`` with shape and instance. Padding has no counterpart: Timeloop moves it as words.

    Raises SpecError for a dimension of more than one letter, which Timeloop cannot read.
    """
    for dim, _ in problem.dims:
        if len(dim) != 1 or not dim.isalpha():
            raise SpecError(
                f"the dimension {dim!r} cannot be written for Timeloop", hint="its dimensions are single letters"
            )
    coefficients = _coefficients(problem)
    spaces: list[dict[str, object]] = []
    for tensor in problem.tensors:
        projection = [_projection(rank, coefficients) for rank in tensor.ranks]
        spaces.append({"name": tensor.name, "projection": projection, "read_write": tensor.is_output})
    named = {name: value for (_, value), name in coefficients.items()}
    shape = {
        "name": "layer",
        "dimensions": [dim for dim, _ in problem.dims],
        "coefficients": [{"name": name, "default": 1} for name in named],
        "data_spaces": spaces,
    }
    instance: dict[str, object] = {**problem.bounds, **named}
    return {"problem": {"version": 0.4, "shape": shape, "instance": instance}}


def _named_terms(rank: Rank) -> Iterator[tuple[str, int]]:
    """Terms that need a coefficient: those of sliding windows, and any that is not 1."""
    for dim, coefficient in rank.terms:
        if len(rank.terms) > 1 or coefficient != 1:
            yield dim, coefficient


def _coefficients(problem: TensorProblem) -> dict[tuple[str, int], str]:
    """(dimension, value) -> name. A dimension with two different coefficients gets a second name."""
    found: dict[tuple[str, int], str] = {}
    for tensor in problem.tensors:
        for rank in tensor.ranks:
            for dim, coefficient in _named_terms(rank):
                if (dim, coefficient) not in found:
                    earlier = sum(other == dim for other, _ in found)
                    name = _NAMES.get(dim, f"{dim}scale")
                    found[dim, coefficient] = name if not earlier else f"{name}{earlier + 1}"
    return found


def _projection(rank: Rank, coefficients: dict[tuple[str, int], str]) -> list[list[str]]:
    named = set(_named_terms(rank))
    return [[dim, coefficients[dim, c]] if (dim, c) in named else [dim] for dim, c in rank.terms]
