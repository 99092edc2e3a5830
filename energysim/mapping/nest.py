"""A mapping as a value: one loop nest over the nodes of an architecture, and what every memory keeps."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.arch.spec import Axis


@dataclass(frozen=True, slots=True)
class Loop:
    """``for dim in range(bound)`` at node ``node`` (index into ``ArchSpec.nodes``).

    ``last`` is Timeloop's residual: how many iterations run while every outer loop over the same dimension is in its
    own last iteration (``last == bound`` for perfect factors). ``axis`` is None for a temporal loop.
    """

    dim: str
    bound: int
    node: int
    last: int
    axis: Axis | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """Loops outermost first (nodes never decrease along them; loops of bound 1 are left out).

    A temporal loop at memory m steps through the tiles that m's child keeps; spatial loops stand at arrays.
    ``kept[i]`` names the tensors that node i stores (empty for arrays and compute).
    """

    loops: tuple[Loop, ...]
    kept: tuple[frozenset[str], ...]
