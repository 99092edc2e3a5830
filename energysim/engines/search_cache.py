"""Search results on disk, by content: the same problem, device, costs and objective are searched once per machine.

One small JSON file per result. A file is written beside its place and renamed over it, which file systems do at once
or not at all: parallel processes need no lock, and one that is killed leaves at most a partial file that nobody reads.
(A database would need its locks to work, which those of network file systems often do not.) What is read is checked
against its digest and evaluated again; whatever does not hold is searched anew and overwritten.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import energysim.arch.spec as spec_module
import energysim.graph.problem as problem_module
import energysim.mapping.nest as nest_module
from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Energy
from energysim.errors import MappingError
from energysim.graph.problem import TensorProblem
from energysim.mapping.cost_model import CostModel
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.evaluate import evaluate
from energysim.mapping.nest import Loop, Mapping
from energysim.mapping.search import ENERGY, Objective, SearchResult, search
from energysim.mapping.search.objective import metric_value
from energysim.mapping.search.result import Report
from energysim.version import __version__

VARIABLE = "ENERGYSIM_CACHE"
"""A directory, or ``off``. Unset: ``energysim`` in the user's cache directory."""

_OFF = "off"
_STALE_S = 3600.0
"""Partial files older than this belong to writers that were killed: writing a result takes milliseconds."""
_SAME = 1e-9
"""Relative difference that a sum may show on another machine."""


def cached_search(
    problem: TensorProblem,
    arch: ArchSpec,
    costs: CostModel,
    *,
    objective: Objective = ENERGY,
    convention: Convention = Convention.EXACT,
    imperfect: bool = False,
    time_limit_s: float | None = None,
    progress: Report | None = None,
) -> SearchResult:
    """:func:`energysim.mapping.search.search`, answered from disk where the same was asked before.

    Kept are proven optima, and for searches that ran into their time limit the best mapping under that very limit: the
    same question has the same answer from then on. A search cut short otherwise is not kept. Raises InfeasibleError.
    """
    ask = partial(
        search,
        problem,
        arch,
        costs,
        objective=objective,
        convention=convention,
        imperfect=imperfect,
        time_limit_s=time_limit_s,
        progress=progress,
    )
    directory = cache_directory()
    if directory is None:
        return ask()
    question = _question(problem, arch, costs, objective, convention, imperfect)
    proven, limited = (_place(directory, question, limit) for limit in (None, time_limit_s))
    for place in dict.fromkeys((limited, proven)):
        known = _load(place, problem, arch, costs, objective, convention)
        if known is not None:
            return known
    started = time.perf_counter()
    found = ask()
    if found.optimal:
        _store(proven, found)
    elif time_limit_s is not None and not found.interrupted and time.perf_counter() - started >= time_limit_s:
        _store(limited, found)
    return found


def cache_directory() -> Path | None:
    """Where results are kept: ``$ENERGYSIM_CACHE``, else by the XDG rules; None where they are not."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen.lower() == _OFF:
        return None
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if base and Path(base).is_absolute():  # XDG: a relative path is to be ignored
        return Path(base) / "energysim"
    try:
        return Path.home() / ".cache" / "energysim"
    except RuntimeError:
        return None


def _source_digest() -> str:
    """Of the code behind every answer: an edited search or count asks anew."""
    mapping = Path(nest_module.__file__).parent
    behind = [Path(spec_module.__file__), Path(problem_module.__file__), *sorted(mapping.rglob("*.py"))]
    digest = hashlib.sha256()
    for path in behind:
        with contextlib.suppress(OSError):  # packed into an archive: the version has to do
            digest.update(path.read_bytes())
    return digest.hexdigest()


_SOURCE = _source_digest()  # as imported: what is edited later is not what runs


# --- the question ---------------------------------------------------------------------------------------------------


def _question(
    problem: TensorProblem,
    arch: ArchSpec,
    costs: CostModel,
    objective: Objective,
    convention: Convention,
    imperfect: bool,
) -> str:
    """Everything that the answer depends on as one text. Energies stand in ``costs``; those of the nodes, the name of
    the device, its file and its clock change no mapping."""
    question = (__version__, _SOURCE, problem, arch.nodes, costs, str(objective), convention, imperfect)
    return json.dumps(_plain(question), separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Energy | Sourced):
        return None
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return [type(value).__name__, *(_plain(getattr(value, field.name)) for field in fields(value))]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a {type(value).__name__} has no canonical text")


def _place(directory: Path, question: str, time_limit_s: float | None) -> Path:
    key = hashlib.sha256(f"{question}\n{time_limit_s!r}".encode()).hexdigest()
    return directory / "searches" / key[:2] / f"{key[2:]}.json"


# --- the answer -----------------------------------------------------------------------------------------------------


def _load(
    place: Path,
    problem: TensorProblem,
    arch: ArchSpec,
    costs: CostModel,
    objective: Objective,
    convention: Convention,
) -> SearchResult | None:
    """The result kept there; None where there is none, or one that is damaged or does not evaluate to what it says."""
    try:
        entry = json.loads(place.read_bytes())
        body = entry["result"]
        if entry["sha256"] != _digest(body):
            return None
        mapping = _mapping(body)
        found = _result(body, mapping, evaluate(problem, arch, mapping, convention), objective)
    except (OSError, ValueError, LookupError, TypeError, MappingError):
        return None
    claims = zip(objective.metrics, (found.value, found.secondary), strict=False)
    for metric, claimed in claims:
        value = metric_value(metric, problem, arch, costs, found.counts, convention)
        if claimed is None or abs(value - claimed) > _SAME * abs(value):
            return None
    return found


def _store(place: Path, found: SearchResult) -> None:
    """Written whole or not at all; a directory that cannot be written to keeps nothing."""
    body = _body(found)
    unfinished = place.with_name(f"{place.stem[:16]}.{os.getpid()}.{os.urandom(4).hex()}.partial")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _sweep(place.parent)
        unfinished.write_text(json.dumps({"sha256": _digest(body), "result": body}), encoding="utf-8")
        unfinished.replace(place)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _sweep(directory: Path) -> None:
    """What killed writers left behind."""
    for path in directory.glob("*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink()


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _body(found: SearchResult) -> dict[str, Any]:
    return {
        "loops": [[loop.dim, loop.bound, loop.node, loop.last, loop.axis] for loop in found.mapping.loops],
        "kept": [sorted(names) for names in found.mapping.kept],
        "value": found.value,
        "secondary": found.secondary,
        "bound": found.bound,
        "optimal": found.optimal,
        "evaluated": found.evaluated,
        "mapspace_size": found.mapspace_size,
    }


def _mapping(body: dict[str, Any]) -> Mapping:
    loops = tuple(Loop(dim, bound, node, last, axis) for dim, bound, node, last, axis in body["loops"])
    return Mapping(loops, tuple(frozenset(names) for names in body["kept"]))


def _result(body: dict[str, Any], mapping: Mapping, counts: Counts, objective: Objective) -> SearchResult:
    return SearchResult(
        mapping=mapping,
        counts=counts,
        objective=objective,
        value=body["value"],
        bound=body["bound"],
        optimal=body["optimal"],
        evaluated=body["evaluated"],
        mapspace_size=body["mapspace_size"],
        secondary=body["secondary"],
    )
