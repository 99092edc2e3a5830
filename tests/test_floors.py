"""The floors of the design hold, and the command line stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_packages_import_only_from_floors_below() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("heavy", ["torch", "numpy", "pandas", "numba", "pydantic", "rich", "ruamel"])
def test_help_imports_nothing_heavy(heavy: str) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from energysim.cli import cli;"
        "r = CliRunner().invoke(cli, ['--help']); assert r.exit_code == 0, r.output;"
        f"assert {heavy!r} not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
