"""A point becomes a result: the JSON document of `simulate` with the totals that tables sort by, or an error."""

from __future__ import annotations

import json
import time
import traceback
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from energysim.errors import EnergySimError, InfeasibleError
from energysim.simulation import SimulationResult, simulate
from energysim.sweep.point import Point
from energysim.sweep.resolve import arch_of, workload_of

OK, FAILED, INFEASIBLE, RULED_OUT = "ok", "failed", "infeasible", "ruled_out"
_FRAMES = 3


@dataclass(frozen=True)
class Task:
    """A point to evaluate, and the key that its result is stored under."""

    key: str
    point: Point


@dataclass(frozen=True)
class Outcome:
    """What became of a task. ``totals``: columns of the store; ``document``: zlib-compressed JSON, None without result.

    ``status``: ok, or infeasible (the device cannot run it), failed, or ruled_out (by a limit of the sweep, without
    being simulated); then ``error`` says why.
    """

    key: str
    point: Point
    status: str
    error: str | None = None
    totals: tuple[tuple[str, Any], ...] = ()
    document: bytes | None = None
    cpu_s: float = 0.0


def evaluate(point: Point) -> dict[str, Any]:
    """The result of a point as the JSON document that ``SimulationResult.to_dict`` gives, as a store gives it back.

    Raises EnergySimError.
    """
    return unpacked(packed(_simulated(point).to_dict()))


def outcome_of(task: Task, command: Sequence[str] = ()) -> Outcome:
    """The task's result or error; never raises but for what stops the process. ``command`` goes into the document."""
    started = time.process_time()
    try:
        result = _simulated(task.point)
    except InfeasibleError as error:
        return Outcome(task.key, task.point, INFEASIBLE, str(error), cpu_s=time.process_time() - started)
    except Exception as error:
        return Outcome(task.key, task.point, FAILED, _told(error), cpu_s=time.process_time() - started)
    document = {**result.to_dict(), "command": list(command)}
    return Outcome(
        key=task.key,
        point=task.point,
        status=OK,
        totals=tuple(_totals(result).items()),
        document=packed(document),
        cpu_s=time.process_time() - started,
    )


def packed(document: dict[str, Any]) -> bytes:
    """A document as compressed JSON."""
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode())


def unpacked(data: bytes) -> dict[str, Any]:
    """The document again."""
    document: dict[str, Any] = json.loads(zlib.decompress(data))
    return document


def _simulated(point: Point) -> SimulationResult:
    workload = workload_of(point.workload, point.input, point.batch)
    return simulate(workload, arch_of(point.arch, point.overrides), **point.options())


def _totals(result: SimulationResult) -> dict[str, Any]:
    """``optimal``: every mapping, and the schedule where it was chosen, is proven; ``gap``: the largest of their gaps,
    which bounds that of the whole."""
    (cost,) = result.variants
    return {
        **cost.totals(),
        "dram_bytes": cost.dram_bytes,
        "used_buffer_bytes": cost.buffer_bytes,
        "used_bits": result.bits,
        "area_mm2": result.area_mm2,
        "optimal": cost.optimal and all(layer.optimal for layer in cost.layers),
        "gap": max([cost.gap, *(layer.gap for layer in cost.layers)]),
        "workload_name": result.workload,
        "arch_name": result.arch.name,
        "arch_sha256": result.arch.sha256,
    }


def _told(error: Exception) -> str:
    """One clear error as it is; of any other failure also where it happened."""
    if isinstance(error, EnergySimError):
        return str(error)
    where = "".join(traceback.format_tb(error.__traceback__)[-_FRAMES:])
    return f"{type(error).__name__}: {error}\n{where}".rstrip()
