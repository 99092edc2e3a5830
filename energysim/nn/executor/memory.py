"""The two ends of every transfer: DRAM, where whole tensors lie, and the chip, which holds what was brought or made.

Words are counted where data is copied; a word that is not there cannot be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import EllipsisType

import torch
from torch import Tensor

from energysim.nn.executor.program import ExecutionError

Span = tuple[int, int]
Index = tuple[int | slice | EllipsisType | Tensor, ...]


@dataclass
class Dram:
    """Feature maps by edge. Words that a schedule keeps in an on-chip buffer lie here too, but are not ``outside``:
    copies from and to them are no DRAM traffic. ``places`` numbers the words that a view shows."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    outside: dict[str, Tensor] = field(default_factory=dict)  # whether each word of an edge lies in DRAM
    places: dict[str, Tensor] = field(default_factory=dict)
    written: dict[str, Tensor] = field(default_factory=dict)
    loaded: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)

    def allocate(self, edge: str, shape: tuple[int, ...], dtype: torch.dtype, resident: int) -> None:
        """Room for a feature map, of which the first ``resident`` channels are not in DRAM; no word is there yet."""
        self.tensors[edge] = torch.full(shape, torch.nan if dtype.is_floating_point else 0, dtype=dtype)
        self.written[edge] = torch.zeros(shape, dtype=torch.bool)
        outside = torch.ones(shape, dtype=torch.bool)
        if resident and len(shape) > 1:
            outside[:, :resident] = False
        elif resident:
            outside[:] = False
        self.outside[edge] = outside

    def put(self, edge: str, tensor: Tensor, resident: int) -> None:
        """A tensor that is there from the start (the network's input), its first ``resident`` channels on chip."""
        self.allocate(edge, tuple(tensor.shape), tensor.dtype, resident)
        self.tensors[edge] = tensor
        self.written[edge][...] = True

    def fill(self, edge: str, tensor: Tensor) -> None:
        """A result whose traffic was counted on its way."""
        self.tensors[edge] = tensor
        self.written[edge][...] = True

    def store(self, edge: str, at: Index, data: Tensor) -> None:
        """Write ``data`` at an index. Raises ExecutionError where a word is written twice."""
        if bool(self.written[edge][at].any()):
            raise ExecutionError(f"words of {edge!r} are stored more than once")
        self.tensors[edge][at] = data
        self.written[edge][at] = True
        self.stored[edge] += int(self.outside[edge][at].sum())

    def load(self, edge: str, at: Index) -> Tensor:
        """Read at an index. Raises ExecutionError for a word that was never stored."""
        if edge in self.written and not bool(self.written[edge][at].all()):
            raise ExecutionError(f"words of {edge!r} are loaded that were never stored")
        outside = self.outside[edge][at]
        if edge in self.places:
            self.loaded[edge] += int(torch.unique(self.places[edge][at][outside]).numel())
        else:
            self.loaded[edge] += int(outside.sum())
        return self.tensors[edge][at]

    def view(self, edge: str, source: str, look: Callable[[Tensor], Tensor]) -> None:
        """``edge`` shows words of ``source``, as ``look`` arranges them; no word moves."""
        places = self.places.get(source)
        if places is None:
            places = torch.arange(self.tensors[source].numel()).reshape(self.tensors[source].shape)
        self.tensors[edge] = look(self.tensors[source])
        self.outside[edge] = look(self.outside[source])
        self.places[edge] = look(places)


class OnChip:
    """Rectangles of one feature map [C, H, W] that are on chip now, word by word of its plane."""

    def __init__(self, edge: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self.edge = edge
        self.tensor = torch.full(shape, torch.nan, dtype=dtype)
        self.valid = torch.zeros(shape[-2:], dtype=torch.bool)

    @property
    def words(self) -> int:
        return int(self.valid.sum()) * int(self.tensor.shape[0])

    def put(self, rows: list[int], columns: list[int], data: Tensor) -> None:
        at = torch.tensor(rows)[:, None], torch.tensor(columns)[None, :]
        self.tensor[:, at[0], at[1]] = data
        self.valid[at] = True

    def require(self, rows: list[int], columns: list[int]) -> None:
        """Raises ExecutionError unless every word of the rectangle is here."""
        if not bool(self.valid[torch.tensor(rows)[:, None], torch.tensor(columns)[None, :]].all()):
            raise ExecutionError(f"a tile needs words of {self.edge!r} that are no longer on chip")

    def read(self, rows: Span, columns: Span, fill: float) -> Tensor:
        """[1, C, rows, columns]: not-a-number where a word is not here, ``fill`` outside the plane."""
        channels, height, width = self.tensor.shape
        made = torch.full((1, channels, rows[1] - rows[0], columns[1] - columns[0]), fill, dtype=self.tensor.dtype)
        top, bottom = max(0, rows[0]), min(height, rows[1])
        left, right = max(0, columns[0]), min(width, columns[1])
        if top < bottom and left < right:
            inside = made[0, :, top - rows[0] : bottom - rows[0], left - columns[0] : right - columns[0]]
            inside.copy_(self.tensor[:, top:bottom, left:right])
        return made

    def keep(self, mask: Tensor) -> None:
        """Drop everything but the words of the plane under ``mask``."""
        gone = self.valid & ~mask
        if bool(gone.any()):
            self.tensor[:, gone] = torch.nan
            self.valid &= mask
