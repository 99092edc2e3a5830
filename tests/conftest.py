"""Property tests draw the same examples in every run; no test reads or writes the user's cache of search results."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("fixed", derandomize=True)
settings.register_profile("random", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session", autouse=True)
def _own_cache() -> Iterator[None]:
    """A directory of this run (of each worker), seen by subprocesses too."""
    before = os.environ.get("ENERGYSIM_CACHE")
    with tempfile.TemporaryDirectory(prefix="energysim-cache-", ignore_cleanup_errors=True) as directory:
        os.environ["ENERGYSIM_CACHE"] = directory
        yield
    if before is None:
        del os.environ["ENERGYSIM_CACHE"]
    else:
        os.environ["ENERGYSIM_CACHE"] = before
