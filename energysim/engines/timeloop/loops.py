"""Factors and permutations: the strings and lists in which mappings and constraints state loops."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from energysim.engines.timeloop.yaml_nodes import Cursor
from energysim.errors import did_you_mean

_FACTOR = re.compile(r"(?P<dim>[A-Za-z_]\w*?)\s*(?P<relation><=|>=|=)?\s*(?P<bound>\d+)(?:\s*,\s*(?P<last>\d+))?")


@dataclass(frozen=True, slots=True)
class Factor:
    """``P=4,3``: bound 4, 3 in the last round. ``relation`` is "=", "<=" or ">="; a bound of 0 stands for the rest."""

    dim: str
    relation: str
    bound: int
    last: int


def read_factors(cursor: Cursor | None, dims: Sequence[str] | None) -> list[Factor]:
    """Factors from ``P=4,3 C=2``, ``N=1,M=1``, ``P4 C2`` or a list of such. ``dims`` None: any name is a dimension.

    Raises SpecError for text that is no factor, an unknown or repeated dimension, and a residual above its bound.
    """
    if cursor is None:
        return []
    factors: list[Factor] = []
    for part in cursor if cursor.is_list else (cursor,):
        text = part.text().split("#")[0]
        left = _FACTOR.sub("", text).replace(",", " ").strip()
        if left:
            part.fail(f"cannot read the factors {text.strip()!r}", hint="for example 'P=4 C=2', residual 'P=4,3'")
        for match in _FACTOR.finditer(text):
            bound = int(match["bound"])
            last = bound if match["last"] is None else int(match["last"])
            if not (0 < last <= bound or bound == last == 0):
                part.fail(f"the residual {last} of {match['dim']} must lie between 1 and its bound {bound}")
            known_dim(match["dim"], part, dims)
            if any(factor.dim == match["dim"] and factor.relation == (match["relation"] or "=") for factor in factors):
                part.fail(f"two factors for the dimension {match['dim']!r}")
            factors.append(Factor(match["dim"], match["relation"] or "=", bound, last))
    return factors


def read_permutation(cursor: Cursor | None, dims: Sequence[str] | None) -> list[str]:
    """Dimensions innermost first, from ``QPC``, ``Q, P, C`` or a list."""
    if cursor is None:
        return []
    if cursor.is_list:
        order = [item.text() for item in cursor]
    else:
        text = cursor.text().split("#")[0]
        if "_" in text and not (dims and any("_" in dim for dim in dims)):
            cursor.fail("a permutation with a fixed outer part ('_') cannot be represented")
        words = text.replace(",", " ").split()
        letters = dims is None or all(len(dim) == 1 for dim in dims)
        order = [letter for word in words for letter in word] if letters else words
    for dim in order:
        known_dim(dim, cursor, dims)
        if order.count(dim) > 1:
            cursor.fail(f"the permutation lists {dim!r} twice")
    return order


def known_dim(dim: str, cursor: Cursor, dims: Sequence[str] | None) -> None:
    if dims is not None and dim not in dims:
        _unknown(dim, cursor, dims)


def _unknown(dim: str, cursor: Cursor, dims: Sequence[str]) -> NoReturn:
    lowered = next((name for name in dims if name.lower() == dim.lower()), None)
    hint = f"did you mean {lowered!r}?" if lowered else did_you_mean(dim, dims)
    cursor.fail(f"the problem has no dimension {dim!r}", hint=hint or f"its dimensions: {', '.join(dims)}")
