"""Layers written out as tensor problems, in a workload's YAML: no model, only loops and the tensors they index.

    problems:
      - name: conv1
        dims: {N: 1, K: 16, C: 3, P: 16, Q: 16, R: 3, S: 3}
        weights: [K, C, R, S]
        ifmap: [N, C, 2*P + R - 1 < 32, 2*Q + S - 1 < 32]
        ofmap: [N, K, P, Q]

An axis is a sum of dimensions with coefficients. ``- 1 < 32`` says that the axis really has 32 elements, of which the
first lies at coordinate 0: what the loops reach outside is padding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field, PositiveInt, field_validator, model_validator
from pydantic_core import PydanticCustomError

from energysim.errors import SpecError
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.spec_files import SpecModel, checked
from energysim.yaml_text import Document

DIMENSIONS = ("G", "N", "K", "C", "P", "Q", "R", "S", "D", "T")
_TERM = re.compile(r"(?:(\d+)\s*\*\s*)?([A-Z])")


def parse_rank(text: object) -> Rank:
    """``2*P + R - 1 < 32`` as a rank. Raises SpecError."""
    example = "for example '2*P + R - 1 < 32'"
    whole, less, size = str(text).partition("<")
    if not isinstance(text, str) or (less and not size.strip().isdigit()):
        raise SpecError(f"{text!r} is no axis of a tensor", hint=example)
    terms: list[tuple[str, int]] = []
    offset = 0
    parts = re.split(r"([+-])", whole)
    for sign, part in zip(["+", *parts[1::2]], parts[::2], strict=True):
        part = part.strip()
        term = _TERM.fullmatch(part)
        if part.isdigit():
            offset += int(part) if sign == "+" else -int(part)
        elif term is None or sign == "-":
            raise SpecError(f"{text!r}: {sign}{part!r} is no part of an axis", hint=example)
        else:
            terms.append((term[2], int(term[1] or 1)))
    if any(coefficient < 1 for _, coefficient in terms):
        raise SpecError(f"{text!r}: a coefficient of 0", hint="coefficients are 1 or more")
    return Rank(tuple(terms), offset, int(size) if less else None)


def rank_text(rank: Rank) -> str:
    """The text that :func:`parse_rank` reads as this rank."""
    text = " + ".join(dim if coefficient == 1 else f"{coefficient}*{dim}" for dim, coefficient in rank.terms) or "0"
    if rank.offset:
        text += f" {'+' if rank.offset > 0 else '-'} {abs(rank.offset)}"
    return text if rank.extent is None else f"{text} < {rank.extent}"


Axis = Annotated[Rank, BeforeValidator(checked(parse_rank))]


class ProblemModel(SpecModel):
    """One layer: bounds of its dimensions, and the axes of its three tensors."""

    name: str = Field(min_length=1)
    dims: dict[str, PositiveInt] = Field(min_length=1)
    weights: tuple[Axis, ...]
    ifmap: tuple[Axis, ...]
    ofmap: tuple[Axis, ...]

    @field_validator("dims")
    @classmethod
    def _known(cls, dims: dict[str, int]) -> dict[str, int]:
        for dim in dims:
            if dim not in DIMENSIONS:
                raise _wrong(f"{dim!r} is no dimension", f"one of {', '.join(DIMENSIONS)}")
        return dims

    @model_validator(mode="after")
    def _consistent(self) -> ProblemModel:
        used = [dim for tensor in (self.weights, self.ifmap, self.ofmap) for rank in tensor for dim, _ in rank.terms]
        for dim in used:
            if dim not in self.dims:
                raise _wrong(f"{self.name}: no bound is given for the dimension {dim!r}", f"dims: {{{dim}: 1}}")
        for dim in self.dims:
            if dim not in used:
                raise _wrong(f"{self.name}: the dimension {dim!r} moves no tensor", "leave it out")
        for role in Role:
            moved = [dim for rank in getattr(self, role) for dim, _ in rank.terms]
            for dim in moved:
                if moved.count(dim) > 1:
                    raise _wrong(f"{self.name}: {dim!r} moves two axes of {role}", "each dimension once in a tensor")
        return self

    @property
    def problem(self) -> TensorProblem:
        tensors = tuple(
            Tensor(role.value, role, getattr(self, role), is_parameter=role is Role.WEIGHTS) for role in Role
        )
        return TensorProblem(tuple(self.dims.items()), tensors)


class ProblemsFile(SpecModel):
    """A workload of layers that are written out. They are independent: each reads its ifmap from main memory."""

    problems: tuple[ProblemModel, ...] = Field(min_length=1)
    description: str = ""

    @field_validator("problems")
    @classmethod
    def _named_once(cls, problems: tuple[ProblemModel, ...]) -> tuple[ProblemModel, ...]:
        names = [item.name for item in problems]
        for name in names:
            if names.count(name) > 1:
                raise _wrong(f"two layers are called {name!r}", "each name once")
        return problems


def _wrong(message: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("quantity", "{message}", {"message": message, "hint": hint})


def problems_document(problems: Sequence[tuple[str, TensorProblem]], description: str) -> Document:
    """The content of such a file. The tensors must be weights, ifmap and ofmap."""
    layers: list[dict[str, object]] = []
    for name, problem in problems:
        axes = {role.value: [rank_text(rank) for rank in problem.tensor(role.value).ranks] for role in Role}
        layers.append({"name": name, "dims": problem.bounds, **axes})
    return {"description": description, "problems": layers}
