"""Libraries of the optional extra `train`, imported where they are used; a clear message where they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from energysim.errors import UnavailableError


def require(module: str, purpose: str) -> Any:
    """The imported module. Raises UnavailableError naming what needs it and how it is installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UnavailableError(
            f"{purpose} needs {package}, which cannot be imported: {error}",
            hint="pip install 'energysim-edge[train]'",
        ) from error
