"""The ledger: what a write-up claims, what is computed, and the verdict."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from energysim.errors import SpecError

SCHEMA = 1
KIND = "reproduction ledger"
SYSTEMS = ("S1", "S2", "S3", "S4")


class Verdict(StrEnum):
    """What becomes of a claim. ``ONLY_IF``: it holds under the conditions that the finding lists, and not elsewhere."""

    REPRODUCED = "reproduced"
    ONLY_IF = "only if"
    NOT = "not"
    NEEDS_DATA = "needs training data that is not here"


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim and its verdict. ``claimed`` and ``computed`` carry their units; ``conditions``: those under which the
    claim holds (ONLY_IF); ``command``: a line that computes the number; ``place``: where the claim stands."""

    system: str
    claim_id: str
    statement: str
    claimed: str
    computed: str
    verdict: Verdict
    conditions: tuple[str, ...]
    reason: str
    command: str
    place: str = ""


@dataclass(frozen=True)
class Ledger:
    """All findings, in the order of the write-ups; ``energysim`` is the version that computed them, ``notes`` say what
    was left out."""

    findings: tuple[Finding, ...]
    energysim: str
    notes: tuple[str, ...] = ()

    def of(self, system: str) -> tuple[Finding, ...]:
        """The findings of one system."""
        return tuple(finding for finding in self.findings if finding.system == system)

    def counts(self, system: str | None = None) -> dict[Verdict, int]:
        """How many claims have each verdict; of one system, or of all."""
        found = Counter(finding.verdict for finding in (self.findings if system is None else self.of(system)))
        return {verdict: found[verdict] for verdict in Verdict}

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "kind": KIND, **asdict(self)}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Ledger:
        """The ledger that :meth:`to_dict` gave. Raises SpecError where it is no such thing."""
        if not isinstance(plain, Mapping) or plain.get("kind") != KIND:
            raise SpecError("this is no reproduction ledger", hint="`energysim reproduce --json FILE` writes one")
        try:
            findings = tuple(
                Finding(**{**item, "verdict": Verdict(item["verdict"]), "conditions": tuple(item["conditions"])})
                for item in plain["findings"]
            )
            return cls(findings, str(plain["energysim"]), tuple(plain["notes"]))
        except (KeyError, TypeError, ValueError) as error:
            raise SpecError(f"a damaged reproduction ledger: {error!r}") from None
