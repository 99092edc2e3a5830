"""Every claim of the four systems S1-S4 beside what is computed: reproduced or not, under which conditions, and why."""

from energysim.reproduce.ledger import Finding, Ledger, Verdict

__all__ = ["Finding", "Ledger", "Verdict"]
