"""The axes of a design space in YAML: each value read and checked, errors with file, line and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from energysim.errors import EnergySimError, NotFoundError, did_you_mean
from energysim.inputs import parse_inputs
from energysim.mapping.search import Objective
from energysim.schedule.sizes import parse_buffer, parse_tile
from energysim.schedule.values import Overlap
from energysim.schedule.variants import VARIANTS
from energysim.simulation.variants import OPTIMAL
from energysim.spec_files import Loc, SpecFile
from energysim.sweep.ranges import values_of
from energysim.sweep.resolve import arch_of
from energysim.sweep.space import Block
from energysim.units import whole_number

PARAMETER = "arch."
"""What the name of an axis over a device's own values begins with: arch.GLB.capacity."""


def _arch(value: Any) -> str:
    arch_of(str(value))
    return str(value)


def _one_of(known: tuple[str, ...], what: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in known:
            hint = did_you_mean(str(value), known) or f"one of {', '.join(known)}"
            raise NotFoundError(f"unknown {what} {value!r}", hint=hint)
        return str(value)

    return read


def _number(what: str, most: int | None = None) -> Callable[[Any], int]:
    return lambda value: whole_number(value, what, most)


def _input(value: Any) -> str:
    parse_inputs(str(value))
    return str(value)


def _objective(value: Any) -> str:
    Objective.parse(str(value))
    return str(value)


@dataclass(frozen=True, slots=True)
class _Axis:
    """``field`` of a Block that the axis fills; ``other``: its name in the plural, or in the singular."""

    field: str
    read: Callable[[Any], Any]
    other: str


_AXES = {
    "workload": _Axis("workloads", str, "workloads"),
    "arch": _Axis("archs", _arch, "archs"),
    "variant": _Axis("variants", _one_of((*VARIANTS, OPTIMAL), "variant"), "variants"),
    "tile": _Axis("tiles", parse_tile, "tiles"),
    "buffer": _Axis("buffers", parse_buffer, "buffers"),
    "overlap": _Axis("overlaps", _one_of(tuple(Overlap), "overlap"), "overlaps"),
    "input": _Axis("inputs", _input, "inputs"),
    "batch": _Axis("batches", _number("batch"), "batches"),
    "bits": _Axis("bits", _number("word width", 64), "bits"),
    "objective": _Axis("objectives", _objective, "objectives"),
}
AXES = tuple(_AXES)
_NONE_IS_A_VALUE = ("tile", "buffer")
_NEEDED = {"tiled": "tile", "buffered": "buffer"}


def blocks_of(spec: SpecFile, loc: Loc = ("sweep",)) -> tuple[Block, ...]:
    """The products under a key: one mapping of axes, or a list of them.

    Raises SpecError, with file, line and key, for what is no axis or no value of one, and for a path that a device
    does not have.
    """
    written = spec.at(loc)
    if isinstance(written, list) and written:
        return tuple(_block(spec, (*loc, index)) for index in range(len(written)))
    return (_block(spec, loc),)


def _block(spec: SpecFile, loc: Loc) -> Block:
    written = spec.at(loc)
    if not isinstance(written, Mapping) or not written:
        raise spec.error("axes and their values are right here", loc, hint="for example 'workload: [lightweight_cnn]'")
    names = {other: name for name, axis in _AXES.items() for other in (name, axis.other)}
    fields: dict[str, Any] = {}
    parameters: list[tuple[str, tuple[Any, ...]]] = []
    for key in map(str, written):
        at = (*loc, key)
        if key.startswith(PARAMETER):
            parameters.append((key.removeprefix(PARAMETER), _values(spec, at, lambda value: value)))
        elif key not in names:
            known = (*AXES, f"{PARAMETER}NODE.KEY")
            raise spec.error(f"unknown axis {key!r}", at, did_you_mean(key, known) or f"one of {', '.join(known)}")
        elif (axis := _AXES[names[key]]).field in fields:
            raise spec.error(f"{names[key]!r} is there twice", at, hint=f"{key!r} is the same axis")
        else:
            optional = names[key] in _NONE_IS_A_VALUE
            fields[axis.field] = _values(spec, at, axis.read, optional)
    for name in ("workload", "arch"):
        if _AXES[name].field not in fields:
            raise spec.error(f"missing axis {name!r}", loc, hint=f"for example '{name}: [...]'")
    block = Block(**fields, parameters=tuple(parameters))
    for variant, axis_name in _NEEDED.items():
        if variant in block.variants and None in _flat(getattr(block, _AXES[axis_name].field)):
            raise spec.error(f"the variant {variant!r} has no {axis_name}", loc, hint=f"an axis '{axis_name}: [...]'")
    _check_workloads(spec, loc, block)
    _check_parameters(spec, loc, block)
    return block


def _values(spec: SpecFile, loc: Loc, read: Callable[[Any], Any], optional: bool = False) -> tuple[Any, ...]:
    written = spec.at(loc)
    try:
        values = values_of(written)
    except EnergySimError as error:
        raise spec.error(error.what, loc, error.hint) from None
    found: list[Any] = []
    for value in values:
        try:
            found.append(_absent(read) if optional and value is None else read(value))
        except EnergySimError as error:
            at = (*loc, written.index(value)) if isinstance(written, list) else loc
            raise spec.error(str(error) if error.where else error.what, at, error.hint) from None
    return tuple(dict.fromkeys(found))


def _absent(read: Callable[[Any], Any]) -> Any:
    return (None, None) if read is parse_buffer else None


def _flat(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(None if value in (None, (None, None)) else value for value in values)


def _check_workloads(spec: SpecFile, loc: Loc, block: Block) -> None:
    """Every network with every input and batch."""
    for index, workload in enumerate(block.workloads):
        try:
            block.whole_inputs(workload)
        except EnergySimError as error:
            key = next(key for key in ("workload", "workloads") if spec.at((*loc, key)) is not None)
            listed = isinstance(spec.at((*loc, key)), list)
            text = str(error) if error.where else error.what
            raise spec.error(text, (*loc, key, index) if listed else (*loc, key), error.hint) from None


def _check_parameters(spec: SpecFile, loc: Loc, block: Block) -> None:
    """Every value of every path, alone, on every device: what only fails together is a point's own failure."""
    for path, values in block.parameters:
        for index, value in enumerate(values):
            for arch in block.archs:
                try:
                    arch_of(arch, ((path, value),))
                except EnergySimError as error:
                    listed = isinstance(spec.at((*loc, PARAMETER + path)), list)
                    at = (*loc, PARAMETER + path, index) if listed else (*loc, PARAMETER + path)
                    raise spec.error(f"{arch}: {error.what}", at, error.hint) from None
