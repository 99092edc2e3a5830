"""The claims of the write-ups, one YAML file per system: what is printed, where it stands, and what checks it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from energysim.errors import NotFoundError, did_you_mean
from energysim.reproduce.devices import EnergyFromKwh, InferenceEnergy, InferenceTime, PointsPerMmac
from energysim.reproduce.execution import ExactTiles
from energysim.reproduce.ledger import SYSTEMS
from energysim.reproduce.memory import (
    MemoryAccess,
    MemoryEnergy,
    MemoryEqual,
    MemoryOrder,
    MemoryReduction,
    MemoryTable,
)
from energysim.reproduce.networks import DualSize, IdealTraffic, ModelSize, NetworkCount, Structure
from energysim.reproduce.pruning import PrunedCompute
from energysim.reproduce.recipes import Normalization, RecipeSettings
from energysim.reproduce.training import Accuracy
from energysim.reproduce.training_energies import ShortcutEnergy, TrainingOrder
from energysim.reproduce.training_points import BestRate, FasterShortcuts, KeptAccuracy
from energysim.spec_files import SpecModel, load_yaml, validate_model

_DIRECTORY = Path(__file__).parent / "claims"

AnyCheck = (
    NetworkCount
    | ModelSize
    | Structure
    | DualSize
    | IdealTraffic
    | InferenceTime
    | InferenceEnergy
    | EnergyFromKwh
    | PointsPerMmac
    | RecipeSettings
    | Normalization
    | Accuracy
    | BestRate
    | FasterShortcuts
    | KeptAccuracy
    | PrunedCompute
    | TrainingOrder
    | ShortcutEnergy
    | MemoryAccess
    | MemoryReduction
    | MemoryTable
    | MemoryOrder
    | MemoryEqual
    | MemoryEnergy
    | ExactTiles
)


class Claim(SpecModel):
    """``claimed``: the figure as it is printed, or words; ``place``: where it stands; ``command``: what computes it,
    where that is another than the ledger's own command; ``why``: what the reader should know beside the computed
    reasons (no computed figures in it)."""

    id: str
    place: str
    statement: str
    claimed: str
    unit: str = ""
    command: str | None = None
    why: str | None = None
    check: Annotated[AnyCheck, Field(discriminator="kind")]


class ClaimFile(SpecModel):
    """All claims of one system."""

    system: str
    title: str
    claims: tuple[Claim, ...]


@cache
def load_claims(system: str) -> ClaimFile:
    """The claims of a system. Raises NotFoundError for a system that is not S1 to S4."""
    if system not in SYSTEMS:
        hint = did_you_mean(system.upper(), SYSTEMS) or f"one of {', '.join(SYSTEMS)}, or all"
        raise NotFoundError(f"no system {system!r}", hint=hint)
    return validate_model(ClaimFile, load_yaml(_DIRECTORY / f"{system.lower()}.yaml"))


def figures(files: tuple[ClaimFile, ...]) -> dict[str, str]:
    """What is printed, by "system/claim"."""
    return {f"{file.system}/{claim.id}": claim.claimed for file in files for claim in file.claims}
