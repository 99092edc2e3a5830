"""How an architecture stands in Timeloop's level list: its memories, a dummy level per fan-out, the compute units.

Timeloop's native tree has no fan-outs of its own: the ratio of the instances of two neighbours is one. So that each
fan-out has a name and takes constraints, a level of class ``dummy_storage`` that keeps nothing stands above it, as
Timeloop's own front end does it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from energysim.arch.spec import ArchSpec, Array, Axis, Compute, Memory
from energysim.errors import SpecError
from energysim.graph.problem import Tensor, TensorProblem
from energysim.mapping.nest import Mapping

_NAME = re.compile(r"[A-Za-z_]\w*")
_DUMMY = re.compile(r"inter_\w+_spatial")
_MOST = 2**32 - 1  # Timeloop reads sizes as 32-bit unsigned integers


@dataclass(frozen=True, slots=True)
class Storage:
    """A memory. ``word_bits`` is the one width that Timeloop knows per level, ``block_words`` what one access moves."""

    node: int
    name: str
    memory: Memory
    word_bits: int
    block_words: int
    mesh_x: int
    mesh_y: int

    @property
    def words(self) -> int | None:
        """Capacity in words; None: unbounded."""
        return None if self.memory.capacity_bits is None else self.memory.capacity_bits // self.word_bits


@dataclass(frozen=True, slots=True)
class Dummy:
    """The dummy level above a fan-out of ``x`` by ``y``. ``axis``: the only axis of its array that it stands for."""

    node: int
    name: str
    array: Array
    x: int
    y: int
    axis: Axis | None
    mesh_x: int
    mesh_y: int

    @property
    def is_row(self) -> bool:
        """Whether both axes of the array lie along X here."""
        return self.axis is None and self.y == 1 and self.array.y > 1

    def spreads(self, axis: Axis | None) -> bool:
        """Whether a loop over this axis of the array stands here."""
        return self.axis is None or axis == self.axis


@dataclass(frozen=True, slots=True)
class Units:
    """The compute units."""

    node: int
    name: str
    compute: Compute
    mesh_x: int
    mesh_y: int


Entry = Storage | Dummy | Units


@dataclass(frozen=True)
class Layout:
    """The levels, outermost first. ``problem`` says which tensors there are and how wide their words are."""

    arch: ArchSpec
    problem: TensorProblem
    levels: tuple[Entry, ...]

    @cached_property
    def storages(self) -> tuple[Storage, ...]:
        return tuple(level for level in self.levels if isinstance(level, Storage))

    @property
    def units(self) -> Units:
        last = self.levels[-1]
        assert isinstance(last, Units)
        return last

    def component(self, level: Entry) -> str:
        """The full name of a level's instances: ``system.RF[1..64]``."""
        return f"{self.system}.{instances(level)}"

    @property
    def system(self) -> str:
        """The root of the tree."""
        return re.sub(r"\W", "_", self.arch.name) + "_top_level"


def instances(level: Entry) -> str:
    """``RF[1..64]``."""
    return f"{level.name}[1..{level.mesh_x * level.mesh_y}]"


def layout(arch: ArchSpec, problem: TensorProblem, mapping: Mapping | None = None) -> Layout:
    """The level list of an architecture for one problem (and for a given mapping of it, where there is one).

    An array of two axes is one dummy level. Its level puts each dimension on one axis, so where constraints name
    dimensions per axis, each axis has a dummy of its own; where the mapping spreads a dimension along both, the array
    stands as a row of all its children, in which that dimension is one loop.

    Raises SpecError, naming the node, for what has no counterpart in Timeloop: words of two widths in one memory, link
    transfers, a share of an array that must be used.
    """
    levels: list[Entry] = []
    x = y = 1
    for index, node in enumerate(arch.nodes):
        _check_name(arch, node.name)
        if isinstance(node, Memory):
            levels.append(_storage(arch, index, node, problem, x, y))
        elif isinstance(node, Compute):
            levels.append(Units(index, node.name, node, x, y))
        else:
            _check_array(arch, node)
            for axis, step_x, step_y in _axes(node, index, mapping):
                levels.append(Dummy(index, _dummy_name(node.name, axis), node, step_x, step_y, axis, x, y))
                x, y = x * step_x, y * step_y
    names = [level.name for level in levels]
    for name in names:
        if names.count(name) > 1:
            raise _unwritable(arch, f"two levels are called {name!r}")
    return Layout(arch, problem, tuple(levels))


def _unwritable(arch: ArchSpec, what: str, hint: str | None = None) -> SpecError:
    return SpecError(f"{arch.name} cannot be written for Timeloop: {what}", hint=hint)


def _check_name(arch: ArchSpec, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise _unwritable(arch, f"the name {name!r}", hint="letters, digits and underscores are right")


def _check_array(arch: ArchSpec, array: Array) -> None:
    if array.link_transfers:
        raise _unwritable(
            arch,
            f"{array.name} has link transfers, which Timeloop guesses from the mapping",
            hint="link_transfers: false",
        )
    only = sum(isinstance(node, Array) for node in arch.nodes) == 1 and isinstance(arch.nodes[-2], Memory)
    if array.constraints.min_utilization > 0 and not only:
        raise _unwritable(
            arch,
            f"{array.name} must be used to {array.constraints.min_utilization:.0%}, and Timeloop bounds only the use "
            "of all fan-outs above the innermost memory together",
            hint="remove min_utilization",
        )


Step = tuple[Literal["x", "y"] | None, int, int]


def _axes(array: Array, index: int, mapping: Mapping | None) -> tuple[Step, ...]:
    if array.x == 1 or array.y == 1:
        return ((None, array.x, array.y),) if array.x * array.y > 1 else ()
    constraints = array.constraints
    if mapping is not None:
        here = [loop for loop in mapping.loops if loop.node == index]
        along_x = {loop.dim for loop in here if loop.axis == "x"}
        if along_x & {loop.dim for loop in here if loop.axis == "y"}:
            return ((None, array.x * array.y, 1),)
    if constraints.x_dims is not None or constraints.y_dims is not None:
        return ("x", array.x, 1), ("y", 1, array.y)
    return ((None, array.x, array.y),)


def _dummy_name(name: str, axis: str | None) -> str:
    if axis is None:
        return name if _DUMMY.fullmatch(name) else f"inter_{name}_spatial"
    base = name.removeprefix("inter_").removesuffix("_spatial") if _DUMMY.fullmatch(name) else name
    return f"inter_{base}_{axis.upper()}_spatial"


def _storage(arch: ArchSpec, index: int, memory: Memory, problem: TensorProblem, x: int, y: int) -> Storage:
    word_bits = _word_bits(arch, memory, problem)
    access = memory.access_bits or word_bits
    level = Storage(index, memory.name, memory, word_bits, max(1, access // word_bits), x, y)
    if level.words is not None and not 1 <= level.words <= _MOST:
        raise _unwritable(arch, f"{memory.name} holds {level.words} words", hint=f"between 1 and {_MOST} is right")
    return level


def _word_bits(arch: ArchSpec, memory: Memory, problem: TensorProblem) -> int:
    """The one width of all words that the memory may keep."""

    def width(tensor: Tensor) -> int:
        return memory.bits_of(tensor.bits, tensor.is_output)

    held = [tensor for tensor in problem.tensors if memory.holds(tensor.name, tensor.role)]
    widths = {width(tensor) for tensor in held or problem.inputs}
    if len(widths) > 1:
        found = ", ".join(f"{tensor.name} {width(tensor)} b" for tensor in held)
        raise _unwritable(
            arch, f"{memory.name} keeps words of different widths ({found})", hint="Timeloop knows one width per level"
        )
    return widths.pop()
