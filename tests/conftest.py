"""Property tests draw the same examples in every run; no test reads or writes the user's cache of search results."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile

import pytest
from hypothesis import settings

settings.register_profile("fixed", derandomize=True)
settings.register_profile("random", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

# A suite started in a shell's background ignores Ctrl-C, and so would every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_DIRECTORY = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """A cache of this run, made before xdist starts its workers: they and their subprocesses search nothing twice."""
    if not hasattr(config, "workerinput"):
        config.stash[_DIRECTORY] = os.environ["ENERGYSIM_CACHE"] = tempfile.mkdtemp(prefix="energysim-cache-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if directory := config.stash.get(_DIRECTORY, None):
        shutil.rmtree(directory, ignore_errors=True)


def pytest_collection_finish() -> None:
    """Modules and tests stay: the collector need not walk them again and again (a tenth of the suite's time)."""
    gc.collect()
    gc.freeze()
