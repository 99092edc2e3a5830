"""The native engine: counts in closed form (:mod:`energysim.mapping.evaluate`), used by the search of its floor too."""

from __future__ import annotations

from energysim.mapping.evaluate import evaluate
from energysim.mapping.validate import validate

__all__ = ["evaluate", "validate"]
