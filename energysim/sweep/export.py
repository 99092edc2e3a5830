"""A store as one file for other tools: Parquet or CSV."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from energysim.errors import EnergySimError, UnavailableError
from energysim.sweep.store import Store

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".parquet", ".csv")


def export(store: Store, target: str | Path, keys: Iterable[str] | None = None) -> None:
    """Parameters and totals of the stored points (or of ``keys``) as .parquet or .csv, whole or not at all.

    Raises EnergySimError for another suffix or where the file cannot be written, UnavailableError for Parquet without
    pyarrow.
    """
    path = checked_target(target)
    frame = store.to_pandas(keys)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        _write(frame, temporary, path.suffix.lower())
        temporary.replace(path)
    except OSError as error:
        raise EnergySimError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def checked_target(target: str | Path) -> Path:
    """Raises EnergySimError where the name says no format, UnavailableError where its library is missing."""
    path = Path(target)
    if path.suffix.lower() not in SUFFIXES:
        raise EnergySimError(f"{str(path)!r} names no format", hint=f"a file named {' or '.join(SUFFIXES)}")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise UnavailableError(
                f"Parquet needs pyarrow, which cannot be imported: {error}", hint="pip install 'energysim-edge[sweep]'"
            ) from None
    return path


def _write(frame: pd.DataFrame, path: Path, suffix: str) -> None:
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
