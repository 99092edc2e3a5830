"""The ledger's values: counted, written as JSON, read back."""

from __future__ import annotations

import json

import pytest

from energysim.errors import SpecError
from energysim.reproduce import Finding, Ledger, Verdict

FINDINGS = (
    Finding("S1", "a", "A", "1 MB", "2 MB", Verdict.NOT, (), "twice", "energysim trace resnet18", "table"),
    Finding("S1", "b", "B", "1", "1", Verdict.REPRODUCED, (), "equal", "energysim trace resnet18"),
    Finding("S4", "c", "C", "1", "1", Verdict.ONLY_IF, ("8 bits", "batch 1"), "there", "energysim arch list"),
)


def test_counts_by_system_and_in_all() -> None:
    ledger = Ledger(FINDINGS, "0")
    assert ledger.counts() == {Verdict.REPRODUCED: 1, Verdict.ONLY_IF: 1, Verdict.NOT: 1, Verdict.NEEDS_DATA: 0}
    assert ledger.counts("S1")[Verdict.ONLY_IF] == 0
    assert ledger.of("S4") == FINDINGS[2:]


def test_json_and_back() -> None:
    ledger = Ledger(FINDINGS, "0", ("a note",))
    assert Ledger.from_dict(json.loads(ledger.to_json())) == ledger


@pytest.mark.parametrize("damage", [{"kind": "other"}, {"findings": [{"system": "S1"}]}, {"findings": None}])
def test_what_is_no_ledger_is_one_clear_error(damage: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="ledger"):
        Ledger.from_dict({**Ledger(FINDINGS, "0").to_dict(), **damage})
