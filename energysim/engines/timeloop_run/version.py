"""Whether an installed Timeloop speaks as expected. It prints no version, so it is asked a question of known answer."""

from __future__ import annotations

import threading
from dataclasses import replace

from energysim.arch.spec import ArchSpec, Array, Compute, Memory
from energysim.engines.timeloop_run.inputs import model_input
from energysim.engines.timeloop_run.read_back import counts_of
from energysim.engines.timeloop_run.runs import HOW_TO_GET, MODEL, run_model, timeloop
from energysim.errors import ProgramError, UnavailableError
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.nest import Loop, Mapping

EXPECTED = "4cf6d4c of March 2025 (its inputs are of version 0.4)"
_KEPT = frozenset({"W", "I", "O"})
_PROBLEM = TensorProblem(
    (("P", 4), ("R", 3), ("C", 2), ("M", 2)),
    (
        Tensor("W", Role.WEIGHTS, (Rank((("C", 1),)), Rank((("M", 1),)), Rank((("R", 1),)))),
        Tensor("I", Role.IFMAP, (Rank((("C", 1),)), Rank((("P", 1), ("R", 1))))),
        Tensor("O", Role.OFMAP, (Rank((("M", 1),)), Rank((("P", 1),)))),
    ),
)
_ARCH = ArchSpec(
    "question",
    (
        Memory("DRAM", "dram", _KEPT),
        Array("PE", x=2),
        Memory("RF", "regfile", _KEPT, capacity_bits=1024),
        Compute("MAC", "int", 8),
    ),
    clock_hz=1e9,
)
# The reduction C outside P: partial sums are spilled and read again. P slides over R in the innermost moving loop, and
# M is spread, so that ifmap words are multicast: the meanings in which Timeloop's versions and switches differ.
_MAPPING = Mapping(
    (Loop("C", 2, 0, 2), Loop("P", 4, 0, 4), Loop("M", 2, 1, 2, "x"), Loop("R", 3, 2, 3)),
    (_KEPT, frozenset(), _KEPT, frozenset()),
)
# (level, tensor) -> words read, filled and updated over all instances.
_ANSWER = {
    ("DRAM", "W"): (12, 0, 0),
    ("DRAM", "I"): (12, 0, 0),
    ("DRAM", "O"): (8, 0, 16),
    ("RF", "W"): (48, 12, 0),
    ("RF", "I"): (48, 24, 0),
    ("RF", "O"): (40, 8, 48),
}
_checked: set[tuple[str, ...]] = set()
_lock = threading.Lock()


def check_version() -> None:
    """Asks once per process and command. Raises UnavailableError where Timeloop is missing or answers otherwise."""
    program = timeloop(MODEL)
    key = (*program.prefix, program.name)
    with _lock:
        if key in _checked:
            return
        given = model_input(_PROBLEM, _ARCH, _MAPPING)
        try:
            counts = counts_of(run_model(given), _ARCH, given.macs_per_cycle)
        except ProgramError as error:
            raise UnavailableError(
                f"this {MODEL} cannot evaluate a small problem as version {EXPECTED} does: {error.what}",
                hint=HOW_TO_GET,
            ) from error
        found = {(a.level, a.tensor): (a.reads, a.fills, a.updates) for a in counts.accesses}
        for place, answer in _ANSWER.items():
            if found.get(place) != answer:
                level, tensor = place
                raise UnavailableError(
                    f"this {MODEL} counts otherwise than version {EXPECTED}: reads, fills, updates of {tensor} at "
                    f"{level} are {found.get(place, 'missing')} in place of {answer}",
                    hint=HOW_TO_GET,
                )
        _checked.add(key)


def question() -> tuple[TensorProblem, ArchSpec, Mapping]:
    """The problem that is asked, so that a test can ask another engine."""
    return _PROBLEM, replace(_ARCH), _MAPPING
