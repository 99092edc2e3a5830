"""Random problems, architectures and mappings are those of the oracle's tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "oracle"))
