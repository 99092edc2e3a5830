"""The mapspace of one problem as numbers: every tile is a point of the lattice of divisors of the dimensions.

Words of a tile and sums over all its positions are products of one table per rank, looked up by the digits of the
tile. All tables follow the footprint convention of :mod:`energysim.mapping.footprint`, which computes them.
"""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from energysim.graph.problem import TensorProblem
from energysim.mapping.access import TensorPlan, tensor_plan
from energysim.mapping.counts import Convention
from energysim.mapping.footprint import total_words
from energysim.mapping.search.products import dimension_products, rank_products
from energysim.mapping.search.ranks import divisors, overlaps, quotients, rank_table
from energysim.mapping.search.records import PADDED_RANKS
from energysim.mapping.search.windows import ClippedRank, clipped_rank

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Tables(NamedTuple):
    """What the compiled kernels read. Dimension d has divisors ``div[d, 0..ndiv[d]-1]`` (a "digit" indexes them)."""

    ndiv: Ints
    div: Floats  # [dim, digit]
    quotient: Ints  # [dim, digit, digit] -> digit of the quotient, -1 if none
    digit_of: Ints  # [dim, value] -> digit, -1 if no divisor
    stride: Ints  # [dim]: lattice index = sum(digit * stride)
    moves: Ints  # [tensor]: bit mask of dimensions
    rank_start: Ints  # [tensor + 1]
    rank_stride: Ints  # [rank, dim]: index into the rank's table = sum(digit * rank_stride)
    rank_offset: Ints  # [rank]
    totals: Floats  # words of all positions of a tile along the rank
    words: Floats  # words of the largest tile along the rank
    clipped: Ints  # [rank]: 1 if padding makes its tiles unequal, 2 if even such that different ones coincide
    slides: Ints  # [dim]: rank that the dimension moves together with another one, -1 if none
    coefficient: Ints  # [rank, dim]
    overlap_offset: Ints  # [rank], -1 if not sliding
    overlap_shifts: Ints  # [rank]: shifts tabulated
    overlap: Floats  # [rank table index, shift] -> words that a tile and its shifted copy share
    entries: Ints  # [rank]: tiles in its table
    terms: Ints  # [rank]: looping dimensions that move it
    # Of clipped sliding ranks (see :mod:`energysim.mapping.search.windows`):
    saved_offset: Ints  # [rank]
    saved_width: Ints  # [rank]: digits
    saved_reach: Ints  # [rank]: highest bound
    saved: Floats  # [tile, term, stride digit, bound digit]
    more_offset: Ints  # [rank]
    saved_more: Floats  # [tile, term, stride digit, bound digit, kind, bound of the second loop]
    shared_offset: Ints  # [rank]
    padded_slot: Ints  # [rank]: which columns of a label remember its split, -1 if none
    shared: Floats  # [tile, tile under the array, split]: words sent to children once per need, as a share of all
    least_offset: Ints  # [rank]
    shared_least: Floats  # [tile under the array, split]: the least of them
    saved_term: Ints  # [dim]: term index of the dimension in its rank
    exact: Floats  # [tensor, tile]: words that children with such tiles receive in all, nothing absorbed
    floor: Floats  # [tensor, tile]: least words moved for tiles of this size or smaller, nothing absorbed
    floor_all: Floats  # [tensor, tile]: the same, everything absorbed
    output: int
    output_words: float
    sliding: int  # the tensor with sliding ranks, -1 if none
    macs: float


class Space:
    """Lattice, tables and plans of one problem in one convention. Dimensions of bound 1 are left out."""

    def __init__(self, problem: TensorProblem, convention: Convention) -> None:
        self.problem, self.convention = problem, convention
        self.dims = tuple(dim for dim, bound in problem.dims if bound > 1) or (problem.dims[0][0],)
        self.bounds = tuple(problem.bounds[dim] for dim in self.dims)
        self.index = {dim: i for i, dim in enumerate(self.dims)}
        self.divisors = tuple(divisors(bound) for bound in self.bounds)
        self.shape = tuple(len(d) for d in self.divisors)
        self.size = prod(self.shape)
        self.strides = tuple(prod(self.shape[i + 1 :]) for i in range(len(self.shape)))
        self.plans: tuple[TensorPlan, ...] = tuple(
            tensor_plan(tensor, problem.dims, convention) for tensor in problem.tensors
        )
        self.moves = tuple(
            sum(1 << self.index[d] for d in tensor.dims if d in self.index) for tensor in problem.tensors
        )

    def digits(self, tile: int) -> tuple[int, ...]:
        return tuple(tile // stride % size for stride, size in zip(self.strides, self.shape, strict=True))

    def extents(self, tile: int) -> dict[str, int]:
        """Iterations of every dimension in a tile."""
        return {dim: divs[digit] for dim, divs, digit in zip(self.dims, self.divisors, self.digits(tile), strict=True)}

    def digit(self, dim: int) -> Ints:
        """[tile]: its digit along one dimension."""
        return np.arange(self.size, dtype=np.int64) // self.strides[dim] % self.shape[dim]

    @property
    def full(self) -> int:
        """The tile that is the whole problem."""
        return self.size - 1

    @cached_property
    def ranks(self) -> tuple[tuple[int, int], ...]:
        """(tensor, rank) of every rank with a dimension that loops."""
        return tuple(
            (t, r)
            for t, plan in enumerate(self.plans)
            for r, dims in enumerate(plan.dims)
            if any(dim in self.index for dim in dims)
        )

    @cached_property
    def constant_words(self) -> tuple[int, ...]:
        """Per tensor: words of the ranks that no loop moves (1, or 0 where all of it is padding)."""
        result = []
        for plan in self.plans:
            words = 1
            for axis, dims in zip(plan.axes, plan.dims, strict=True):
                if not any(dim in self.index for dim in dims):
                    words *= total_words(axis, (1,) * len(dims))
            result.append(words)
        return tuple(result)

    def _moving_dims(self, tensor: int, rank: int) -> list[int]:
        return [self.index[d] for d in self.plans[tensor].dims[rank] if d in self.index]

    @cached_property
    def factors(self) -> Floats:
        """[dim, digit]: the divisors, 1 beyond them."""
        result = np.ones((len(self.dims), max(self.shape)))
        for d, divs in enumerate(self.divisors):
            result[d, : len(divs)] = divs
        return result

    def _product(self, values: Floats, masks: Ints) -> Floats:
        return dimension_products(values, np.array(self.shape, dtype=np.int64), masks)

    @property
    def _every_dim(self) -> int:
        return (1 << len(self.dims)) - 1

    @cached_property
    def iterations(self) -> Floats:
        """[tile]: iterations inside a tile."""
        result: Floats = self._product(self.factors, np.array([self._every_dim]))[0]
        return result

    @cached_property
    def divisors_of(self) -> Floats:
        """[tile]: tiles that divide it."""
        below = (self.tables.quotient >= 0).sum(axis=2).astype(float)
        result: Floats = self._product(below, np.array([self._every_dim]))[0]
        return result

    @cached_property
    def repeats(self) -> Floats:
        """[tensor, tile]: product of bound / tile over the dimensions that do not move the tensor."""
        still = ~np.array(self.moves) & self._every_dim
        return self._product(np.array(self.bounds)[:, None] / self.factors, still)

    @cached_property
    def words(self) -> Floats:
        """[tensor, tile]: words of the largest tile."""
        tables = self.tables
        constants = np.array(self.constant_words, dtype=float)
        return rank_products(
            tables.words, constants, tables.ndiv, tables.rank_start, tables.rank_stride, tables.rank_offset
        )

    def _spread(self, values: Floats, dims: list[int]) -> Floats:
        """A table over some dimensions as a broadcastable array over the lattice."""
        order = sorted(range(len(dims)), key=lambda i: dims[i])
        table = values.reshape([self.shape[d] for d in dims]).transpose(order)
        return table.reshape([self.shape[d] if d in dims else 1 for d in range(len(self.shape))])

    @cached_property
    def tables(self) -> Tables:
        return _build_tables(self)


def _build_tables(space: Space) -> Tables:
    dims, tensors = len(space.dims), len(space.plans)
    widest, highest = max(space.shape), max(space.bounds)
    quotient = np.full((dims, widest, widest), -1, dtype=np.int64)
    digit_of = np.full((dims, highest + 1), -1, dtype=np.int64)
    for d, divs in enumerate(space.divisors):
        digit_of[d, list(divs)] = range(len(divs))
        quotient[d, : len(divs), : len(divs)] = quotients(space.bounds[d])
    ranks = space.ranks
    rank_start = np.zeros(tensors + 1, dtype=np.int64)
    for t, _ in ranks:
        rank_start[t + 1 :] += 1
    count = max(1, len(ranks))
    rank_stride = np.zeros((count, dims), dtype=np.int64)
    rank_offset, clipped = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    coefficient = np.zeros((count, dims), dtype=np.int64)
    overlap_offset, overlap_shifts = np.full(count, -1, dtype=np.int64), np.zeros(count, dtype=np.int64)
    entries, terms = np.ones(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    saved_offset, more_offset, shared_offset, least_offset = (np.zeros(count, dtype=np.int64) for _ in range(4))
    padded_slot = np.full(count, -1, dtype=np.int64)
    saved_width, saved_reach = np.ones(count, dtype=np.int64), np.ones(count, dtype=np.int64)
    slides, saved_term = np.full(dims, -1, dtype=np.int64), np.zeros(dims, dtype=np.int64)
    totals: list[Floats] = []
    words: list[Floats] = []
    overlap: list[Floats] = []
    clips: list[ClippedRank] = []
    least: list[Floats] = []
    window_share = np.ones((tensors, *space.shape))
    sliding = _sliding_tensor(space)
    for k, (t, r) in enumerate(ranks):
        axis, moving = space.plans[t].axes[r], space._moving_dims(t, r)
        table = rank_table(axis)
        rank_offset[k], clipped[k] = sum(map(len, totals)), axis.extent is not None
        entries[k], terms[k] = len(table.totals), len(moving)
        step = 1
        for d in reversed(moving):
            rank_stride[k, d] = step
            step *= space.shape[d]
            name = space.dims[d]
            coefficient[k, d] = axis.coefficients[space.plans[t].dims[r].index(name)]
        totals.append(table.totals)
        words.append(table.words)
        least.append(table.least)
        if len(moving) < 2:
            continue
        share = np.minimum(1.0, table.distinct / np.maximum(table.least, 1.0))
        window_share[t] = np.minimum(window_share[t], space._spread(share, moving))
        if t != sliding:
            continue
        overlap_offset[k] = sum(map(len, overlap))
        overlap_shifts[k], shared = overlaps(axis)
        overlap.append(shared)
        for term, d in enumerate(moving):
            slides[d], saved_term[d] = k, term
        if axis.extent is not None:
            clip = clipped_rank(axis)
            saved_offset[k] = sum(len(c.saved) for c in clips)
            more_offset[k] = sum(len(c.more) for c in clips)
            shared_offset[k] = sum(len(c.shared) for c in clips)
            least_offset[k] = sum(len(c.shared_least) for c in clips)
            padded_slot[k] = len(clips) if len(clips) < PADDED_RANKS else -1
            saved_width[k], saved_reach[k] = clip.width, clip.reach
            clipped[k] += clip.coincides
            clips.append(clip)
    ndiv, constants = np.array(space.shape, dtype=np.int64), np.array(space.constant_words, dtype=float)
    least_words, exact_words = (
        rank_products(_joined(of), constants, ndiv, rank_start, rank_stride, rank_offset) for of in (least, totals)
    )
    floor_all = least_words * window_share.reshape(tensors, space.size)
    output = next(i for i, tensor in enumerate(space.problem.tensors) if tensor.is_output)
    whole = prod(rank_table(axis).distinct for axis in space.plans[output].axes)
    return Tables(
        ndiv=ndiv,
        div=space.factors,
        quotient=quotient,
        digit_of=digit_of,
        stride=np.array(space.strides, dtype=np.int64),
        moves=np.array(space.moves, dtype=np.int64),
        rank_start=rank_start,
        rank_stride=rank_stride,
        rank_offset=rank_offset,
        totals=_joined(totals),
        words=_joined(words),
        clipped=clipped,
        slides=slides,
        coefficient=coefficient,
        overlap_offset=overlap_offset,
        overlap_shifts=overlap_shifts,
        overlap=_joined(overlap),
        entries=entries,
        terms=terms,
        saved_offset=saved_offset,
        saved_width=saved_width,
        saved_reach=saved_reach,
        saved=_joined([c.saved for c in clips]),
        more_offset=more_offset,
        saved_more=_joined([c.more for c in clips]),
        shared_offset=shared_offset,
        padded_slot=padded_slot,
        shared=_joined([c.shared for c in clips]),
        least_offset=least_offset,
        shared_least=_joined([c.shared_least for c in clips]),
        saved_term=saved_term,
        exact=exact_words * space.repeats,
        floor=floor_all * space.repeats,
        floor_all=floor_all,
        output=output,
        output_words=float(whole),
        sliding=sliding,
        macs=float(space.problem.macs),
    )


def _joined(tables: list[Floats]) -> Floats:
    return np.concatenate(tables) if tables else np.zeros(1)


def _sliding_tensor(space: Space) -> int:
    """The first tensor with a rank that two looping dimensions move; -1 if none."""
    return next((t for t, r in space.ranks if len(space._moving_dims(t, r)) > 1), -1)
