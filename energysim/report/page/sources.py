"""The files that a page is made of, told apart by what they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energysim.errors import Location, NotFoundError, SpecError
from energysim.reproduce.ledger import KIND as LEDGER
from energysim.reproduce.ledger import Ledger
from energysim.simulation.stored import StoredResult, stored_result

if TYPE_CHECKING:
    import pandas as pd

    from energysim.train.runs import Group
    from energysim.train.summary import ModelSummary

_HINT = "what `energysim simulate --json` wrote is right, or training runs, a sweep's store, a reproduction ledger"
_RUN = "training run"
_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True)
class SweepPoints:
    """What a store of results holds. ``where``: its file; ``frame``: the rows as plots take them."""

    where: str
    rows: tuple[Mapping[str, Any], ...]
    frame: pd.DataFrame


@dataclass(frozen=True)
class Sources:
    """What a page shows, in the order in which it was named. ``models``: summaries that were stored as such, then those
    of ``runs``, which are grouped by data set."""

    results: tuple[StoredResult, ...] = ()
    models: tuple[ModelSummary, ...] = ()
    sweeps: tuple[SweepPoints, ...] = ()
    ledgers: tuple[Ledger, ...] = ()
    runs: tuple[tuple[Group, ...], ...] = ()


def read_sources(paths: Sequence[str | Path]) -> Sources:
    """All of them, in their order. Raises NotFoundError without a file, SpecError where one holds nothing of these."""
    results: list[StoredResult] = []
    models: list[ModelSummary] = []
    sweeps: list[SweepPoints] = []
    ledgers: list[Ledger] = []
    runs: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir() or path.suffix == ".pt":
            runs.append(path)
            continue
        if _is_store(path):
            sweeps.append(_points(path))
            continue
        data = _json(path)
        if isinstance(data, dict) and data.get("kind") == LEDGER:
            ledgers.append(Ledger.from_dict(data))
        elif isinstance(data, dict) and data.get("kind") == _RUN:
            runs.append(path.parent)
        elif isinstance(data, dict) and "models" in data:
            models += _summaries(data["models"], path)
        elif isinstance(data, dict) and "variants" in data:
            results.append(stored_result(data, str(path)))
        else:
            raise SpecError("this holds nothing that a report shows", where=Location(str(path)), hint=_HINT)
    groups, trained = _trained(runs)
    return Sources(tuple(results), (*models, *trained), tuple(sweeps), tuple(ledgers), _by_data(groups))


def _is_store(path: Path) -> bool:
    """Whether it is SQLite's file, as its first bytes tell."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def _points(path: Path) -> SweepPoints:
    from energysim.sweep.store import Store

    with Store.open(path) as store:
        return SweepPoints(str(path), tuple(store.rows()), store.to_pandas())


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"no file {str(path)!r}", hint=_HINT) from None
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"{str(path)!r} cannot be read as text: {error}", hint=_HINT) from None
    except json.JSONDecodeError as error:
        where = Location(str(path), error.lineno)
        raise SpecError(f"this is no JSON: {error.msg}", where=where, hint=_HINT) from None


def _trained(paths: Sequence[Path]) -> tuple[tuple[Group, ...], tuple[ModelSummary, ...]]:
    """The finished runs below the paths, and a summary of each group of them."""
    if not paths:
        return (), ()
    from energysim.train.runs import all_groups, summarize_group

    groups = all_groups(paths)
    return groups, tuple(summarize_group(group, None, timed=False) for group in groups)


def _by_data(groups: Sequence[Group]) -> tuple[tuple[Group, ...], ...]:
    """Runs that one figure can show."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(str(group.results[0].about.get("data")), []).append(group)
    return tuple(map(tuple, found.values()))


def _summaries(models: Any, path: Path) -> list[ModelSummary]:
    from energysim.train.summary import ModelSummary

    try:
        return [ModelSummary.from_dict(model) for model in models]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"no summary of training runs: {error}"
        raise SpecError(
            what, where=Location(str(path)), hint="energysim train --json, energysim compare --json"
        ) from None
