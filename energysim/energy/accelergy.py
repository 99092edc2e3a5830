"""The real Accelergy behind the estimator interface: run once per architecture, its ERT and ART read back."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Compute, Memory
from energysim.energy.accelergy_input import Part, accelergy_input, accelergy_parts, unit_name
from energysim.energy.estimators import Arrived, access_bits_of, estimator
from energysim.energy.reference_tables import ReferenceTables, art_rows, component_name, ert_rows
from energysim.errors import EnergySimError, ProgramError, SpecError, UnavailableError
from energysim.programs import Finished, Program, find_program, run
from energysim.spec_files import load_yaml

VARIABLE = "ENERGYSIM_ACCELERGY"
NAME = "accelergy"
HOW_TO_GET = (
    "its authors tell how to install it with its plug-ins: https://timeloop.csail.mit.edu/installation; then put it on "
    f"PATH, or the command that reaches it into {VARIABLE} (docs/engines.md)"
)
LIMIT_S = 600.0
_SPREAD = 2.0  # as of the other estimators: models of memories differ by that much
_PICOJOULE = 1e-12
# Said of every run, because only components are given: no compound classes, no counts of actions.
_ALWAYS_SAID = ("compound component", "action counts", "runtime energy", "compound_components")
_NOT_TRIED = ("Class name", "Could not find", "Accuracy is 0%")
_SAID = re.compile(r"\b(?:WARNING|WARN|ERROR)\b\s+(?P<text>\S.*)")


@estimator("accelergy")
class AccelergyEstimator:
    """Asks the installed program. Raises UnavailableError when made where it is not installed."""

    def __init__(self) -> None:
        self._program = find_program(NAME, VARIABLE, HOW_TO_GET)

    def of(self, arch: ArchSpec) -> Arrived:
        """Everything that the architecture leaves open, from one run per content.

        Raises SpecError for an architecture that Accelergy has no words for, ProgramError where it estimates nothing
        or writes no tables, UnavailableError for a version whose tables are not of 0.3 or 0.4.
        """
        bits = {memory.name: access_bits_of(memory, arch.default_bits) for memory in arch.memories}
        parts = accelergy_parts(arch, bits)
        if not parts:
            return Arrived(_Answers({}, {}, {}, arch.clock_hz), notes=("Accelergy: every energy is stated",))
        answer = _asked(self._program, accelergy_input(parts, arch))
        model = _answers(parts, answer.tables, arch.clock_hz)
        who = ", ".join(f"{name}: {source}" for name, source in model.sources.items())
        areas: dict[str, float] = {}
        for part in parts:
            areas[part.of] = areas.get(part.of, 0.0) + answer.tables.areas_um2.get(part.name, 0.0) * part.leaks
        notes = (f"Accelergy's plug-ins: {who}", *(f"Accelergy: {line}" for line in answer.warnings))
        return Arrived(model, tuple(areas.items()), notes)


@dataclass(frozen=True)
class _Answer:
    tables: ReferenceTables
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Answers:
    """Energies and leakage (pJ per cycle) of our components by action, as an estimator of them."""

    energies_pj: dict[tuple[str, str], float]
    leaks_pj: dict[str, float]
    sources: dict[str, str]
    clock_hz: float

    def memory(
        self, memory: Memory, access_bits: int, node_nm: float | None
    ) -> tuple[Sourced, Sourced, Sourced | None]:
        """Read pJ, write pJ and leakage W of one instance, as the ERT states them."""
        name = memory.name
        return self._pj(name, "read"), self._pj(name, "write"), self._leak(name)

    def mac(self, compute: Compute, bits: int, node_nm: float | None) -> tuple[Sourced, Sourced | None]:
        """pJ of one MAC and its leakage, as the ERT states them."""
        name = unit_name(compute, bits)
        return self._pj(name, "mac"), self._leak(name)

    def _pj(self, name: str, action: str) -> Sourced:
        if (name, action) not in self.energies_pj:
            raise ProgramError(f"{name}: Accelergy's ERT has no energy of one {action}")
        return self._sourced(name, self.energies_pj[name, action])

    def _leak(self, name: str) -> Sourced | None:
        leak = self.leaks_pj.get(name)
        return None if leak is None else self._sourced(name, leak * _PICOJOULE * self.clock_hz)

    def _sourced(self, name: str, value: float) -> Sourced:
        return Sourced(value, value / _SPREAD, value * _SPREAD, f"Accelergy, plug-in {self.sources[name]}")


def _answers(parts: tuple[Part, ...], tables: ReferenceTables, clock_hz: float) -> _Answers:
    """The rows of the ERT added up over the parts of each component."""
    energies: dict[tuple[str, str], float] = {}
    leaks: dict[str, float] = {}
    sources: dict[str, dict[str, None]] = {}
    for part in parts:
        row = tables.energies_pj.get(part.name, {})
        sources.setdefault(part.of, {})[tables.sources.get(part.name, "not named")] = None
        for action, pj in row.items():
            if action == "leak":
                leaks[part.of] = leaks.get(part.of, 0.0) + pj * part.leaks
            else:
                name = action if "write" in part.actions else "mac"
                energies[part.of, name] = energies.get((part.of, name), 0.0) + pj
    named = {name: " + ".join(who) for name, who in sources.items()}
    return _Answers(energies, leaks, named, clock_hz)


@lru_cache(maxsize=256)
def _asked(program: Program, text: str) -> _Answer:
    """One run; the same text is asked once per process."""
    try:
        directory = Path(tempfile.mkdtemp(prefix="energysim-accelergy-")).resolve()
    except OSError as error:
        what = f"no directory for an Accelergy run: {error.strerror}"
        raise EnergySimError(what, hint="set TMPDIR to a directory that can be written to") from error
    try:
        (directory / "input.yaml").write_text(text, encoding="utf-8")
        ended = run(program, ["input.yaml", "-o", "."], directory, limit_s=LIMIT_S)
        if ended.limited:
            raise ProgramError(f"Accelergy did not end within {LIMIT_S:g} s")
        if ended.returncode != 0:
            raise ProgramError(f"Accelergy failed ({ended.returncode}): {_why(ended)}")
        return _Answer(_read(directory), _warnings(ended.output))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _why(ended: Finished) -> str:
    """What it could not estimate, and which plug-in came near; else its last words."""
    lines = [match["text"].strip(" |") for line in ended.output.splitlines() if (match := _SAID.search(line))]
    missing = next((line for line in lines if line.startswith("Can not find")), None)
    if missing is None:
        return ended.tail()
    told = dict.fromkeys(line for line in lines if "supported" in line.lower() and " with accuracy " in line)
    near = [line for line in told if not any(word in line for word in _NOT_TRIED)]
    return "; ".join([missing, *near])


def _read(directory: Path) -> ReferenceTables:
    ert, art, summary = (directory / f"{name}.yaml" for name in ("ERT", "ART", "ERT_summary"))
    if not ert.exists():
        raise ProgramError("Accelergy wrote no ERT.yaml")
    try:
        energies = dict(ert_rows(load_yaml(ert)))
        areas = dict(art_rows(load_yaml(art))) if art.exists() else {}
    except SpecError as error:
        if error.what.startswith("version"):
            raise UnavailableError(f"this Accelergy writes another format: {error.what}", hint=HOW_TO_GET) from None
        raise ProgramError(f"Accelergy's tables cannot be read: {error.what}") from error
    return ReferenceTables(energies, areas, _estimators(summary))


def _estimators(summary: Path) -> dict[str, str]:
    """Component -> the plug-ins that estimated its parts."""
    if not summary.exists():
        return {}
    found: dict[str, str] = {}
    rows = load_yaml(summary).at(("ERT_summary", "table_summary"))
    for row in rows if isinstance(rows, list) else []:
        parts = row.get("primitive_estimation(s)") or []
        named = dict.fromkeys(str(part.get("estimator")) for part in parts if isinstance(part, dict))
        if named:
            found[component_name(str(row.get("name")))] = " + ".join(named)
    return found


def _warnings(output: str) -> tuple[str, ...]:
    found = (match["text"].strip() for line in output.splitlines() if (match := _SAID.search(line)))
    return tuple(dict.fromkeys(text for text in found if not any(word in text for word in _ALWAYS_SAID)))
