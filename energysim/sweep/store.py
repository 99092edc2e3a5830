"""Results in one SQLite file: a row per point, written whole or not at all, safe to kill and to share."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from energysim.errors import EnergySimError, NotFoundError
from energysim.inputs import parse_inputs
from energysim.sweep.accuracy import Accuracies
from energysim.sweep.evaluation import OK, RULED_OUT, Outcome, unpacked
from energysim.sweep.point import Point
from energysim.version import __version__

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
_APPLICATION = 0x656E7267  # "enrg": what file(1) and we know the file by
_WAIT_S = 60.0

PARAMETERS = {
    "workload": "TEXT", "arch": "TEXT", "overrides": "TEXT", "variant": "TEXT", "tile_rows": "INTEGER",
    "tile_columns": "INTEGER", "buffer_bytes": "INTEGER", "buffer_channels": "INTEGER", "overlap": "TEXT",
    "input": "TEXT", "batch": "INTEGER", "bits": "INTEGER", "objective": "TEXT", "convention": "TEXT", "engine": "TEXT",
    "estimator": "TEXT", "imperfect": "INTEGER", "time_limit_s": "REAL", "ert": "TEXT", "art": "TEXT",
}  # fmt: skip
"""What was asked for. ``overrides`` (a JSON object), ``ert``, ``art`` (JSON lists) are text."""

TOTALS = {
    "workload_name": "TEXT", "arch_name": "TEXT", "arch_sha256": "TEXT", "used_bits": "INTEGER",
    "used_buffer_bytes": "REAL", "energy_pj": "REAL", "energy_low_pj": "REAL", "energy_high_pj": "REAL",
    "latency_s": "REAL", "latency_low_s": "REAL", "latency_high_s": "REAL", "edp_js": "REAL",
    "edp_low_js": "REAL", "edp_high_js": "REAL",
    "dram_read_bytes": "REAL", "dram_write_bytes": "REAL", "dram_bytes": "REAL", "dram_floor_bytes": "REAL",
    "macs": "INTEGER", "macs_executed": "INTEGER", "params": "INTEGER", "optimal": "INTEGER", "gap": "REAL",
    "area_mm2": "REAL",
}  # fmt: skip
"""What came out; NULL where the point has no result."""

_ABOUT = {
    "status": "TEXT NOT NULL", "error": "TEXT", "accuracy": "REAL", "cpu_s": "REAL", "finished": "REAL",
    "energysim": "TEXT", "command": "TEXT",
}  # fmt: skip
COLUMNS = ("key", *PARAMETERS, *TOTALS, *_ABOUT)
_FLAGS = ("imperfect", "optimal")
_LISTS = ("overrides", "ert", "art", "command")


class StoreError(EnergySimError):
    """A file is no store of results, of another version, or cannot be read or written."""


class Store:
    """Results by key. Open it with :meth:`open`, use it as a context manager or :meth:`close` it.

    Several processes of one machine may write at once. Not on a network file system, whose locks SQLite cannot trust.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: str | Path, *, create: bool = False) -> Self:
        """The store in a file; ``create`` makes it where there is none.

        Raises NotFoundError where there is none, StoreError where the file is something else or cannot be opened.
        """
        path = Path(path)
        if not create and not path.is_file():
            raise NotFoundError(f"no store {str(path)!r}", hint="`energysim sweep EXPERIMENT --out FILE` makes one")
        with _told(path):
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
            try:
                _patiently(lambda: _prepare(path, connection, create), connection)
            except BaseException:
                connection.close()
                raise
        connection.row_factory = sqlite3.Row
        return cls(path, connection)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return int(self._select("SELECT count(*) FROM points").fetchone()[0])

    def put(self, outcome: Outcome, command: Iterable[str] = (), accuracy: float | None = None) -> None:
        """Write one outcome. What has a result keeps it: a failure never replaces one. What was computed is never
        replaced by a ruling, which is about one sweep's limits. Raises StoreError."""
        values = {
            "key": outcome.key,
            **_parameters(outcome.point),
            **dict(outcome.totals),
            "status": outcome.status,
            "error": outcome.error,
            "accuracy": accuracy,
            "cpu_s": outcome.cpu_s,
            "finished": time.time(),
            "energysim": __version__,
            "command": json.dumps(list(command)),
            "document": outcome.document,
        }
        names = ", ".join(values)
        places = ", ".join(f":{name}" for name in values)
        updates = ", ".join(f"{name} = excluded.{name}" for name in values if name != "key")
        other_ruling = f"= '{RULED_OUT}' AND points.error != excluded.error"
        gives_way = other_ruling if outcome.status == RULED_OUT else f"!= '{OK}'"
        with _told(self.path):
            self._connection.execute(
                f"INSERT INTO points ({names}) VALUES ({places}) "
                f"ON CONFLICT (key) DO UPDATE SET {updates} WHERE points.status {gives_way}",
                values,
            )

    def set_accuracy(self, accuracies: Accuracies) -> None:
        """The accuracy of every stored point of the networks named; none with images of another size than it was
        reached with. Raises StoreError."""
        with _told(self.path):
            self._connection.executemany(
                "UPDATE points SET accuracy = CASE WHEN coalesce(input, '') = '' OR input LIKE ? THEN ? END "
                "WHERE workload_name = ?",
                [
                    ("%" if known.image is None else f"%x{known.images}", known.top1, name)
                    for name, known in accuracies.items()
                ],
            )

    def statuses(self, keys: Iterable[str]) -> dict[str, str]:
        """Status of those of the keys that are stored: ok, failed, infeasible or ruled_out."""
        wanted = set(keys)
        found = self._select("SELECT key, status FROM points")
        return {key: status for key, status in found if key in wanted}

    def rows(self, keys: Iterable[str] | None = None) -> Iterator[dict[str, Any]]:
        """Parameters and totals of the stored points (see COLUMNS), all or those of ``keys``, in the order of keys."""
        wanted = None if keys is None else set(keys)
        for row in self._select(f"SELECT {', '.join(COLUMNS)} FROM points ORDER BY key"):
            if wanted is None or row["key"] in wanted:
                yield _plain(row)

    def row(self, key: str) -> dict[str, Any] | None:
        """One point's parameters and totals; None where it is not stored."""
        found = self._select(f"SELECT {', '.join(COLUMNS)} FROM points WHERE key = ?", (key,)).fetchone()
        return None if found is None else _plain(found)

    def load(self, key: str) -> dict[str, Any]:
        """The whole result of a point: the JSON document of `simulate`.

        Raises NotFoundError where the key is not stored or has no result.
        """
        row = self._select("SELECT status, error, document FROM points WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise NotFoundError(f"{str(self.path)!r} has no point {key!r}")
        if row["document"] is None:
            raise NotFoundError(f"the point {key!r} has no result: it is {row['status']} ({row['error']})")
        return unpacked(row["document"])

    def to_pandas(self, keys: Iterable[str] | None = None) -> pd.DataFrame:
        """A row per stored point (or per one of ``keys``); overridden values of a device in columns of their own
        ("arch.GLB.capacity")."""
        import pandas as pd

        rows = [flat(row) for row in self.rows(keys)]
        frame = pd.DataFrame(rows, columns=None if rows else list(COLUMNS))
        return frame.astype({name: kind for name, kind in _pandas_types().items() if name in frame})

    def _select(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        with _told(self.path):
            return self._connection.execute(statement, values)


def _pandas_types() -> dict[str, str]:
    """Types that an absent value does not change."""
    kinds = {"INTEGER": "Int64", "REAL": "float64"}
    declared = {**PARAMETERS, **TOTALS, **_ABOUT}
    types = {name: kinds[kind] for name, kind in declared.items() if kind in kinds}
    return {**types, **dict.fromkeys(_FLAGS, "boolean")}


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose cells are numbers and text: overrides as columns, lists joined with spaces."""
    cells = {name: " ".join(value) if isinstance(value, list) else value for name, value in row.items()}
    del cells["overrides"]
    return {**cells, **{f"arch.{path}": value for path, value in row["overrides"].items()}}


def _patiently(action: Callable[[], None], connection: sqlite3.Connection) -> None:
    """Do it again while another process changes the journal's mode: SQLite waits for a lock, but not for that one."""
    end = time.monotonic() + _WAIT_S
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        time.sleep(0.01)


def _prepare(path: Path, connection: sqlite3.Connection, create: bool) -> None:
    # One transaction, so that the three answers are of one moment: another process may be making the store right now.
    connection.execute("BEGIN")
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    connection.execute("COMMIT")
    if application != _APPLICATION and not (create and empty):
        raise StoreError(
            f"{str(path)!r} is no store of sweep results", hint="another name, or a file that a sweep made"
        )
    if application == _APPLICATION and version != VERSION:
        raise StoreError(f"{str(path)!r} is a store of version {version}; this energysim knows version {VERSION}")
    # A commit reaches the system at once, so that killing the process loses nothing; a power cut may lose the last
    # commits, but leaves the store whole.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    columns = {"key": "TEXT PRIMARY KEY", **PARAMETERS, **TOTALS, **_ABOUT, "document": "BLOB"}
    if not empty:
        _add_columns(connection, columns)
    else:
        table = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"CREATE TABLE IF NOT EXISTS points ({table})")
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")


def _add_columns(connection: sqlite3.Connection, columns: Mapping[str, str]) -> None:
    """A store that an earlier energysim made gets the columns that came since; its rows have no values there."""

    def missing() -> list[str]:
        known = {row[1] for row in connection.execute("PRAGMA table_info(points)")}
        return [name for name in columns if name not in known]

    if missing():
        connection.execute("BEGIN IMMEDIATE")
        for name in missing():  # those that no other process has added meanwhile
            connection.execute(f"ALTER TABLE points ADD COLUMN {name} {columns[name]}")
        connection.execute("COMMIT")


def _parameters(point: Point) -> dict[str, Any]:
    rows, columns = point.tile or (None, None)
    return {
        "workload": point.workload,
        "arch": point.arch,
        "overrides": json.dumps(dict(point.overrides)),
        "variant": point.variant,
        "tile_rows": rows,
        "tile_columns": columns,
        "buffer_bytes": point.buffer_bytes,
        "buffer_channels": point.buffer_channels,
        "overlap": point.overlap,
        "input": point.input,
        "batch": point.batch if point.input is None else parse_inputs(point.input)[0].shape[0],
        "bits": point.bits,
        "objective": point.objective,
        "convention": point.convention,
        "engine": point.engine,
        "estimator": point.estimator,
        "imperfect": point.imperfect,
        "time_limit_s": point.time_limit_s,
        "ert": json.dumps(point.ert),
        "art": json.dumps(point.art),
    }


def _plain(row: sqlite3.Row) -> dict[str, Any]:
    found = dict(row)
    for name in _LISTS:
        found[name] = json.loads(found[name])
    for name in _FLAGS:
        found[name] = None if found[name] is None else bool(found[name])
    return found


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """SQLite's and the system's refusals as one clear error."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{str(path)!r} cannot be used as a store of results: {error}") from error
    except OSError as error:
        raise StoreError(f"{str(path)!r} cannot be used as a store of results: {error.strerror}") from error
