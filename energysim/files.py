"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from energysim.errors import EnergySimError


def write_whole(path: Path, content: bytes) -> None:
    """``content`` under ``path`` on the disk; directories are made.

    Raises EnergySimError (full disk, no permission); the file is then as it was.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        kept = " (the file written before is unchanged)" if os.path.lexists(path) else ""
        raise EnergySimError(f"cannot write {str(path)!r}: {error.strerror}{kept}") from None
